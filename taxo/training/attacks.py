"""Attacks on a trained model, whatever it was trained by: one step, and many steps from several starts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Generator, Tensor
from torch.nn import functional

from taxo.ops.sets import Box, Linf, Region
from taxo.ops.solvers import first_guess, leaf, linearized, pgd, slope
from taxo.training.tensors import pieces

Predict = Callable[[Tensor], Tensor]
ATTACK_BATCH = 512


@dataclass(frozen=True, slots=True)
class Attack:
    """How far an input may move in each entry, and how it is searched for; a box keeps images images."""

    eps: float
    steps: int
    step: float
    restarts: int
    box: bool = True

    def sets(self, x: Tensor) -> list[Region]:
        """Where the perturbation of a batch may lie."""
        return [Linf(self.eps), Box(x, 0.0, 1.0)] if self.box else [Linf(self.eps)]


def survivors(
    predict: Predict, x: Tensor, y: Tensor, attack: Attack, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Which samples keep their label under the one step, and which under every search of many."""
    found = [_both(predict, x[rows], y[rows], attack, generator) for rows in pieces(len(y), ATTACK_BATCH)]
    once, always = zip(*found, strict=True)
    return torch.cat(once), torch.cat(always)


def _both(
    predict: Predict, x: Tensor, y: Tensor, attack: Attack, generator: Generator
) -> tuple[Tensor, Tensor]:
    clean = _kept(predict, x, y)
    return clean & _after_one(predict, x, y, attack), _after_all(predict, x, y, clean, attack, generator)


def _after_one(predict: Predict, x: Tensor, y: Tensor, attack: Attack) -> Tensor:
    """Whether the best point of the loss's first-order expansion leaves the label."""
    start = leaf(torch.zeros_like(x))
    delta = linearized(slope(_loss(predict, x + start, y), start), attack.sets(x), maximize=True)
    return _kept(predict, x + delta, y)


def _after_all(
    predict: Predict, x: Tensor, y: Tensor, clean: Tensor, attack: Attack, generator: Generator
) -> Tensor:
    """Whether every search leaves the label; samples that have fallen are not searched again."""
    kept = clean.clone()
    for _ in range(attack.restarts):
        rows = kept.nonzero()[:, 0]
        if not len(rows):
            break
        near, label = x[rows], y[rows]
        delta = _searched(predict, near, label, attack, generator)
        kept[rows] = _kept(predict, near + delta, label)
    return kept


def _searched(predict: Predict, x: Tensor, y: Tensor, attack: Attack, generator: Generator) -> Tensor:
    within = attack.sets(x)
    first = first_guess("uniform", x, within, generator)

    def objective(delta: Tensor) -> Tensor:
        return _loss(predict, x + delta, y)

    return pgd(objective, first, within, attack.steps, attack.step, maximize=True)


def _loss(predict: Predict, x: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(predict(x), y, reduction="sum")


@torch.no_grad()
def _kept(predict: Predict, x: Tensor, y: Tensor) -> Tensor:
    return predict(x).argmax(1) == y
