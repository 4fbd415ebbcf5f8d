"""The balls around zero: how to come back to one, where its edge is, how to start inside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import ClassVar, Literal

import torch
from torch import Tensor

from taxo.ops.forms import real_type
from taxo.ops.granules import (
    Number,
    clipped,
    length,
    lengths,
    level,
    of_each,
    positive,
    random_shares,
    reshaped,
    scaled,
    vertex,
)
from taxo.ops.norms import per_row

TINY = 1e-12

Each = Literal["row", "all", "tensor"]


@dataclass(frozen=True, slots=True)
class Round:
    """A norm at most the radius: of each granule's part, of each tensor, or of all tensors together.

    The radius is one number, one per granule, or a list of one per tensor.
    """

    radius: Number | Sequence[Number]
    each: Each = "row"
    order: ClassVar[float]

    def __post_init__(self) -> None:
        given = self.radius
        if isinstance(given, Sequence):
            object.__setattr__(self, "radius", [positive(number) for number in given])
        else:
            object.__setattr__(self, "radius", positive(given))

    def shrink(self, delta: list[Tensor]) -> list[Tensor]:
        """Scaled down to the radius where larger."""
        return self._multiplied(delta, lambda size, radius: (radius / size.clamp(min=TINY)).clamp(max=1))

    def _multiplied(self, parts: list[Tensor], factor: Callable[[Tensor, Number], Tensor]) -> list[Tensor]:
        """Every tensor times a factor of its norm and radius."""
        sizes, radii = self._sizes(parts), self._radii(parts)
        if self.each == "all":
            return scaled(parts, [factor(sizes[0], radii[0])] * len(parts))
        return scaled(parts, [factor(size, radius) for size, radius in zip(sizes, radii, strict=True)])

    def _radii(self, parts: list[Tensor]) -> list[Number]:
        """The radius of each tensor, shaped to multiply it."""
        if isinstance(self.radius, Sequence):
            return [of_each(number, part) for number, part in zip(self.radius, parts, strict=True)]
        return [of_each(self.radius, part) for part in parts]

    def _sizes(self, delta: list[Tensor]) -> list[Tensor]:
        """The norm that each tensor counts with, shaped to multiply it."""
        if self.each == "row":
            return [length(part, self.order, part.dim() > 0) for part in delta]
        sizes = lengths(delta) if self.order == 2 else [length(part, self.order, False) for part in delta]
        return (
            sizes if self.each == "tensor" else [length(torch.stack(sizes), self.order, False)] * len(delta)
        )


@dataclass(frozen=True, slots=True)
class Linf(Round):
    """No entry larger than the radius."""

    order: ClassVar[float] = torch.inf

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """Every entry clipped."""
        return [clipped(part, -r, r) for part, r in zip(delta, self._radii(delta), strict=True)]

    def steepest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The sign; zero where the gradient is."""
        return [part.sign() for part in gradient]

    def furthest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The corner that the sign points to."""
        return scaled([part.sign() for part in gradient], self._radii(gradient))

    def uniform(self, like: list[Tensor], generator: torch.Generator) -> list[Tensor]:
        """Every entry uniform between plus and minus the radius."""
        cube = [torch.empty_like(part).uniform_(-1, 1, generator=generator) for part in like]
        return scaled(cube, self._radii(like))


@dataclass(frozen=True, slots=True)
class L2(Round):
    """Euclidean norm at most the radius."""

    each_sample: bool = True
    order: ClassVar[float] = 2.0

    def __post_init__(self) -> None:
        Round.__post_init__(self)
        if not self.each_sample:
            object.__setattr__(self, "each", "all")

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """Scaled down to the radius where longer."""
        return self.shrink(delta)

    def steepest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The gradient at unit length."""
        return self._multiplied(gradient, lambda size, radius: 1 / (size + TINY))

    def furthest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The gradient at the radius' length."""
        return self._multiplied(gradient, lambda size, radius: radius / (size + TINY))

    def uniform(self, like: list[Tensor], generator: torch.Generator) -> list[Tensor]:
        """A uniform direction at a radius that fills the ball evenly."""
        noise = [torch.empty_like(part).normal_(generator=generator) for part in like]
        whole = sum(part.numel() for part in like)
        given = [self._share(part, whole, generator) for part in like]
        shared = given if self.each != "all" else given[:1] * len(like)
        reach = [radius * share for radius, share in zip(self._radii(like), shared, strict=True)]
        return scaled(self.steepest(noise), reach)

    def _share(self, part: Tensor, whole: int, generator: torch.Generator) -> Tensor:
        """A random share of the radius; the more dimensions, the more of the ball lies near its edge."""
        shape = (len(part), *[1] * (part.dim() - 1)) if self.each == "row" else ()
        count = {"row": prod(part.shape[1:]), "tensor": part.numel(), "all": whole}[self.each]
        share = torch.empty(shape, dtype=real_type(part), device=part.device).uniform_(generator=generator)
        return share ** (1 / max(count, 1))


@dataclass(frozen=True, slots=True)
class L1(Round):
    """Sum of absolute values at most the radius."""

    order: ClassVar[float] = 1.0

    def project(self, delta: list[Tensor]) -> list[Tensor]:
        """Every entry moved towards zero by as much as brings the sum down to the radius."""
        rows = self._rows(delta)
        levels = [level(row.abs(), r).clamp(min=0) for row, r in zip(rows, self._radii(rows), strict=True)]
        kept = [row.sign() * (row.abs() - cut).clamp(min=0) for row, cut in zip(rows, levels, strict=True)]
        return self._parts(kept, delta)

    def steepest(self, gradient: list[Tensor]) -> list[Tensor]:
        """One along the entry with the largest gradient; several such share."""
        rows = self._rows(gradient)
        return self._parts([row.sign() * vertex(row.abs()) for row in rows], gradient)

    def furthest(self, gradient: list[Tensor]) -> list[Tensor]:
        """The corner of the entry with the largest gradient; several such share."""
        return scaled(self.steepest(gradient), self._radii(gradient))

    def uniform(self, like: list[Tensor], generator: torch.Generator) -> list[Tensor]:
        """Shares of the radius from exponential numbers, one of which nobody gets, and random signs."""
        rows = self._rows(like)
        points = [random_shares(row, 1, generator)[:, :-1] for row in rows]
        coins = [torch.empty_like(point).uniform_(-1, 1, generator=generator) for point in points]
        points = [torch.copysign(point, coin) for point, coin in zip(points, coins, strict=True)]
        return scaled(self._parts(points, like), self._radii(like))

    def _rows(self, parts: list[Tensor]) -> list[Tensor]:
        """The parts as matrices whose rows the norm is taken of."""
        parts = [part.to(real_type(part)) for part in parts]
        if self.each == "row":
            return [per_row(part) for part in parts]
        flat = [part.reshape(1, -1) for part in parts]
        return flat if self.each == "tensor" else [torch.cat(flat, 1)]

    def _parts(self, rows: list[Tensor], like: list[Tensor]) -> list[Tensor]:
        """The matrices back in the shapes of the parts."""
        if self.each == "all":
            rows = list(torch.split(rows[0], [part.numel() for part in like], 1))
        return reshaped(rows, like)
