"""Random augmentations of a batch of images, each image by itself, where the images are.

Flipped and cropped as is usual for small photographs; RandAugment (Cubuk et al. 2020), AutoAugment with the
policy found for CIFAR-10 (Cubuk et al. 2019), and AugMix (Hendrycks et al. 2020) come on top of that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from taxo.training import transforms
from taxo.training.transforms import Transform

Augment = Callable[[Tensor, Generator], Tensor]
ROOM = 8  # a crop moves by up to this part of the size
TOP = 10  # magnitudes are out of this many


@dataclass(frozen=True, slots=True)
class Kind:
    """A transform, its amounts at magnitude 0 and at the largest one, and whether it goes either way."""

    transform: Transform
    least: float = 0.0
    most: float = 0.0
    signed: bool = False

    def amount(self, share: Tensor) -> Tensor:
        """The amounts at shares of the largest magnitude."""
        return self.least + share * (self.most - self.least)


FAR = 150 / 331  # of the size that the policies were found for
KINDS: dict[str, Kind] = {
    "identity": Kind(transforms.identity),
    "autocontrast": Kind(transforms.autocontrast),
    "equalize": Kind(transforms.equalize),
    "rotate": Kind(transforms.rotate, 0, 30, signed=True),
    "solarize": Kind(transforms.solarize, 1, 0),
    "color": Kind(transforms.color, 0, 0.9, signed=True),
    "posterize": Kind(transforms.posterize, 8, 4),
    "contrast": Kind(transforms.contrast, 0, 0.9, signed=True),
    "brightness": Kind(transforms.brightness, 0, 0.9, signed=True),
    "sharpness": Kind(transforms.sharpness, 0, 0.9, signed=True),
    "shear_x": Kind(transforms.shear_x, 0, 0.3, signed=True),
    "shear_y": Kind(transforms.shear_y, 0, 0.3, signed=True),
    "translate_x": Kind(transforms.translate_x, 0, FAR, signed=True),
    "translate_y": Kind(transforms.translate_y, 0, FAR, signed=True),
}
INVERT = {"invert": Kind(transforms.invert)}
# AugMix leaves out what the corruptions that it is tried on do, and has its own ranges.
CHAINED: dict[str, Kind] = {
    **{
        name: KINDS[name] for name in ("autocontrast", "equalize", "rotate", "shear_x", "shear_y", "solarize")
    },
    "posterize": Kind(lambda x, bits: transforms.posterize(x, bits.ceil()), 4, 0),
    "translate_x": Kind(transforms.translate_x, 0, 1 / 3, signed=True),
    "translate_y": Kind(transforms.translate_y, 0, 1 / 3, signed=True),
}
POLICY = """
invert 1 0, contrast 2 6; rotate 7 2, translate_x 3 9; sharpness 8 1, sharpness 9 3
shear_y 5 8, translate_y 7 9; autocontrast 5 0, equalize 9 0; shear_y 2 7, posterize 3 7
color 4 3, brightness 6 7; sharpness 3 9, brightness 7 9; equalize 6 0, equalize 5 0
contrast 6 7, sharpness 6 5; color 7 7, translate_x 5 8; equalize 3 0, autocontrast 4 0
translate_y 4 3, sharpness 2 6; brightness 9 6, color 2 8; solarize 5 2, invert 0 0
equalize 2 0, autocontrast 6 0; equalize 2 0, equalize 6 0; color 9 9, equalize 6 0
autocontrast 8 0, solarize 2 8; brightness 1 3, color 7 0; solarize 4 5, autocontrast 9 0
translate_y 9 9, translate_y 7 9; autocontrast 9 0, solarize 8 3; equalize 8 0, invert 1 0
translate_y 7 9, autocontrast 9 0
"""  # pairs of a transform, ten times its chance, and its magnitude out of nine


def unchanged(x: Tensor, generator: Generator) -> Tensor:
    """The images themselves."""
    del generator
    return x


def flip_crop(x: Tensor, generator: Generator) -> Tensor:
    """Half of the images mirrored, and all moved by up to an eighth of their size; black comes in."""
    count, _, height, width = x.shape
    x = torch.where((_random(x, generator) < 0.5)[:, None, None, None], x.flip(3), x)
    down, right = max(1, height // ROOM), max(1, width // ROOM)
    padded = functional.pad(x, (right, right, down, down)).permute(0, 2, 3, 1)
    rows = _whole(x, 2 * down + 1, generator)[:, None] + torch.arange(height, device=x.device)
    columns = _whole(x, 2 * right + 1, generator)[:, None] + torch.arange(width, device=x.device)
    image = torch.arange(count, device=x.device)[:, None, None]
    return padded[image, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def randaugment(x: Tensor, generator: Generator, count: int = 2, magnitude: float = 0.3) -> Tensor:
    """Some transforms one after the other, drawn for each image from all there are, at one magnitude."""
    x = flip_crop(x, generator)
    share = x.new_full((len(x),), magnitude)
    for _ in range(count):
        x = _drawn(x, KINDS, share, generator)
    return x


def autoaugment(x: Tensor, generator: Generator) -> Tensor:
    """A pair of transforms that was found for CIFAR-10, drawn for each image, each done by its chance."""
    x = flip_crop(x, generator)
    names = [*KINDS, *INVERT]
    kinds, pairs = KINDS | INVERT, policy()
    chosen = _whole(x, len(pairs), generator)
    for turn in range(2):
        table = [[names.index(pair[turn][0]), *pair[turn][1:]] for pair in pairs]
        which, chance, magnitude = torch.tensor(table, device=x.device)[chosen].unbind(1)
        done = _random(x, generator) < chance
        which = torch.where(done, which, names.index("identity")).long()
        x = _transformed(x, which, kinds, magnitude, generator)
    return x


def policy() -> list[list[tuple[str, float, float]]]:
    """The policy of CIFAR-10: pairs of a transform, its chance, and its share of the largest magnitude."""
    pairs = [pair.split(",") for pair in POLICY.strip().replace("\n", ";").split(";")]
    words = [[one.split() for one in pair] for pair in pairs]
    return [
        [(name, int(chance) / 10, int(magnitude) / 9) for name, chance, magnitude in pair] for pair in words
    ]


def augmix(x: Tensor, generator: Generator) -> Tensor:
    """Flipped and cropped, then mixed with chains of transforms of itself."""
    return chains(flip_crop(x, generator), generator)


def chains(x: Tensor, generator: Generator, width: int = 3, depth: int = 3, severity: float = 3) -> Tensor:
    """Images mixed with a mixture of chains, each of one to so many mild transforms of the image."""
    every = x.repeat(width, 1, 1, 1)  # the chains of all images, side by side
    length = 1 + _whole(every, depth, generator)
    for place in range(depth):
        share = (0.1 + (severity - 0.1) * _random(every, generator)) / TOP
        longer = _drawn(every, CHAINED, share, generator)
        every = torch.where((place < length)[:, None, None, None], longer, every)
    weight = -_random(x, generator, width).log()
    mixed = torch.einsum("kb,kbchw->bchw", weight / weight.sum(0), every.view(width, *x.shape))
    own = _random(x, generator)[:, None, None, None]
    return own * x + (1 - own) * mixed


def _drawn(x: Tensor, kinds: dict[str, Kind], share: Tensor, generator: Generator) -> Tensor:
    """A transform for each image out of some, at shares of the largest magnitude."""
    return _transformed(x, _whole(x, len(kinds), generator), kinds, share, generator)


def _transformed(
    x: Tensor, which: Tensor, kinds: dict[str, Kind], share: Tensor, generator: Generator
) -> Tensor:
    """Each image by the transform that it got; all are computed, so that nothing waits for a device."""
    sign = torch.where(_random(x, generator) < 0.5, -1, 1)
    found = x
    for number, kind in enumerate(kinds.values()):
        amount = kind.amount(share)
        moved = kind.transform(x, sign * amount if kind.signed else amount)
        found = torch.where((which == number)[:, None, None, None], moved, found)
    return found


def _random(x: Tensor, generator: Generator, *more: int) -> Tensor:
    return torch.rand(*more, len(x), generator=generator, device=x.device, dtype=x.dtype)


def _whole(x: Tensor, below: int, generator: Generator) -> Tensor:
    return torch.randint(below, (len(x),), generator=generator, device=x.device)


AUGMENTS: dict[str, Augment] = {
    "none": unchanged,
    "flip_crop": flip_crop,
    "randaugment": randaugment,
    "autoaugment": autoaugment,
    "augmix": augmix,
}
