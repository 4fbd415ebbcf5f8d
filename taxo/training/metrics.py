"""What is measured once an epoch, and what a run comes to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import cast

from taxo.training.measures import ACCURACY

Meters = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class EpochMetrics:
    """One line of `metrics.jsonl`; accuracies are shares, None where nothing is held out.

    `measure` says what an accuracy is: that of classes, or another number that takes its place.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    validation_accuracy: float | None
    test_accuracy: float
    lr: float
    seconds: float
    meters: Meters
    measure: str = ACCURACY.name

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
            measure=str(plain["measure"]),
        )


def best(history: Sequence[EpochMetrics]) -> EpochMetrics:
    """The first epoch of the highest validation accuracy, or the last one if nothing is held out."""
    if history[-1].validation_accuracy is None:
        return history[-1]
    return max(history, key=lambda metrics: (metrics.validation_accuracy or 0.0, -metrics.epoch))


def _float(value: float | None) -> float:
    return nan if value is None else float(value)
