"""The cosines of a rectangle: waves that a smooth field is made of, with nothing beyond the border.

They are the eigenvectors of the sum of squared differences between neighbours, for any height and width.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from taxo.ops.forms import product


def waves(e: Tensor) -> Tensor:
    """How much of each wave there is: the orthonormal cosine transform of the last two axes."""
    height, width = e.shape[-2:]
    return product(product(_cosines(height, e), e), _cosines(width, e).T)


def from_waves(e: Tensor) -> Tensor:
    """The values whose waves are given."""
    height, width = e.shape[-2:]
    return product(product(_cosines(height, e).T, e), _cosines(width, e))


def roughness(like: Tensor) -> Tensor:
    """The sum of squared differences between neighbours that each wave of length one has."""
    height, width = like.shape[-2:]
    return _roughness(height, like)[:, None] + _roughness(width, like)


def _cosines(count: int, like: Tensor) -> Tensor:
    """One wave a row."""
    number = torch.arange(count, device=like.device)
    turns = (2 * number + 1) * number[:, None] % (4 * count)  # whole, so that no digit of the angle is lost
    found = (turns.to(like.dtype) * (math.pi / (2 * count))).cos() * math.sqrt(2 / count)
    return torch.where(number[:, None] == 0, math.sqrt(1 / count), found).to(like.dtype)


def _roughness(count: int, like: Tensor) -> Tensor:
    number = torch.arange(count, device=like.device, dtype=like.dtype)
    return 4 * (number * (math.pi / (2 * count))).sin().square()


def smoothest(count: int, like: Tensor) -> Tensor:
    """The smoothest waves, one a channel, or all there are."""
    height, width = like.shape[-2:]
    order = roughness(like).flatten().argsort(stable=True)[:count]
    down, over = _cosines(height, like)[order // width], _cosines(width, like)[order % width]
    return down[:, :, None] * over[:, None, :]
