"""The cosines of a rectangle: waves that a smooth field is made of, with nothing beyond the border.

They are the eigenvectors of the sum of squared differences between neighbours, for any height and width. The
even ones are the same seen in a mirror, and the odd ones turn their sign. So each half of them needs half of
a picture only: what is added to its mirror image, or what is left of it. Even ones come first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from taxo.ops.forms import product


@dataclass(frozen=True, slots=True)
class Axis:
    """The waves along one axis, one a row: their first halves, the middle among those of even ones."""

    even: Tensor
    odd: Tensor

    @property
    def halves(self) -> list[int]:
        """How many there are of both."""
        return [len(self.even), len(self.odd)]


@dataclass(frozen=True, slots=True)
class Waves:
    """The orthonormal cosine transform of the last two axes, and back."""

    down: Axis
    over: Axis

    def of(self, e: Tensor) -> Tensor:
        """How much of each wave there is in a field."""
        even, odd = _mirrored(e, -1)
        e = torch.cat([product(even, self.over.even.T), product(odd, self.over.odd.T)], -1)
        even, odd = _mirrored(e, -2)
        return torch.cat([product(self.down.even, even), product(self.down.odd, odd)], -2)

    def back(self, e: Tensor) -> Tensor:
        """The field whose waves are given."""
        even, odd = torch.split(e, self.down.halves, -2)
        e = _whole(product(self.down.even.T, even), product(self.down.odd.T, odd), -2)
        even, odd = torch.split(e, self.over.halves, -1)
        return _whole(product(even, self.over.even), product(odd, self.over.odd), -1)


def waves(like: Tensor) -> Waves:
    """The waves of pictures of a size."""
    height, width = like.shape[-2:]
    return Waves(_axis(height, like), _axis(width, like))


def roughness(like: Tensor) -> Tensor:
    """The sum of squared differences between neighbours that each wave of length one has."""
    height, width = like.shape[-2:]
    return _roughness(height, like)[:, None] + _roughness(width, like)


def smoothest(count: int, like: Tensor) -> Tensor:
    """The smoothest waves, one a channel, or all there are."""
    height, width = like.shape[-2:]
    order = roughness(like).flatten().argsort(stable=True)[:count]
    down, over = _cosines(height, height, like)[order // width], _cosines(width, width, like)[order % width]
    return down[:, :, None] * over[:, None, :]


def _axis(count: int, like: Tensor) -> Axis:
    half = (count + 1) // 2
    found = _cosines(count, half, like)
    return Axis(found[:half], found[half:, : count // 2])


def _numbers(count: int, like: Tensor) -> Tensor:
    """The numbers of the waves, the even ones first."""
    number = torch.arange(count, device=like.device)
    return torch.cat([number[::2], number[1::2]])


def _cosines(count: int, places: int, like: Tensor) -> Tensor:
    """The first places of one wave a row."""
    number = _numbers(count, like)
    place = torch.arange(places, device=like.device)
    turns = (2 * place + 1) * number[:, None] % (4 * count)  # whole, so that no digit of the angle is lost
    found = (turns.to(like.dtype) * (math.pi / (2 * count))).cos() * math.sqrt(2 / count)
    return torch.where(number[:, None] == 0, math.sqrt(1 / count), found).to(like.dtype)


def _roughness(count: int, like: Tensor) -> Tensor:
    number = _numbers(count, like).to(like.dtype)
    return 4 * (number * (math.pi / (2 * count))).sin().square()


def _mirrored(e: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """The first half added to the mirror image of the second, the middle at its end; and their difference."""
    count = e.shape[axis]
    half = count // 2
    first, last = e.narrow(axis, 0, half), e.narrow(axis, count - half, half).flip(axis)
    both = first + last
    return torch.cat([both, e.narrow(axis, half, 1)], axis) if count % 2 else both, first - last


def _whole(even: Tensor, odd: Tensor, axis: int) -> Tensor:
    """What both parts were made of, from the parts that stay and that turn their sign in a mirror."""
    half = odd.shape[axis]
    first, middle = even.narrow(axis, 0, half), even.narrow(axis, half, even.shape[axis] - half)
    return torch.cat([first + odd, middle, (first - odd).flip(axis)], axis)
