"""Corruptions of images: noise, blur and light, at severities 1 to 5, of any size, on any device.

All of them are in torch but those that are borrowed from a package. The constants are those that
Hendrycks & Dietterich 2019 publish for 32 x 32 images, except where it says otherwise; lengths are pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import ceil

import torch
from torch import Generator, Tensor
from torch.nn import functional

from taxo.language.errors import fail, suggest
from taxo.training import borrowed
from taxo.training.choices import FURTHER_CORRUPTIONS, SEVERITIES, Corrupt
from taxo.training.inputs import Bytes, Inputs, chunks

Corruption = Callable[[Tensor, int, Generator], Tensor]


def corrupt(x: Tensor, name: str, severity: int, generator: Generator) -> Tensor:
    """Images [B, C, H, W] in [0, 1], each corrupted by itself; the generator lives on their device."""
    if name not in CORRUPTIONS:
        fail("T503", f"no corruption `{name}`", help=suggest(name, CORRUPTIONS))
    if severity not in SEVERITIES:
        fail("T503", f"a corruption of severity {severity:g}", help="severities are 1 to 5")
    if x.dim() != 4:
        fail("T503", f"`{name}` takes images, not inputs of shape {list(x.shape)}", help="leave it out")
    return CORRUPTIONS[name](x, int(severity) - 1, generator).clamp(0, 1).to(x.dtype) if len(x) else x


def corrupted(x: Inputs, how: Corrupt, generator: Generator) -> Inputs:
    """All inputs of a split, corrupted once; T503 for those that are read from their files each time."""
    if isinstance(x, Tensor):
        return corrupt(x, how.kind, how.severity, generator)
    if not isinstance(x, Bytes):
        help = "corrupt the files themselves, or let a method do it: `needs corruption(name, severity)`"
        fail("T503", f"`--corrupt {how}` takes images that fit into memory", help=help)
    parts = [corrupt(x[rows], how.kind, how.severity, generator) for rows in chunks(x)]
    return Bytes(torch.cat([(part * 255).round().to(torch.uint8) for part in parts]))


def _gaussian_noise(x: Tensor, grade: int, generator: Generator) -> Tensor:
    return x + (0.04, 0.06, 0.08, 0.09, 0.10)[grade] * _normal(x, generator)


def _shot_noise(x: Tensor, grade: int, generator: Generator) -> Tensor:
    photons = (500, 250, 100, 75, 50)[grade]
    return torch.poisson(x.clamp_min(0) * photons, generator=generator) / photons


def _impulse_noise(x: Tensor, grade: int, generator: Generator) -> Tensor:
    share, chance = (0.01, 0.02, 0.03, 0.05, 0.07)[grade], _uniform(x, x.shape, generator)
    return torch.where(chance < share / 2, 0, torch.where(chance < share, 1, x))


def _gaussian_blur(x: Tensor, grade: int, generator: Generator) -> Tensor:
    del generator
    return filtered(x, gaussian((0.4, 0.6, 0.7, 0.8, 1.0)[grade], x))


def _defocus_blur(x: Tensor, grade: int, generator: Generator) -> Tensor:
    """A disk whose edge is softened."""
    del generator
    radius, soft = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))[grade]
    down, right = _grid(ceil(radius) + 1, x)
    disk = (down.square() + right.square() <= radius**2).to(x.dtype)
    return filtered(x, filtered(disk[None, None] / disk.sum(), gaussian(soft, x, reach=1))[0])


def _motion_blur(x: Tensor, grade: int, generator: Generator) -> Tensor:
    """Each image along a line of its own direction, within 45 degrees of level.

    The line runs both ways from the pixel, so that nothing is shifted; this is chosen here.
    """
    radius, spread = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))[grade]
    angle = (_uniform(x, (len(x), 1, 1), generator) - 0.5) * (torch.pi / 2)
    down, right = _grid(radius, x)
    along, across = right * angle.cos() + down * angle.sin(), down * angle.cos() - right * angle.sin()
    weight = (-along.square() / (2 * spread**2)).exp() * (1 - across.abs()).clamp_min(0)
    weight = weight * (along.abs() <= radius)
    return filtered(x, weight / weight.sum((1, 2), keepdim=True))


def _brightness(x: Tensor, grade: int, generator: Generator) -> Tensor:
    """A higher value at the same hue and saturation."""
    del generator
    value = x.amax(1, keepdim=True)
    brighter = (value + (0.05, 0.1, 0.15, 0.2, 0.3)[grade]).clamp_max(1)
    return torch.where(value > 0, x / torch.where(value > 0, value, 1), 1) * brighter


def _contrast(x: Tensor, grade: int, generator: Generator) -> Tensor:
    del generator
    mean = x.mean((2, 3), keepdim=True)
    return mean + (0.75, 0.5, 0.4, 0.3, 0.15)[grade] * (x - mean)


def _fog(x: Tensor, grade: int, generator: Generator) -> Tensor:
    """Light that is scattered by clouds; that they are sums of smooth noise is chosen here."""
    amount, decay = ((0.2, 3.0), (0.5, 3.0), (0.75, 2.5), (1.0, 2.0), (1.5, 1.75))[grade]
    most = x.amax((1, 2, 3), keepdim=True)
    return (x + amount * clouds(x, decay, generator)) * most / (most + amount)


def clouds(x: Tensor, decay: float, generator: Generator) -> Tensor:
    """Smooth noise in [0, 1], one channel for each image: every octave is finer and weaker by `decay`."""
    size, fog = x.shape[2:], x.new_zeros(len(x), 1, *x.shape[2:])
    for octave in range(1, max(2, max(size).bit_length())):
        coarse = _uniform(x, (len(x), 1, 2**octave, 2**octave), generator)
        fine = functional.interpolate(coarse, size=tuple(size), mode="bilinear", align_corners=True)
        fog = fog + fine / decay**octave
    fog = fog - fog.amin((2, 3), keepdim=True)
    return fog / fog.amax((2, 3), keepdim=True).clamp_min(1e-6)


def filtered(x: Tensor, kernel: Tensor) -> Tensor:
    """Each image by its kernel [B, K, K], or all by one [1, K, K]; the border is repeated beyond itself."""
    reach, count = kernel.shape[-1] // 2, len(x)
    weight = kernel.expand(count, -1, -1)[:, None].to(x.dtype)
    padded = functional.pad(x, (reach, reach, reach, reach), mode="replicate")
    # images as channels, so that one convolution has a kernel for each
    return functional.conv2d(padded.transpose(0, 1), weight, groups=count).transpose(0, 1)


def gaussian(deviation: float, like: Tensor, reach: int | None = None) -> Tensor:
    """The bell of a deviation in pixels, cut off at four of them."""
    down, right = _grid(ceil(4 * deviation) if reach is None else reach, like)
    bell = (-(down.square() + right.square()) / (2 * deviation**2)).exp()
    return (bell / bell.sum())[None]


def _grid(reach: int, like: Tensor) -> tuple[Tensor, Tensor]:
    line = torch.arange(-reach, reach + 1, device=like.device, dtype=like.dtype)
    return line[:, None], line[None, :]


def _borrowed(x: Tensor, grade: int, generator: Generator, *, name: str) -> Tensor:
    return borrowed.corrupted(x, name, grade + 1, generator)


def _normal(x: Tensor, generator: Generator) -> Tensor:
    return torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)


def _uniform(x: Tensor, shape: tuple[int, ...], generator: Generator) -> Tensor:
    return torch.rand(shape, generator=generator, device=x.device, dtype=x.dtype)


CORRUPTIONS: dict[str, Corruption] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "gaussian_blur": _gaussian_blur,
    "defocus_blur": _defocus_blur,
    "motion_blur": _motion_blur,
    "brightness": _brightness,
    "contrast": _contrast,
    "fog": _fog,
} | {name: partial(_borrowed, name=name) for name in FURTHER_CORRUPTIONS}
