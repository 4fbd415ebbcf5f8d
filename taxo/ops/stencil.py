"""Sums of weighted squared differences between neighbouring pixels: their products, and systems of them.

Nothing here is larger than the pictures. A system is solved by conjugate gradients; each step begins with a
cycle over coarser and coarser pictures, down to one pixel, that brings together what is far apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

STEPS = 15  # a fixed number, so that nothing waits for a device to tell how far it is
SHARE = 0.8  # of the step that would settle a pixel by itself
AT_ONCE = 2**17  # numbers on a processor, whose caches hold what belongs to as many


@dataclass(frozen=True, slots=True)
class Stencil:
    """A matrix over a picture's pixels: what counts at each, and its bonds to the next below and at right."""

    mass: Tensor
    below: Tensor
    right: Tensor

    def product(self, e: Tensor) -> Tensor:
        """The matrix times each channel."""
        down, over, found = self.below * e.diff(dim=-2), self.right * e.diff(dim=-1), self.mass * e
        found[..., 1:, :] += down
        found[..., :-1, :] -= down
        found[..., 1:] += over
        found[..., :-1] -= over
        return found

    def diagonal(self) -> Tensor:
        """The diagonal of the matrix."""
        bonds = functional.pad(self.below, (0, 0, 1, 0)) + functional.pad(self.below, (0, 0, 0, 1))
        return self.mass + bonds + functional.pad(self.right, (1, 0)) + functional.pad(self.right, (0, 1))

    def coarser(self) -> Stencil:
        """The matrix over two by two pixels at a time, which move as one: bonds within are gone."""
        height, width = self.mass.shape[-2:]
        below = functional.pad(self.below, (0, width % 2))[..., 1::2, :]
        right = functional.pad(self.right, (0, 0, 0, height % 2))[..., 1::2]
        return Stencil(
            _gathered(self.mass),
            below[..., 0::2] + below[..., 1::2],
            right[..., 0::2, :] + right[..., 1::2, :],
        )

    def rows(self, start: int, stop: int) -> Stencil:
        """The matrices of some of the pictures."""
        return Stencil(self.mass[start:stop], self.below[start:stop], self.right[start:stop])


@dataclass(frozen=True, slots=True)
class Level:
    """A matrix, and the inverse of its diagonal."""

    stencil: Stencil
    settling: Tensor


def levels(stencil: Stencil) -> list[Level]:
    """A matrix and those over coarser pictures, down to one pixel."""
    found = [stencil]
    while found[-1].mass.shape[-2:].numel() > 1:
        found.append(found[-1].coarser())
    return [Level(one, 1 / one.diagonal()) for one in found]


@torch.no_grad()
def solved(stencil: Stencil, right: Tensor, steps: int = STEPS) -> Tensor:
    """The solution for each channel of a right side, up to what the steps leave."""
    if right.device.type != "cpu" or not right.numel():
        return _solved(stencil, right, steps)
    channels = max(AT_ONCE // right.shape[-2:].numel(), 1)
    found, rows = torch.empty_like(right), max(channels // right.shape[1], 1)
    for start in range(0, len(right), rows):
        some = stencil.rows(start, start + rows)
        parts = torch.split(right[start : start + rows], channels, 1)
        found[start : start + rows] = torch.cat([_solved(some, part, steps) for part in parts], 1)
    return found


def _solved(stencil: Stencil, right: Tensor, steps: int) -> Tensor:
    coarse = levels(stencil)
    found, rest = torch.zeros_like(right), right
    way = _cycle(rest, coarse)
    gain = _dot(rest, way)
    for _ in range(steps):
        turned = stencil.product(way)
        reach = _share(gain, _dot(way, turned))
        found, rest = torch.addcmul(found, reach, way), torch.addcmul(rest, reach, turned, value=-1)
        settled = _cycle(rest, coarse)
        before, gain = gain, _dot(rest, settled)
        way = torch.addcmul(settled, _share(gain, before), way)
    return found


def _cycle(rest: Tensor, coarse: Sequence[Level]) -> Tensor:
    """About the solution: pixels by themselves, coarser pictures for what that leaves, then pixels again."""
    stencil, settling = coarse[0].stencil, coarse[0].settling
    if len(coarse) == 1:
        return rest * settling
    near = SHARE * settling * rest
    far = _cycle(_gathered(rest - stencil.product(near)), coarse[1:])
    near += _spread(far, rest)
    return near.addcmul_(settling, rest - stencil.product(near), value=SHARE)


def _gathered(e: Tensor) -> Tensor:
    """The sums of two by two pixels; at an odd border of fewer."""
    height, width = e.shape[-2:]
    even = functional.pad(e, (0, width % 2, 0, height % 2)) if height % 2 or width % 2 else e
    return 4 * functional.avg_pool2d(even, 2)


def _spread(e: Tensor, like: Tensor) -> Tensor:
    """Every pixel's value at the two by two that it stands for."""
    height, width = like.shape[-2:]
    return functional.interpolate(e, scale_factor=2, mode="nearest")[..., :height, :width]


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """The inner product of each channel."""
    return (one * other).sum((-2, -1), keepdim=True)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """A quotient of what is not below zero; of nothing, nothing."""
    return part / whole.clamp(min=torch.finfo(whole.dtype).tiny)
