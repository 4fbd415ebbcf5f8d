"""Augmentations of a batch of images, on their device, with all that is drawn drawn on the host.

So nothing waits for the device, and the same images are shown whatever the device.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from taxo.training import retouching
from taxo.training.policies import SVHN, Policy, policy_for
from taxo.training.retouching import Retouch
from taxo.training.tensors import sent

ROOM = 8  # images are cropped from a frame of this part of their size
TWICE, BINS, LEVEL = 2, 30, 9  # RandAugment: how many changes, and how strong of how many grades
CHAINS, DEPTH, SEVERITY = 3, 3, 3.0  # AugMix
TENTHS = 10


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an image, its strength at the lowest grade and the highest, and whether it has a sign."""

    make: Retouch
    first: float
    last: float
    signed: bool = False


RANGES: dict[str, Change] = {
    "identity": Change(retouching.identity, 0, 0),
    "shear_x": Change(retouching.shear_x, 0, 0.3, signed=True),
    "shear_y": Change(retouching.shear_y, 0, 0.3, signed=True),
    "translate_x": Change(retouching.translate_x, 0, 150 / 331, signed=True),
    "translate_y": Change(retouching.translate_y, 0, 150 / 331, signed=True),
    "rotate": Change(retouching.rotate, 0, 30, signed=True),
    "brightness": Change(retouching.brightness, 0, 0.9, signed=True),
    "color": Change(retouching.color, 0, 0.9, signed=True),
    "contrast": Change(retouching.contrast, 0, 0.9, signed=True),
    "sharpness": Change(retouching.sharpness, 0, 0.9, signed=True),
    "posterize": Change(retouching.posterize, 8, 4),
    "solarize": Change(retouching.solarize, 1, 0),
    "autocontrast": Change(retouching.autocontrast, 0, 0),
    "equalize": Change(retouching.equalize, 0, 0),
    "invert": Change(retouching.invert, 0, 0),
}
DRAWN = tuple(name for name in RANGES if name != "invert")
# Those that no corruption of the test is made of: what they are at grade 0, and would be at grade 10.
MIXED: dict[str, tuple[float, float]] = {
    "autocontrast": (0, 0),
    "equalize": (0, 0),
    "posterize": (4, 0),
    "rotate": (0, 30),
    "solarize": (1, 0),
    "shear_x": (0, 0.3),
    "shear_y": (0, 0.3),
    "translate_x": (0, 1 / 3),
    "translate_y": (0, 1 / 3),
}


def augmented(x: Tensor, kind: str, dice: Generator, data: str = "") -> Tensor:
    """Images of a data set as they are shown once; the generator lives on the host."""
    if kind == "none":
        return x
    policy = policy_for(data, min(x.shape[2:]))
    if kind == "autoaugment" and policy is SVHN:
        return autoaugment(x, dice, policy)  # learned for numbers as they are: a mirrored one is none
    shown = flip_crop(x, dice)
    match kind:
        case "randaugment":
            return randaugment(shown, dice)
        case "autoaugment":
            return autoaugment(shown, dice, policy)
        case "augmix":
            return chains(shown, dice)
        case _:
            return shown


def flip_crop(x: Tensor, dice: Generator) -> Tensor:
    """Each image out of a black frame around it, mirrored with a chance of one half."""
    count, (height, width) = len(x), x.shape[2:]
    frame = [max(1, size // ROOM) for size in (height, width)]
    down, right = (torch.randint(0, 2 * room + 1, (count, 1), generator=dice) for room in frame)
    mirrored = torch.rand(count, 1, generator=dice) < 0.5
    columns = torch.arange(width).expand(count, -1)
    columns = right + torch.where(mirrored, width - 1 - columns, columns)
    rows = down + torch.arange(height)
    padded = functional.pad(x, (frame[1], frame[1], frame[0], frame[0]))
    image, rows, columns = (sent(part, x.device) for part in (torch.arange(count), rows, columns))
    return padded[image[:, None, None], :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def randaugment(x: Tensor, dice: Generator) -> Tensor:
    """Two changes of a middle grade, each drawn for each image (Cubuk et al. 2020)."""
    for _ in range(TWICE):
        drawn = torch.randint(len(DRAWN), (len(x),), generator=dice)
        grade = torch.full((len(x),), LEVEL / BINS)
        x = _changed(x, drawn, DRAWN, _strengths(DRAWN, drawn, grade, dice))
    return x


def autoaugment(x: Tensor, dice: Generator, policy: Policy) -> Tensor:
    """The pairs of changes that were learned for a data set (Cubuk et al. 2019).

    Each image draws a pair, and each of its changes happens with its own chance.
    """
    names, pair = tuple(RANGES), torch.randint(len(policy), (len(x),), generator=dice)
    for turn in (0, 1):
        kinds = torch.tensor([names.index(row[turn].name) for row in policy])[pair]
        chance = torch.tensor([row[turn].chance for row in policy])[pair]
        grade = torch.tensor([row[turn].grade / 9 for row in policy])[pair]
        happens = torch.rand(len(x), generator=dice) < chance
        drawn = torch.where(happens, kinds, names.index("identity"))
        x = _changed(x, drawn, names, _strengths(names, drawn, grade, dice))
    return x


def chains(x: Tensor, dice: Generator) -> Tensor:
    """A mixture of the image and of three chains of one to three changes (Hendrycks et al. 2020)."""
    names, count = tuple(MIXED), len(x)
    weights = -torch.rand(count, CHAINS, generator=dice).clamp_min(1e-12).log()
    weights = sent(weights / weights.sum(1, keepdim=True), x)  # uniform on the simplex
    mixed = torch.zeros_like(x)
    for chain in range(CHAINS):
        shown, depth = x, torch.randint(1, DEPTH + 1, (count,), generator=dice)
        for link in range(DEPTH):
            drawn = torch.randint(len(names), (count,), generator=dice)
            strength = _mixed_strengths(names, drawn, dice)
            drawn = torch.where(link < depth, drawn, -1)
            shown = _changed(shown, drawn, names, strength)
        mixed = mixed + weights[:, chain, None, None, None] * shown
    share = sent(torch.rand(count, 1, 1, 1, generator=dice), x)
    return (share * x + (1 - share) * mixed).clamp(0, 1)


def _strengths(names: tuple[str, ...], drawn: Tensor, grade: Tensor, dice: Generator) -> Tensor:
    sign = torch.randint(0, 2, (len(drawn),), generator=dice) * 2 - 1
    rows = [RANGES[name] for name in names]
    first = torch.tensor([float(row.first) for row in rows])[drawn]
    last = torch.tensor([float(row.last) for row in rows])[drawn]
    signed = torch.tensor([row.signed for row in rows])[drawn]
    strength = first + grade * (last - first)
    # bits are whole
    strength = torch.where(first > 1, strength.round(), strength)
    return torch.where(signed, sign * strength, strength)


def _mixed_strengths(names: tuple[str, ...], drawn: Tensor, dice: Generator) -> Tensor:
    level = 0.1 + (SEVERITY - 0.1) * torch.rand(len(drawn), generator=dice)
    sign = torch.randint(0, 2, (len(drawn),), generator=dice) * 2 - 1
    first, last = (torch.tensor([float(MIXED[name][place]) for name in names])[drawn] for place in (0, 1))
    strength = first + level / TENTHS * (last - first)
    strength = torch.where(first > 1, strength.ceil(), strength)
    signed = torch.tensor([RANGES[name].signed for name in names])[drawn]
    return torch.where(signed, sign * strength, strength)


def _changed(x: Tensor, drawn: Tensor, names: tuple[str, ...], strength: Tensor) -> Tensor:
    """Each image by the change that it drew; those that drew none stay."""
    changed = x
    for number, name in enumerate(names):
        rows = (drawn == number).nonzero()[:, 0]
        if len(rows) and name != "identity":
            there, own = sent(rows, x.device), sent(strength[rows], x)
            changed = changed.index_copy(0, there, RANGES[name].make(x[there], own).to(x.dtype))
    return changed
