"""The set of smooth motions: how to come back to it, and which of its fields gains most along a gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from taxo.ops.balls import L2, TINY
from taxo.ops.cosines import from_waves, roughness, waves
from taxo.ops.granules import Number, length, of_each, positive, reshaped
from taxo.ops.pictures import pictures

ROUNDS = 12  # of Newton's method


@dataclass(frozen=True, slots=True)
class SmoothFlow:
    """The motions whose mean square, and `gamma` times that of their slope, are no more than `size` squared.

    The slope is by how much a pixel moves on from its neighbours. So `size`, in pixels, bounds the root of
    the mean square motion; where all move alike it is how far. In waves the set is an ellipsoid along axes.
    """

    gamma: float
    size: Number

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", positive(self.size))

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """The nearest field of the set."""
        return reshaped([self._nearest(pictures(part)) for part in delta], delta)

    def steepest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The field of size one that gains most along the gradient."""
        return reshaped([self._furthest(pictures(part), 1.0) for part in gradient], gradient)

    def furthest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The field that gains most along the gradient: the rougher a wave of it, the less is left."""
        return reshaped([self._furthest(pictures(part), self.size) for part in gradient], gradient)

    def uniform(self, like: list[Tensor], generator: torch.Generator) -> list[Tensor]:
        """A uniform point of the ellipsoid."""
        fields = [pictures(part) for part in like]
        drawn = [L2(_long(self.size, field)).uniform([field], generator)[0] for field in fields]
        return reshaped([from_waves(field / self._costs(field).sqrt()) for field in drawn], like)

    def _costs(self, field: Tensor) -> Tensor:
        """What the square of each wave counts."""
        return 1 + self.gamma * roughness(field)

    def _furthest(self, gradient: Tensor, size: Number) -> Tensor:
        costs = self._costs(gradient).sqrt()
        way = waves(gradient) / costs
        reach = of_each(_long(size, gradient), gradient) / (length(way, 2, rows=True) + TINY)
        return from_waves(way / costs) * reach

    def _nearest(self, field: Tensor) -> Tensor:
        """Every wave divided by one plus its cost times the one number that brings the field to the edge.

        Newton's method for the inverse of the size finds it from below, as in trust regions.
        """
        costs, found = self._costs(field), waves(field)
        rough, number = found * costs.sqrt(), torch.zeros_like(length(found, 2, rows=True))
        edge = (number + of_each(_long(self.size, field), field)).clamp(min=TINY)
        for _ in range(ROUNDS):
            size = length(rough / (1 + number * costs), 2, rows=True)
            falls = length(rough * costs.sqrt() / (1 + number * costs) ** 1.5, 2, rows=True)
            step = size.square() / falls.square().clamp(min=TINY) * (size / edge - 1)
            number = (number + step).clamp(min=0)
        return from_waves(found / (1 + number * costs))


def _long(size: Number, field: Tensor) -> Number:
    """The length of a field whose mean square is that of a size."""
    return size * (field.shape[-2] * field.shape[-1]) ** 0.5
