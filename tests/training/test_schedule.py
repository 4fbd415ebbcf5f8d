"""The learning rate over a run."""

from __future__ import annotations

import pytest

from taxo.training.schedule import factor
from taxo.training.settings import Schedule


@pytest.mark.parametrize(
    ("schedule", "values"),
    [
        (Schedule("cosine"), [1.0, 0.5, 0.0]),
        (Schedule("linear"), [1.0, 0.5, 0.0]),
        (Schedule("constant"), [1.0, 1.0, 1.0]),
        (Schedule("multistep", (5, 10)), [1.0, 0.1, 0.01]),
    ],
)
def test_the_beginning_the_middle_and_the_end(schedule: Schedule, values: list[float]):
    assert [factor(schedule, epoch, 10, 0, 0.1) for epoch in (0, 5, 10)] == pytest.approx(values)


def test_cosine_at_a_quarter():
    assert factor(Schedule("cosine"), 2.5, 10, 0, 0.1) == pytest.approx(0.8535533905932737)


def test_warm_up_rises_to_the_height_and_never_is_zero():
    values = [factor(Schedule("linear"), step / 4, 10, 2, 0.25) for step in range(12)]
    assert values[:8] == pytest.approx([step / 8 for step in range(1, 9)])
    assert values[8:] == pytest.approx([1.0, 1 - 0.25 / 8, 1 - 0.5 / 8, 1 - 0.75 / 8])
