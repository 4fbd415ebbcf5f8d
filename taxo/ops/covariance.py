"""The running covariance of features, per class or of all."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor

from taxo.ops.forms import Top, per_sample, real_type
from taxo.ops.groups import Groups, divided, groups, wide
from taxo.ops.norms import per_row
from taxo.ops.states import State

ENTRIES = 2**24  # of the outer products that are there at a time
FEW = 32  # classes, for all of which a batch is multiplied at once


class Covariance(State):
    """The population covariance of everything seen, or of an epoch: [C, D, D], or [C, D] of variances only.

    Batches are pooled exactly (Chan et al.). Only the matrices of the batch's classes are touched, unless
    labels are soft, when every class has a share of every sample.
    """

    count: Tensor
    mean: Tensor
    gathered: Tensor

    def __init__(
        self,
        granule: str,
        rows: int,
        start: float | Tensor = 0.0,
        every: str = "step",
        diagonal: bool = False,
    ) -> None:
        super().__init__(granule, rows, start, every)
        self.diagonal = diagonal
        self.add_empty("count", "mean", *["gathered"] * (not self.at_once))

    @torch.no_grad()
    def update(
        self,
        e: Tensor,
        y: Tensor | None = None,
        index: Tensor | None = None,
        where: Tensor | Top | None = None,
    ) -> None:
        """Take in a batch: features, the classes, and which samples count."""
        del index
        assert self.length is not None
        rows = per_row(e.detach())
        found = groups(self.granule, self.length, rows, y, None, where, together=True, whole=True)
        self._make_room(rows)
        seen = found.seen(spread=False)
        total = self.count + seen.count
        old, new = divided(self.count, total), divided(torch.ones_like(total), total)
        old = torch.where(seen.count > 0, old, torch.ones_like(old))
        off = seen.mean - self.mean
        # Σ (x - centre)² = the batch's own Σ (x - mean)², and what the distance of the two means adds
        centre = seen.mean - old.sqrt()[:, None] * off
        self.mean += off * divided(seen.count, total)[:, None]
        self.count.copy_(total)
        target = self.kept if self.at_once else self.gathered
        pool = _pool_variances if self.diagonal else _pool
        pool(target, found, centre, old, new)

    @torch.no_grad()
    def turn(self, value: Tensor | None = None) -> None:
        """Make the covariance of what was gathered the value, or set it."""
        if value is not None:
            self._make_room(value if self.granule == "corpus" else value[0])
            self.kept.copy_(value)
        elif not self.at_once and self.is_shaped("count"):
            self.show(None, self.gathered, self.count > 0)
            self.count.zero_()
            self.mean.zero_()

    def _make_room(self, rows: Tensor) -> None:
        if self.is_shaped("count"):
            return
        assert self.length is not None
        length, width = self.length, rows.shape[1]
        shape = (length, *[width] * (1 if self.diagonal else 2))
        self.fill("kept", shape, self._given(), real_type(rows), rows.device)
        if not self.at_once:
            self.fill("gathered", shape, 0.0, real_type(rows), rows.device)
        self.fill("count", (length,), 0.0, wide(rows), rows.device)
        self.fill("mean", (length, width), 0.0, wide(rows), rows.device)


def _pool_variances(target: Tensor, found: Groups, centre: Tensor, old: Tensor, new: Tensor) -> None:
    """`target <- old * target + new * Σ (x - centre)²` for every class."""
    if found.member is None or not found.member.is_floating_point():
        spread = found.total((found.values - found.of_each(centre)) ** 2)
    else:
        # shares: Σ w (x - c)² about the mean of all, so that nothing large cancels
        middle = centre.mean(0)
        values, to = found.values.to(centre.dtype) - middle, centre - middle
        sums, count = found.total(values), found.count()[:, None]
        spread = (found.total(values**2) - 2 * to * sums + count * to**2).clamp(min=0)
    target.mul_(old[:, None]).add_(spread * new[:, None])


def _pool(target: Tensor, found: Groups, centre: Tensor, old: Tensor, new: Tensor) -> None:
    """`target <- old * target + new * Σ (x - centre) (x - centre)ᵀ` for every class."""
    member, share = found.member, new.sqrt()[:, None]
    if member is None:
        rows = _rows(found, centre, share).to(target.dtype)
        target[0].mul_(old[0]).addmm_(rows.T, rows)
    elif member.is_floating_point():
        for one, part in enumerate(member.T.sqrt()):
            rows = _rows(found, centre[one], part[:, None] * share[one]).to(target.dtype)
            target[one].mul_(old[one]).addmm_(rows.T, rows)
    else:
        present, order = member.sort(stable=True)
        rows = _rows(found, centre[member], share[member])[order].to(target.dtype)
        many = _pool_outer if len(target) > FEW else _pool_masked
        pool = _pool_classes if target.device.type == "cpu" else many
        pool(target, present, rows, old)


def _rows(found: Groups, centre: Tensor, share: Tensor) -> Tensor:
    """The samples that count about a centre, times a share, and zero for the others."""
    rows = (found.values.to(centre.dtype) - centre) * share
    if found.counted is not None:
        rows = rows.masked_fill(~per_sample(found.counted, rows), 0)
    return rows


def _pool_classes(target: Tensor, present: Tensor, rows: Tensor, old: Tensor) -> None:
    """Class by class: on the CPU, to know how many samples each has costs nothing."""
    counts = cast("list[int]", torch.bincount(present, minlength=len(target)).tolist())
    for one, part in enumerate(_split(rows, counts)):
        if len(part):
            target[one].addmm_(part.T, part, beta=float(old[one]))


def _pool_masked(target: Tensor, present: Tensor, rows: Tensor, old: Tensor) -> None:
    """All classes at once, each with the rows of the others as zeros."""
    classes = torch.arange(len(target), device=target.device)
    masked = rows * (present == classes[:, None])[:, :, None]
    target.mul_(old.to(target.dtype)[:, None, None]).baddbmm_(masked.mT, masked)


def _pool_outer(target: Tensor, present: Tensor, rows: Tensor, old: Tensor) -> None:
    """A few samples at a time, with no question to the device about which classes there are."""
    # a class decays once, with its first sample, before anything has been added to it
    first = torch.ones_like(present, dtype=torch.bool)
    first[1:] = present[1:] != present[:-1]
    decay = torch.where(first, old[present] - 1, 0.0).to(target.dtype)
    size = max(1, ENTRIES // rows.shape[1] ** 2)
    parts = (_split(whole, size) for whole in (present, rows, decay))
    for some, part, left in zip(*parts, strict=True):
        delta = target[some] * left[:, None, None]
        target.index_add_(0, some, delta.baddbmm_(part[:, :, None], part[:, None, :]))


def _split(rows: Tensor, sizes: int | list[int]) -> tuple[Tensor, ...]:
    return torch.split(rows, sizes)  # pyright: ignore[reportUnknownMemberType]
