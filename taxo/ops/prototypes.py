"""Prototypes: the feature vectors that are typical of a class."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from taxo.ops.forms import Top, real_type
from taxo.ops.norms import per_row
from taxo.ops.ranks import gathered
from taxo.ops.states import State

SHARE = 0.4  # of the similarities within a class are too small to count as near
ALIKE = 0.95  # vectors this similar to one with more others near it add nothing
CLASSES = 64  # whose similarities are there at a time


class Prototypes(State):
    """Per class, `count` of the last `most` feature vectors of an epoch: [C, count, D].

    Near are two vectors whose cosine similarity is above the 40th percentile within the class. Those with
    most others near come first; those much alike (similarity from 0.95 on) to one that has more others near
    come after all that are not. If a class has fewer vectors than `count`, they are repeated in turn.
    """

    recent: Tensor
    seen: Tensor

    def __init__(
        self,
        granule: str,
        rows: int,
        start: float | Tensor = 0.0,
        every: str = "epoch",
        *,
        count: int,
        most: int = 128,
    ) -> None:
        super().__init__(granule, rows, start, every)
        self.count, self.most = count, most
        self.add_empty("recent", "seen")

    @torch.no_grad()
    def update(
        self,
        e: Tensor,
        y: Tensor | None = None,
        index: Tensor | None = None,
        where: Tensor | Top | None = None,
    ) -> None:
        """Take in a batch: features, the classes (of soft labels the likeliest), and which samples count."""
        del index
        assert y is not None
        rows, member = per_row(e.detach()), y.argmax(1) if y.is_floating_point() else y.long()
        counted = torch.ones_like(member, dtype=torch.bool) if where is None else where
        rows, member, counted = gathered(rows, member, counted.mask if isinstance(counted, Top) else counted)
        self._make_room(rows)
        # those that do not count are sorted behind all classes
        present, order = torch.where(counted, member, len(self.seen)).sort(stable=True)
        places = torch.arange(len(present), device=present.device)
        number = places - torch.searchsorted(present, present)
        left = torch.searchsorted(present, present, right=True) - places
        classes = present.clamp(max=len(self.seen) - 1)
        slot = (self.seen[classes] + number) % self.most
        # what a later vector of this batch takes the place of, and what does not count, goes to a last slot
        kept = (left <= self.most) & (present < len(self.seen))
        slot = torch.where(kept, slot, self.most)
        self.recent[classes, slot] = rows[order].to(self.recent.dtype)
        self.seen.index_add_(0, member, counted.to(self.seen.dtype))
        if self.at_once:
            self._choose()

    @torch.no_grad()
    def turn(self, value: Tensor | None = None) -> None:
        """Choose among the vectors of the epoch, and forget them."""
        if value is not None:
            self.shape_as(value)
            self.kept.copy_(value)
        elif not self.at_once and self.is_shaped("seen"):
            self._choose()
            self.seen.zero_()

    def _choose(self) -> None:
        parts = [slice(first, first + CLASSES) for first in range(0, len(self.seen), CLASSES)]
        recent = self.recent[:, : self.most]
        chosen = torch.cat([prototypes(recent[part], self.seen[part], self.count) for part in parts])
        self.show(None, chosen, self.seen > 0)

    def _make_room(self, rows: Tensor) -> None:
        if self.is_shaped("seen"):
            return
        assert self.length is not None
        length, width, kind = self.length, rows.shape[1], real_type(rows)
        self.fill("kept", (length, self.count, width), self._given(), kind, rows.device)
        self.fill("recent", (length, self.most + 1, width), 0.0, kind, rows.device)
        self.fill("seen", (length,), 0.0, torch.int64, rows.device)


def prototypes(rows: Tensor, seen: Tensor, count: int) -> Tensor:
    """Of [C, M, D] vectors, of which each class has the first `seen`, `count` typical ones of each."""
    most = rows.shape[1]
    number = seen.clamp(max=most)
    there = torch.arange(most, device=rows.device) < number[:, None]
    unit = functional.normalize(rows, dim=-1)
    similar = unit @ unit.mT
    pairs = there[:, :, None] & there[:, None, :]
    ranked = similar.masked_fill(~pairs, torch.inf).flatten(1).sort(1).values
    place = (SHARE * (number**2 - 1).clamp(min=0)).long()
    limit = ranked.gather(1, place[:, None])[:, :, None]
    near = ((similar > limit) & pairs).sum(2)
    # of two that are equally dense, the first counts as denser
    order = torch.arange(most, device=rows.device)
    denser = near[:, None, :] > near[:, :, None]
    denser |= (near[:, None, :] == near[:, :, None]) & (order[None, :] < order[:, None])
    alike = (similar.masked_fill(~(denser & pairs), -1.0) >= ALIKE).any(2)
    # first those unlike any denser one, then the others, then what is not there; by density within each
    rank = near + 2 * most * (there.long() * 2 - alike.long())
    best = rank.argsort(dim=1, descending=True, stable=True)
    turns = torch.arange(count, device=rows.device) % number.clamp(min=1)[:, None]
    return rows.gather(1, best.gather(1, turns)[:, :, None].expand(-1, -1, rows.shape[2]))
