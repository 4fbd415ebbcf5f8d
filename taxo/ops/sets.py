"""The sets that unknowns are kept in: how to come back to one, where its edge is, how to start inside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from taxo.ops.forms import per_sample
from taxo.ops.norms import norm_of_all, norm_per_sample

TINY = 1e-12


class Region(Protocol):
    """A set that a perturbation, given as a list of tensors, can be brought back to."""

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """The nearest perturbation inside."""
        ...


class Ball(Region, Protocol):
    """A bounded set."""

    def steepest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The unit step that gains most along the gradient."""
        ...

    def furthest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The point of the set that gains most along the gradient."""
        ...

    def uniform(self, like: list[Tensor], generator: torch.Generator) -> list[Tensor]:
        """A random point inside."""
        ...


@dataclass(frozen=True, slots=True)
class Linf:
    """No entry larger than the radius."""

    radius: float

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """Every entry clipped."""
        return [part.clamp(-self.radius, self.radius) for part in delta]

    def steepest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The sign; zero where the gradient is."""
        return [part.sign() for part in gradient]

    def furthest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The corner that the sign points to."""
        return [self.radius * part.sign() for part in gradient]

    def uniform(self, like: list[Tensor], generator: torch.Generator) -> list[Tensor]:
        """Every entry uniform between plus and minus the radius."""
        return [
            torch.empty_like(part).uniform_(-self.radius, self.radius, generator=generator) for part in like
        ]


@dataclass(frozen=True, slots=True)
class L2:
    """Euclidean norm at most the radius: of each sample, or of all tensors together."""

    radius: float
    each_sample: bool = True

    def _scaled(self, delta: list[Tensor], factor: Callable[[Tensor], Tensor]) -> list[Tensor]:
        """Every part times a factor of its norm."""
        if not self.each_sample:
            whole = factor(norm_of_all(delta))
            return [part * whole for part in delta]
        return [part * per_sample(factor(norm_per_sample(part)), part) for part in delta]

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """Scaled down to the radius where longer."""
        return self._scaled(delta, lambda norm: (self.radius / (norm + TINY)).clamp(max=1.0))

    def steepest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The gradient at unit length."""
        return self._scaled(gradient, lambda norm: 1 / (norm + TINY))

    def furthest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The gradient at the radius' length."""
        return self._scaled(gradient, lambda norm: self.radius / (norm + TINY))

    def uniform(self, like: list[Tensor], generator: torch.Generator) -> list[Tensor]:
        """A uniform direction at a radius that fills the ball evenly."""
        noise = [torch.empty_like(part).normal_(generator=generator) for part in like]
        first = like[0]
        whole = sum(part.numel() for part in like)
        size = first.numel() // max(len(first), 1) if self.each_sample else whole
        shape = (len(first), *[1] * (first.dim() - 1)) if self.each_sample else ()
        share = torch.empty(shape, dtype=first.dtype, device=first.device).uniform_(generator=generator)
        return [self.radius * share ** (1 / max(size, 1)) * part for part in self.steepest(noise)]


@dataclass(frozen=True, slots=True)
class Box:
    """The perturbed value `around + delta` stays between two bounds."""

    around: Tensor
    low: float
    high: float

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """The perturbed value clipped."""
        return [(self.around + part).clamp(self.low, self.high) - self.around for part in delta]
