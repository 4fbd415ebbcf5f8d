"""Transforms of images in torch, each image by its own amount: of any size, on any device, in [0, 1].

They do to a batch what the usual library for pictures does to one of 8 bits.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

Transform = Callable[[Tensor, Tensor], Tensor]  # images [B, C, H, W] and an amount for each [B]
LEVELS = 256
LIGHT = (0.299, 0.587, 0.114)  # how bright red, green and blue are


def identity(x: Tensor, amount: Tensor) -> Tensor:
    """Nothing."""
    del amount
    return x


def rotate(x: Tensor, degrees: Tensor) -> Tensor:
    """Turned about the centre; what comes from outside is black, as in all that moves pixels."""
    height, width = x.shape[2:]
    angle = degrees * (torch.pi / 180)
    zero, cos, sin = torch.zeros_like(angle), angle.cos(), angle.sin()
    return _mapped(x, [cos, -sin * (height / width), zero], [sin * (width / height), cos, zero])


def shear_x(x: Tensor, slope: Tensor) -> Tensor:
    """Each row shifted by so much per row above it."""
    push = slope * (x.shape[2] / x.shape[3])
    return _mapped(x, [torch.ones_like(push), push, push], _rest(push, 1))


def shear_y(x: Tensor, slope: Tensor) -> Tensor:
    """Each column shifted by so much per column left of it."""
    push = slope * (x.shape[3] / x.shape[2])
    return _mapped(x, _rest(push, 0), [push, torch.ones_like(push), push])


def translate_x(x: Tensor, share: Tensor) -> Tensor:
    """Shifted along the rows by a share of the width."""
    return _mapped(x, [torch.ones_like(share), torch.zeros_like(share), 2 * share], _rest(share, 1))


def translate_y(x: Tensor, share: Tensor) -> Tensor:
    """Shifted along the columns by a share of the height."""
    return _mapped(x, _rest(share, 0), [torch.zeros_like(share), torch.ones_like(share), 2 * share])


def _rest(like: Tensor, axis: int) -> list[Tensor]:
    """The row of a matrix that leaves an axis as it is."""
    return [torch.ones_like(like) if place == axis else torch.zeros_like(like) for place in range(3)]


def _mapped(x: Tensor, across: list[Tensor], down: list[Tensor]) -> Tensor:
    """Each image read at places that are an affine map of its own, between pixels linearly."""
    if not len(x):
        return x
    matrix = torch.stack([torch.stack(across, 1), torch.stack(down, 1)], 1).to(x.dtype)
    grid = functional.affine_grid(matrix, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, align_corners=False)


def autocontrast(x: Tensor, amount: Tensor) -> Tensor:
    """Each channel from black to white."""
    del amount
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    apart = high > low
    return torch.where(apart, (x - low) / torch.where(apart, high - low, 1), x)


def equalize(x: Tensor, amount: Tensor) -> Tensor:
    """Each channel's levels spread so that all are about as frequent."""
    del amount
    level = _levels(x).flatten(2)
    count = torch.zeros(*x.shape[:2], LEVELS, dtype=torch.long, device=x.device)
    count.scatter_add_(2, level, torch.ones_like(level))
    brightest = count.gather(2, level.amax(2, keepdim=True))
    step = (level.shape[2] - brightest) // (LEVELS - 1)
    below = count.cumsum(2) - count + step // 2
    table = (below // step.clamp_min(1)).clamp(0, LEVELS - 1)
    found = table.gather(2, level).view(x.shape).to(x.dtype) / (LEVELS - 1)
    return torch.where(step[..., None] > 0, found, x)


def posterize(x: Tensor, bits: Tensor) -> Tensor:
    """Only so many bits of each level."""
    lost = (8 - bits.round().long())[:, None, None, None]
    return ((_levels(x) >> lost) << lost).to(x.dtype) / (LEVELS - 1)


def _levels(x: Tensor) -> Tensor:
    return (x * (LEVELS - 1)).round().long()


def solarize(x: Tensor, threshold: Tensor) -> Tensor:
    """What is as bright as a threshold inverted."""
    return torch.where(x < _each(threshold, x), x, 1 - x)


def invert(x: Tensor, amount: Tensor) -> Tensor:
    """All inverted."""
    del amount
    return 1 - x


def brightness(x: Tensor, more: Tensor) -> Tensor:
    """Away from black; like the next three towards it where the amount is negative."""
    return _blended(torch.zeros_like(x), x, more)


def contrast(x: Tensor, more: Tensor) -> Tensor:
    """Away from the image's mean."""
    return _blended(_grey(x).mean((2, 3), keepdim=True).expand_as(x), x, more)


def color(x: Tensor, more: Tensor) -> Tensor:
    """Away from the image in grey."""
    return _blended(_grey(x).expand_as(x), x, more)


def sharpness(x: Tensor, more: Tensor) -> Tensor:
    """Away from the image blurred, but for its border."""
    if min(x.shape[2:]) < 3:
        return x
    kernel = x.new_ones(3, 3)
    kernel[1, 1] = 5
    weight = (kernel / kernel.sum()).expand(x.shape[1], 1, 3, 3)
    blurred = x.clone()
    blurred[:, :, 1:-1, 1:-1] = functional.conv2d(x, weight, groups=x.shape[1])
    return _blended(blurred, x, more)


def _grey(x: Tensor) -> Tensor:
    if x.shape[1] != len(LIGHT):
        return x.mean(1, keepdim=True)
    return (x * x.new_tensor(LIGHT)[:, None, None]).sum(1, keepdim=True)


def _blended(without: Tensor, x: Tensor, more: Tensor) -> Tensor:
    return (without + (1 + _each(more, x)) * (x - without)).clamp(0, 1)


def _each(amount: Tensor, x: Tensor) -> Tensor:
    return amount.to(x.dtype)[:, None, None, None]
