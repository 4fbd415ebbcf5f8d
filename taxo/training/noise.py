"""Wrong labels on an exact share of the samples."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Generator, Tensor

from taxo.training.settings import Noise


def _pair(labels: Tensor, classes: int, _: Generator) -> Tensor:
    return (labels + 1) % classes


def _random(labels: Tensor, classes: int, generator: Generator) -> Tensor:
    # a shift of 1 to C - 1 reaches each other class with the same chance, and never the label itself
    return (labels + torch.randint(1, classes, labels.shape, generator=generator)) % classes


KINDS: dict[str, Callable[[Tensor, int, Generator], Tensor]] = {"pair": _pair, "random": _random}


def corrupt(labels: Tensor, noise: Noise | None, classes: int, generator: Generator) -> Tensor:
    """The labels with exactly the noise's share of them wrong; clean and given labels differ at those."""
    if noise is None:
        return labels.clone()
    count = round(noise.share * len(labels))
    rows = torch.randperm(len(labels), generator=generator)[:count]
    noisy = labels.clone()
    noisy[rows] = KINDS[noise.kind](labels[rows], classes, generator)
    return noisy
