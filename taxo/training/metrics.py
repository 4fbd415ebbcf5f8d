"""What is measured once an epoch, and what a run comes to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import cast

import torch
from torch import Tensor

from taxo.runtime.step import Step
from taxo.training.data import Split
from taxo.training.tensors import numbers

Meters = Mapping[str, Mapping[str, float]]

EVALUATION_BATCH = 512


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """One line of `metrics.jsonl`; accuracies are shares, None where nothing is held out."""

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_accuracy: float | None
    test_accuracy: float
    lr: float
    seconds: float
    meters: Meters

    def to_line(self) -> str:
        """The metrics as one line of JSON; a meter that has no value is null."""
        meters = {
            name: {key: value if isfinite(value) else None for key, value in meter.items()}
            for name, meter in self.meters.items()
        }
        plain = {name: getattr(self, name) for name in self.__slots__}
        return json.dumps(plain | {"meters": meters})

    @classmethod
    def from_line(cls, line: str) -> EpochMetrics:
        """The metrics of one line; KeyError, TypeError or ValueError if it is not one."""
        plain = cast("Mapping[str, float | None]", json.loads(line))
        meters = cast("Mapping[str, Mapping[str, Mapping[str, float | None]]]", plain)["meters"]
        return cls(
            epoch=int(_float(plain["epoch"])),
            train_loss=_float(plain["train_loss"]),
            train_accuracy=_float(plain["train_accuracy"]),
            validation_accuracy=plain["validation_accuracy"],
            test_accuracy=_float(plain["test_accuracy"]),
            lr=_float(plain["lr"]),
            seconds=_float(plain["seconds"]),
            meters={
                name: {key: _float(value) for key, value in meter.items()} for name, meter in meters.items()
            },
        )


def best(history: Sequence[EpochMetrics]) -> EpochMetrics:
    """The first epoch of the highest validation accuracy, or the last one if nothing is held out."""
    if history[-1].validation_accuracy is None:
        return history[-1]
    return max(history, key=lambda metrics: (metrics.validation_accuracy or 0.0, -metrics.epoch))


def accuracies(step: Step, splits: Sequence[Split]) -> list[float | None]:
    """The accuracy on each split by its given labels, None for an empty one, at one synchronisation."""
    counts = numbers(torch.stack([_hits(step, split) for split in splits]))
    return [count / len(split) if len(split) else None for count, split in zip(counts, splits, strict=True)]


def _hits(step: Step, split: Split) -> Tensor:
    hits = torch.zeros((), dtype=torch.int64, device=split.y.device)
    for start in range(0, len(split), EVALUATION_BATCH):
        rows = slice(start, start + EVALUATION_BATCH)
        hits += (step.predict(split.x[rows]).argmax(1) == split.y[rows]).sum()
    return hits


def _float(value: float | None) -> float:
    return nan if value is None else float(value)
