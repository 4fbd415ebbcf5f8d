"""The set of smooth motions: how to come back to it, and which of its fields gains most along a gradient."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from taxo.ops.balls import L2, TINY
from taxo.ops.cosines import Waves, roughness, waves
from taxo.ops.granules import Number, length, of_each, positive, reshaped
from taxo.ops.pictures import by_few, pictures

Find = Callable[[Tensor, Number, Waves, Tensor], Tensor]
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
        return reshaped([self._by_few(_nearest, part, self.size) for part in delta], delta)

    def steepest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The field of size one that gains most along the gradient."""
        return reshaped([self._by_few(_furthest, part, 1.0) for part in gradient], gradient)

    def furthest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The field that gains most along the gradient: the rougher a wave of it, the less is left."""
        return reshaped([self._by_few(_furthest, part, self.size) for part in gradient], gradient)

    def uniform(self, like: list[Tensor], generator: torch.Generator) -> list[Tensor]:
        """A uniform point of the ellipsoid."""
        fields = [pictures(part) for part in like]
        drawn = [L2(_long(self.size, field)).uniform([field], generator)[0] for field in fields]
        return reshaped([waves(field).back(field / self._costs(field).sqrt()) for field in drawn], like)

    def _costs(self, field: Tensor) -> Tensor:
        """What the square of each wave counts."""
        return 1 + self.gamma * roughness(field)

    def _by_few(self, find: Find, part: Tensor, size: Number) -> Tensor:
        """What is found of each field, by few fields at a time where that is faster."""
        fields = pictures(part)
        transform, costs = waves(fields), self._costs(fields)
        return by_few(lambda some, own: find(some, _long(own, some), transform, costs), fields, size)


def _furthest(gradient: Tensor, size: Number, transform: Waves, costs: Tensor) -> Tensor:
    weights = costs.sqrt()
    way = transform.of(gradient).div_(weights)
    reach = of_each(size, gradient) / (length(way, 2, rows=True) + TINY)
    return transform.back(way.div_(weights)).mul_(reach)


def _nearest(field: Tensor, size: Number, transform: Waves, costs: Tensor) -> Tensor:
    """Every wave divided by one plus its cost times the one number that brings the field to the edge.

    Newton's method for the inverse of the size finds it from below, as in trust regions.
    """
    found = transform.of(field)
    rough, number = found * costs.sqrt(), torch.zeros_like(length(found, 2, rows=True))
    edge = (number + of_each(size, field)).clamp(min=TINY)
    for _ in range(ROUNDS):
        now = length(rough / (1 + number * costs), 2, rows=True)
        falls = length(rough * costs.sqrt() / (1 + number * costs) ** 1.5, 2, rows=True)
        step = now.square() / falls.square().clamp(min=TINY) * (now / edge - 1)
        number = (number + step).clamp(min=0)
    return transform.back(found / (1 + number * costs))


def _long(size: Number, field: Tensor) -> Number:
    """The length of a field whose mean square is that of a size."""
    return size * (field.shape[-2] * field.shape[-1]) ** 0.5
