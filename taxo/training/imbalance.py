"""Long tails: training samples left out until the classes' sizes fall as asked."""

from __future__ import annotations

from math import floor

import torch
from torch import Generator, Tensor

from taxo.training.settings import Imbalance
from taxo.training.tensors import numbers


def profile(counts: list[int], imbalance: Imbalance) -> list[int]:
    """How many samples each class keeps: as many as can be, with exactly these shares of the first class."""
    last, half = len(counts) - 1, len(counts) / 2
    if imbalance.kind == "exp":
        shares = [imbalance.ratio ** (-label / last) for label in range(len(counts))]
    else:
        shares = [1.0 if label < half else 1 / imbalance.ratio for label in range(len(counts))]
    # a class that is small from the start sets the height of the others
    height = min(count / share for count, share in zip(counts, shares, strict=True))
    # the small number keeps a product from falling below the whole number it stands for
    return [max(1, floor(height * share + 1e-9)) for share in shares]


def kept(labels: Tensor, classes: int, imbalance: Imbalance, generator: Generator) -> Tensor:
    """Which samples stay."""
    counts = [int(count) for count in numbers(torch.bincount(labels, minlength=classes))]
    mask = torch.zeros(len(labels), dtype=torch.bool)
    for label, count in enumerate(profile(counts, imbalance)):
        rows = (labels == label).nonzero()[:, 0]
        mask[rows[torch.randperm(len(rows), generator=generator)[:count]]] = True
    return mask
