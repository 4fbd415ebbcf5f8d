"""The set of changes that keep flat regions of a picture flat, and which of them gains most."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from taxo.ops.balls import TINY
from taxo.ops.cosines import smoothest
from taxo.ops.forms import product
from taxo.ops.granules import Number, length, of_each, positive, reshaped
from taxo.ops.pictures import pictures
from taxo.ops.stencil import Stencil, solved

FIRM = 1e4  # how much slopes count while patterns are sought: those with few of them stand out
MORE = 4  # patterns beyond those that are asked for
ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Recolor:
    """The changes whose mean square, with `lam / ridge` times that of slopes, is at most that of `radius`.

    A slope between two pixels counts the less the more they differ in the picture: half where that is by
    `edge`, in the root of the mean square of the channels. With a `rank`, changes are made of so many
    patterns, those whose slopes count least.
    """

    around: Tensor
    lam: float
    radius: Number
    ridge: float = 0.01
    rank: float = 0.0
    edge: float = 0.1

    def __post_init__(self) -> None:
        object.__setattr__(self, "radius", positive(self.radius))

    def furthest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The change that gains most along the gradient: the gradient, made even where the picture is."""
        return reshaped([self._furthest(pictures(part)) for part in gradient], gradient)

    def counts(self, firmness: float | None = None) -> Stencil:
        """The matrix that says what a change counts; `firmness` is what its slopes count."""
        picture, firm = pictures(self.around), self.lam / self.ridge if firmness is None else firmness
        below, right = (firm * _alike(picture, axis, self.edge) for axis in (-2, -1))
        return Stencil(torch.ones_like(picture[:, :1]), below, right)

    def patterns(self) -> Tensor:
        """The patterns that changes are made of, one a channel: of length one and at right angles."""
        firm, count = self.counts(FIRM), int(self.rank)
        found = smoothest(count + MORE, firm.mass).expand(len(firm.mass), -1, -1, -1)
        for _ in range(ROUNDS):
            found = _orthonormal(solved(firm, found))
        slopes = _products(found, firm.product(found))
        turn = cast(Tensor, torch.linalg.eigh(slopes)[1])
        return _turned(found, turn)[:, :count]

    def _furthest(self, gradient: Tensor) -> Tensor:
        way, counts = gradient / (length(gradient, 2, rows=True) + TINY), self.counts()
        few = 0 < self.rank < gradient.shape[-2:].numel()
        found = _within(self.patterns(), counts, way) if few else solved(counts, way)
        counted = (found * counts.product(found)).flatten(1).sum(1).clamp(min=0).sqrt()
        reach = torch.where(counted > 0, found[0].numel() ** 0.5 / torch.where(counted > 0, counted, 1), 0)
        return found * of_each(reach, found) * of_each(self.radius, found)


def _alike(picture: Tensor, axis: int, edge: float) -> Tensor:
    """How much neighbours count as one region."""
    return 1 / (1 + picture.diff(dim=axis).square().mean(1, keepdim=True) / edge**2)


def _within(patterns: Tensor, counts: Stencil, right: Tensor) -> Tensor:
    """The solution for each channel among the sums of patterns."""
    small = _products(patterns, counts.product(patterns))
    shares = cast(Tensor, torch.linalg.solve_ex(small, _products(patterns, right))[0])  # pyright: ignore[reportUnknownMemberType]
    return _turned(patterns, shares)


def _products(one: Tensor, other: Tensor) -> Tensor:
    """The inner products of the channels of one and those of another."""
    return product(one.flatten(2), other.flatten(2).mT)


def _turned(patterns: Tensor, shares: Tensor) -> Tensor:
    """Sums of patterns, a column of shares for each."""
    return product(shares.mT, patterns.flatten(2)).reshape(len(patterns), -1, *patterns.shape[-2:])


def _orthonormal(patterns: Tensor) -> Tensor:
    columns = cast(Tensor, torch.linalg.qr(patterns.flatten(2).mT)[0])
    return columns.mT.reshape(patterns.shape)
