"""Measuring a step on the splits of the data, at one synchronisation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from taxo.runtime.step import Step
from taxo.training.data import Split
from taxo.training.measures import ACCURACY, EXPLAINED, PURITY, Measure
from taxo.training.tensors import numbers, pieces

EVALUATION_BATCH = 512


def scores(step: Step, splits: Sequence[Split], measure: Measure = ACCURACY) -> list[float | None]:
    """The measure on each split, the training's first, by its given labels; None for an empty one."""
    found = numbers(torch.stack(_SCORES[measure.name](step, splits)))
    return [score if len(split) else None for score, split in zip(found, splits, strict=True)]


def _accuracies(step: Step, splits: Sequence[Split]) -> list[Tensor]:
    return [_share([u.argmax(1) == y for u, y in _pieces(step, split)], split) for split in splits]


def _purities(step: Step, splits: Sequence[Split]) -> list[Tensor]:
    """How often the label that is commonest in a training cluster is the one that is given."""
    found = [[(u.argmax(1), y) for u, y in _pieces(step, split)] for split in splits]
    clusters, labels = (torch.cat(parts) for parts in zip(*found[0], strict=True))
    classes = max(step.classes, step.outputs)
    counts = torch.zeros(classes, classes, device=labels.device)
    counts.index_put_((clusters, labels), torch.ones_like(labels, dtype=counts.dtype), accumulate=True)
    name = counts.argmax(1)
    return [
        _share([name[cluster] == y for cluster, y in parts], split)
        for parts, split in zip(found, splits, strict=True)
    ]


def _explained(step: Step, splits: Sequence[Split]) -> list[Tensor]:
    return [_explained_of(step, split) for split in splits]


def _explained_of(step: Step, split: Split) -> Tensor:
    wrong = split.y.new_zeros((), dtype=torch.float64)
    for u, y in _pieces(step, split):
        wrong += (u - y).double().square().sum()
    spread = (split.y - split.y.mean(0)).double().square().sum()
    return 1 - wrong / spread.clamp_min(torch.finfo(torch.float32).tiny)


def _share(hits: Sequence[Tensor], split: Split) -> Tensor:
    found = torch.zeros((), dtype=torch.float64, device=split.y.device)
    for hit in hits:
        found += hit.sum()
    return found / max(len(split), 1)


def _pieces(step: Step, split: Split) -> Iterator[tuple[Tensor, Tensor]]:
    """Predictions and labels, batch by batch."""
    for rows in pieces(len(split), EVALUATION_BATCH):
        yield step.predict(split.inputs[rows]), split.y[rows]


_SCORES: dict[str, Callable[[Step, Sequence[Split]], list[Tensor]]] = {
    ACCURACY.name: _accuracies,
    PURITY.name: _purities,
    EXPLAINED.name: _explained,
}
