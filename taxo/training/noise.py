"""Wrong labels, gross errors of targets and stray points, on an exact share of the samples."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import torch
from torch import Generator, Tensor

from taxo.training.choices import Noise
from taxo.training.inputs import Inputs, chunks

Wrong = Callable[[Tensor, Tensor, Generator], Tensor]
GROSS = (5.0, 10.0)  # how far off, in deviations of the training targets
STRAY = (2.0, 4.0)  # likewise, of the training points


def _pair(labels: Tensor, nearest: Tensor, _: Generator) -> Tensor:
    return (labels + 1) % len(nearest)


def _random(labels: Tensor, nearest: Tensor, generator: Generator) -> Tensor:
    # a shift of 1 to C - 1 reaches each other class with the same chance, and never the label itself
    return (labels + torch.randint(1, len(nearest), labels.shape, generator=generator)) % len(nearest)


def _asymmetric(labels: Tensor, nearest: Tensor, _: Generator) -> Tensor:
    return nearest[labels]


BY_INPUTS = ("asymmetric",)
KINDS: dict[str, Wrong] = {"pair": _pair, "random": _random, "asymmetric": _asymmetric}


def corrupt(labels: Tensor, noise: Noise | None, nearest: Tensor, generator: Generator) -> Tensor:
    """The labels with exactly the noise's share of them wrong; clean and given labels differ at those."""
    if noise is None:
        return labels.clone()
    rows, noisy = _rows(labels, noise, generator), labels.clone()
    noisy[rows] = KINDS[noise.kind](labels[rows], nearest, generator)
    return noisy


def nearest_classes(x: Inputs, labels: Tensor, classes: int) -> Tensor:
    """For each class the one that its mean input lies closest to: what it is most easily taken for."""
    sums = torch.zeros(classes, prod(x.shape[1:]), dtype=torch.float64)
    for part in chunks(x):
        sums.index_add_(0, labels[part], x[part].flatten(1).double())
    means = sums / torch.bincount(labels, minlength=classes).clamp_min(1)[:, None]
    return torch.cdist(means, means).fill_diagonal_(torch.inf).argmin(1)


def strayed(values: Tensor, noise: Noise | None, far: tuple[float, float], generator: Generator) -> Tensor:
    """The rows with exactly the noise's share of them moved far off, in directions of their own.

    Distances are in deviations of the values, all columns taken together.
    """
    if noise is None:
        return values.clone()
    rows, moved = _rows(values, noise, generator), values.clone()
    way = torch.randn(len(rows), values.shape[1], generator=generator)
    length = torch.empty(len(rows), 1).uniform_(*far, generator=generator) * values.std()
    moved[rows] += way / way.norm(dim=1, keepdim=True) * length
    return moved


def _rows(values: Tensor, noise: Noise, generator: Generator) -> Tensor:
    return torch.randperm(len(values), generator=generator)[: round(noise.share * len(values))]
