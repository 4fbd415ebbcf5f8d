"""The small models and batches that laws are tried on."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

CLASSES = 5
SAMPLES = 40
COUNTS = (16, 10, 8, 4, 2)
SIDE = 6
WORDS = 30
LENGTH = 7

Inputs = Any  # a tensor, or several where a method asks for views
Sampled = tuple[Inputs, Tensor, Tensor]
Batch = Sampled | tuple[Inputs, Tensor, Tensor, Callable[[Tensor], Inputs]]


@contextmanager
def seeded(seed: int) -> Generator[None]:
    """torch's own random numbers from a seed, and as they were afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def conv(outputs: int = CLASSES, seed: int = 0) -> nn.Module:
    """A convolutional net with batch norm, its parts named as those of a residual net."""
    with seeded(seed):
        layers = [
            nn.Sequential(nn.Conv2d(1, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3), nn.ReLU()),
            nn.Sequential(nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.Tanh()),
            nn.Sequential(nn.Conv2d(4, 4, 1), nn.Tanh()),
            nn.Sequential(nn.Conv2d(4, 4, 1), nn.Tanh(), nn.Flatten()),
        ]
        return _named(layers, nn.Linear(16, outputs))


def mlp(outputs: int = CLASSES, seed: int = 0) -> nn.Module:
    """A net without batch norm, for the same images."""
    with seeded(seed):
        first = nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 7), nn.Tanh())
        others = [nn.Sequential(nn.Linear(7, 7), nn.Tanh()) for _ in range(3)]
        return _named([first, *others], nn.Linear(7, outputs))


def reader(outputs: int = CLASSES, seed: int = 0) -> nn.Module:
    """A net that reads words: the mean of their vectors, and a layer."""
    with seeded(seed):
        first = nn.Sequential(nn.Embedding(WORDS, 6), _Mean(), nn.Linear(6, 7), nn.Tanh())
        return _named([first], nn.Linear(7, outputs))


class _Mean(nn.Module):
    def forward(self, words: Tensor) -> Tensor:
        """The mean over the words of a text."""
        return words.mean(1)


def _named(layers: list[nn.Sequential], head: nn.Module) -> nn.Module:
    parts = {f"layer{number}": layer for number, layer in enumerate(layers, 1)}
    return nn.Sequential(OrderedDict[str, nn.Module]({**parts, "fc": head}))


def images(rows: int, generator: torch.Generator) -> Tensor:
    """Images in [0, 1] of one channel."""
    return torch.rand(rows, 1, SIDE, SIDE, generator=generator)


def texts(rows: int, generator: torch.Generator) -> Tensor:
    """Numbers of words."""
    return torch.randint(WORDS, (rows, LENGTH), generator=generator)


def viewed(x: Tensor, views: int) -> Inputs:
    """One input, or several views of it, each moved on by a place."""
    return x if views == 1 else tuple(x.roll(number, -1) for number in range(views))


def augmented(x: Tensor, views: int) -> Inputs:
    """A batch as it is augmented: mirrored, and in several views where those are wanted."""
    return viewed(x.flip(-1), views)


def pieces(batch: Batch, parts: int) -> list[Batch]:
    """A batch cut into equal parts."""
    x, y, index, *augment = batch
    if isinstance(x, Tensor):
        inputs = list(x.chunk(parts))
    else:
        inputs = list(zip(*(view.chunk(parts) for view in x), strict=True))
    parted = list(zip(inputs, y.chunk(parts), index.chunk(parts), strict=True))
    return [(*piece, augment[0]) for piece in parted] if augment else [*parted]


@dataclass(frozen=True, slots=True)
class Toy:
    """A small model, made from a number of outputs and a seed, and the inputs that it takes."""

    name: str
    net: Callable[[int, int], nn.Module]
    inputs: Callable[[int, torch.Generator], Tensor]

    def batch(self, rows: int, number: int, classes: int = CLASSES) -> Sampled:
        """Inputs, labels, and places in a data set of `SAMPLES`; another one for every number."""
        dice = torch.Generator().manual_seed(number)
        x = self.inputs(rows, dice)
        y = torch.randint(classes, (rows,), generator=dice)
        return x, y, torch.randperm(SAMPLES, generator=dice)[:rows]


CONV, MLP, READER = Toy("conv", conv, images), Toy("mlp", mlp, images), Toy("reader", reader, texts)
