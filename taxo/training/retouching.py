"""What augmentations are made of: changes of images [B, C, H, W] in [0, 1], each by its own strength [B].

They do what the image library of Python does to bytes, on any device; turns and shifts are interpolated.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from taxo.training.tensors import sent

Retouch = Callable[[Tensor, Tensor], Tensor]
GREY = (0.299, 0.587, 0.114)


def shear_x(x: Tensor, strength: Tensor) -> Tensor:
    """Rows move sideways, by `strength` pixels more for each row from the top."""
    slope = strength * (x.shape[2] / x.shape[3])
    return _moved(x, [1, slope, slope], [0, 1, 0])


def shear_y(x: Tensor, strength: Tensor) -> Tensor:
    """Columns move up, by `strength` pixels more for each column from the left."""
    slope = strength * (x.shape[3] / x.shape[2])
    return _moved(x, [1, 0, 0], [slope, 1, slope])


def translate_x(x: Tensor, strength: Tensor) -> Tensor:
    """The image moves left by this share of its width."""
    return _moved(x, [1, 0, 2 * strength], [0, 1, 0])


def translate_y(x: Tensor, strength: Tensor) -> Tensor:
    """The image moves up by this share of its height."""
    return _moved(x, [1, 0, 0], [0, 1, 2 * strength])


def rotate(x: Tensor, strength: Tensor) -> Tensor:
    """The image turns by so many degrees around its middle."""
    angle, wide = torch.deg2rad(strength), x.shape[3] / x.shape[2]
    return _moved(x, [angle.cos(), -angle.sin() / wide, 0], [angle.sin() * wide, angle.cos(), 0])


def brightness(x: Tensor, strength: Tensor) -> Tensor:
    """Away from black."""
    return _blended(torch.zeros_like(x), x, strength)


def color(x: Tensor, strength: Tensor) -> Tensor:
    """Away from grey."""
    return _blended(_grey(x).expand_as(x), x, strength)


def contrast(x: Tensor, strength: Tensor) -> Tensor:
    """Away from the image's mean grey."""
    return _blended(_grey(x).mean((1, 2, 3), keepdim=True).expand_as(x), x, strength)


def sharpness(x: Tensor, strength: Tensor) -> Tensor:
    """Away from what is smoothed; the border stays."""
    if min(x.shape[2:]) < 3:
        return x
    kernel = x.new_ones(3, 3)
    kernel[1, 1] = 5
    weight = (kernel / kernel.sum()).expand(x.shape[1], 1, 3, 3)
    smooth = x.clone()
    smooth[:, :, 1:-1, 1:-1] = functional.conv2d(x, weight, groups=x.shape[1])
    return _blended(smooth, x, strength)


def posterize(x: Tensor, strength: Tensor) -> Tensor:
    """Only the first bits of a byte are kept, as many as `strength` says."""
    step = 2.0 ** (8 - _wide(strength))
    return ((x * 255).round() / step).floor() * step / 255


def solarize(x: Tensor, strength: Tensor) -> Tensor:
    """What is at least as light as `strength` is inverted."""
    return torch.where(x >= _wide(strength), 1 - x, x)


def autocontrast(x: Tensor, _: Tensor) -> Tensor:
    """Each channel from black to white; one that never varies stays."""
    low, high = x.amin((2, 3), keepdim=True), x.amax((2, 3), keepdim=True)
    span = torch.where(high > low, high - low, 1)
    return torch.where(high > low, (x - low) / span, x)


def equalize(x: Tensor, _: Tensor) -> Tensor:
    """Each channel with about as many pixels of every shade."""
    shades = (x.flatten(2) * 255).round().clamp(0, 255).long()  # a perturbed image may leave its box
    counts = torch.zeros(*shades.shape[:2], 256, dtype=torch.long, device=x.device)
    counts.scatter_add_(2, shades, torch.ones_like(shades))
    last = shades.amax(2, keepdim=True)
    step = (shades.shape[2] - counts.gather(2, last)) // 255
    below = counts.cumsum(2) - counts
    table = ((below + step // 2) // step.clamp_min(1)).clamp_max(255)
    even = table.gather(2, shades).to(x.dtype) / 255
    return torch.where(step > 0, even, x.flatten(2)).reshape(x.shape)


def invert(x: Tensor, _: Tensor) -> Tensor:
    """The negative."""
    return 1 - x


def identity(x: Tensor, _: Tensor) -> Tensor:
    """The image itself."""
    return x


def _wide(strength: Tensor) -> Tensor:
    return strength[:, None, None, None]


def _grey(x: Tensor) -> Tensor:
    if x.shape[1] != 3:
        return x.mean(1, keepdim=True)
    shares = sent(torch.tensor(GREY, dtype=x.dtype), x)
    return (x * shares[:, None, None]).sum(1, keepdim=True)


def _blended(plain: Tensor, x: Tensor, strength: Tensor) -> Tensor:
    """The image at 0, what is plain at -1, and beyond the image above."""
    return (plain + (x - plain) * (1 + _wide(strength))).clamp(0, 1)


def _moved(x: Tensor, across: list[Tensor | float], down: list[Tensor | float]) -> Tensor:
    """Each pixel from where a matrix says; it is black beyond the border."""
    rows = [
        torch.stack([entry if isinstance(entry, Tensor) else x.new_full((len(x),), entry) for entry in row])
        for row in (across, down)
    ]
    theta = torch.stack(rows).permute(2, 0, 1)
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
