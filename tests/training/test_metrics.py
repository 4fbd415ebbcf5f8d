"""Metrics of an epoch."""

from __future__ import annotations

import json
from math import isnan

from taxo.training.metrics import EpochMetrics, best


def metrics(epoch: int, validation: float | None, test: float = 0.5) -> EpochMetrics:
    return EpochMetrics(epoch, 1.25, 0.75, validation, test, 0.1, 0.01, {})


def test_a_line_reads_back():
    whole = EpochMetrics(3, 1 / 3, 0.75, None, 0.5, 0.1, 1e-9, {"v": {"fired": 0.5}}, "R²")
    assert EpochMetrics.from_line(whole.to_line()) == whole


def test_a_meter_without_a_value_is_null_in_the_line():
    line = EpochMetrics(0, 1.0, 0.75, 0.5, 0.5, 0.1, 0.1, {"v": {"size": float("nan")}}).to_line()
    assert json.loads(line)["meters"] == {"v": {"size": None}}
    assert isnan(EpochMetrics.from_line(line).meters["v"]["size"])


def test_the_best_is_the_first_of_equals():
    history = [metrics(0, 0.5), metrics(1, 0.7), metrics(2, 0.7), metrics(3, 0.6)]
    assert best(history).epoch == 1
    assert best([metrics(0, None), metrics(1, None)]).epoch == 1
    assert best([metrics(0, 0.0), metrics(1, 0.0)]).epoch == 0
