"""The sets that unknowns are kept in: how to come back to one, where its edge is, how to start inside.

An unknown has granules (samples, classes) along its first axis; that of the weights is a list of tensors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeGuard

import torch
from torch import Tensor

from taxo.ops.balls import L1 as L1
from taxo.ops.balls import L2 as L2
from taxo.ops.balls import Linf as Linf
from taxo.ops.balls import Round
from taxo.ops.forms import real_type
from taxo.ops.granules import Number, clipped, level, of_each, random_shares, reshaped, vertex
from taxo.ops.norms import per_row

ROUNDS = 8


class Region(Protocol):
    """A set that a perturbation, given as a list of tensors, can be brought back to."""

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """The nearest perturbation inside."""
        ...


class Edged(Protocol):
    """A set with a best point along every gradient."""

    def furthest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The point of the set that gains most along the gradient."""
        ...


class Ball(Region, Edged, Protocol):
    """A bounded set."""

    def steepest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The unit step that gains most along the gradient."""
        ...

    def uniform(self, like: list[Tensor], generator: torch.Generator) -> list[Tensor]:
        """A random point inside."""
        ...


def is_bounded(region: Region | Edged) -> TypeGuard[Edged]:
    """Whether a set is one to steer by; a box beside another only cuts off what is outside."""
    return hasattr(region, "furthest") and not isinstance(region, Box)


def project_all(delta: list[Tensor], within: Sequence[Region]) -> list[Tensor]:
    """The perturbation brought into every set: in their order, or by rounds where two bounded sets meet."""
    if sum(map(is_bounded, within)) < 2:
        for region in within:
            delta = region.project(delta)
        return delta
    return _settled(_alternated(delta, within), within)


def _alternated(delta: list[Tensor], within: Sequence[Region]) -> list[Tensor]:
    """Dykstra's rounds, which tend to the nearest point that is in all sets."""
    owed = [[torch.zeros_like(part) for part in delta] for _ in within]
    for turn in range(ROUNDS * len(within)):
        number = turn % len(within)
        wish = [part + debt for part, debt in zip(delta, owed[number], strict=True)]
        delta = within[number].project(wish)
        owed[number] = [part - back for part, back in zip(wish, delta, strict=True)]
    return delta


def _settled(delta: list[Tensor], within: Sequence[Region]) -> list[Tensor]:
    """What the rounds have left outside, scaled inside; only sets around zero allow that."""
    around_zero = all(isinstance(region, Round | Box | Nonnegative) for region in within)
    for region in within:
        if isinstance(region, Round) and around_zero:
            delta = region.shrink(delta)
        if isinstance(region, Simplex):
            delta = region.project(delta)
    return delta


@dataclass(frozen=True, slots=True)
class Simplex:
    """The distributions: no entry below zero, every granule's sum one; its points are values, not offsets."""

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """Every entry lowered by the same, and no lower than zero."""
        rows = [per_row(part.to(real_type(part))) for part in delta]
        return reshaped([(row - level(row, 1.0)).clamp(min=0) for row in rows], delta)

    def steepest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The gradient less its mean, which keeps the sum."""
        return reshaped([row - row.mean(1, keepdim=True) for row in map(per_row, gradient)], gradient)

    def furthest(self, gradient: list[Tensor]) -> list[Tensor]:
        """All on the entry with the largest gradient; several such share."""
        return reshaped([vertex(per_row(part)) for part in gradient], gradient)

    def uniform(self, like: list[Tensor], generator: torch.Generator) -> list[Tensor]:
        """Shares from exponential numbers."""
        return reshaped([random_shares(per_row(part), 0, generator) for part in like], like)


@dataclass(slots=True)
class Box:
    """The perturbed value `around + delta` stays between two bounds: numbers, one per granule, or tensors."""

    around: Tensor | Mapping[str, Tensor]
    low: Number
    high: Number
    _room: list[tuple[Tensor, Tensor]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        values = [self.around] if isinstance(self.around, Tensor) else list(self.around.values())
        # once for all steps of a search; in no less than single precision, lest the bounds be rounded away
        exact = [value.to(real_type(value)) for value in values]
        self._room = [(_bound(self.low, value) - value, _bound(self.high, value) - value) for value in exact]

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """The perturbed value clipped."""
        return [clipped(part, low, high) for part, (low, high) in zip(delta, self._room, strict=True)]

    def steepest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The sign; zero where the gradient is."""
        return [part.sign() for part in gradient]

    def furthest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The corner that the sign points to; where there is none, no step."""
        both = zip(gradient, self._room, strict=True)
        corners = [(part, torch.where(part > 0, high, low)) for part, (low, high) in both]
        return self.project([torch.where(part == 0, 0.0, far).to(part.dtype) for part, far in corners])

    def uniform(self, like: list[Tensor], generator: torch.Generator) -> list[Tensor]:
        """Every perturbed entry uniform between the bounds."""
        drawn = [torch.empty_like(part).uniform_(generator=generator) for part in like]
        return [
            (low + share * (high - low)).to(share.dtype)
            for share, (low, high) in zip(drawn, self._room, strict=True)
        ]


def _bound(number: Number, value: Tensor) -> Number:
    """A bound that is one number per granule, or already in a shape of the value."""
    return of_each(number, value) if isinstance(number, Tensor) and number.dim() == 1 else number


@dataclass(frozen=True, slots=True)
class Between:
    """No entry below one number or above another."""

    low: float
    high: float

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """Every entry brought to the nearer end where it is outside."""
        return [part.clamp(self.low, self.high) for part in delta]


@dataclass(frozen=True, slots=True)
class Nonnegative:
    """No entry below zero."""

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """Every entry raised to zero where it is below."""
        return [part.clamp(min=0) for part in delta]
