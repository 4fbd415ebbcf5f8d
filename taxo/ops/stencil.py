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


@dataclass(frozen=True, slots=True)
class Stencil:
    """A matrix over a picture's pixels: what counts at each, and its bonds to the next below and at right."""

    mass: Tensor
    below: Tensor
    right: Tensor

    def product(self, e: Tensor) -> Tensor:
        """The matrix times each channel."""
        down, over = self.below * e.diff(dim=-2), self.right * e.diff(dim=-1)
        pulls = functional.pad(down, (0, 0, 1, 0)) - functional.pad(down, (0, 0, 0, 1))
        return self.mass * e + pulls + functional.pad(over, (1, 0)) - functional.pad(over, (0, 1))

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


def levels(stencil: Stencil) -> list[Stencil]:
    """A matrix and those over coarser pictures, down to one pixel."""
    found = [stencil]
    while found[-1].mass.shape[-2:].numel() > 1:
        found.append(found[-1].coarser())
    return found


def solved(stencil: Stencil, right: Tensor, steps: int = STEPS) -> Tensor:
    """The solution for each channel of a right side, up to what the steps leave."""
    coarse = levels(stencil)
    found, rest = torch.zeros_like(right), right
    settled = _cycle(rest, coarse)
    way, gain = settled, _dot(rest, settled)
    for _ in range(steps):
        turned = stencil.product(way)
        reach = _share(gain, _dot(way, turned))
        found, rest = found + reach * way, rest - reach * turned
        settled = _cycle(rest, coarse)
        before, gain = gain, _dot(rest, settled)
        way = settled + _share(gain, before) * way
    return found


def _cycle(rest: Tensor, coarse: Sequence[Stencil]) -> Tensor:
    """About the solution: pixels by themselves, coarser pictures for what that leaves, then pixels again."""
    diagonal = coarse[0].diagonal()
    if len(coarse) == 1:
        return rest / diagonal
    near = SHARE * rest / diagonal
    far = _cycle(_gathered(rest - coarse[0].product(near)), coarse[1:])
    both = near + _spread(far, rest)
    return both + SHARE * (rest - coarse[0].product(both)) / diagonal


def _gathered(e: Tensor) -> Tensor:
    """The sums of two by two pixels; at an odd border of fewer."""
    height, width = e.shape[-2:]
    return 4 * functional.avg_pool2d(functional.pad(e, (0, width % 2, 0, height % 2)), 2)


def _spread(e: Tensor, like: Tensor) -> Tensor:
    """Every pixel's value at the two by two that it stands for."""
    height, width = like.shape[-2:]
    return e.repeat_interleave(2, -2)[..., :height, :].repeat_interleave(2, -1)[..., :width]


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """The inner product of each channel."""
    return (one * other).sum((-2, -1), keepdim=True)


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """A quotient of what is not below zero; of nothing, nothing."""
    return part / whole.clamp(min=torch.finfo(whole.dtype).tiny)
