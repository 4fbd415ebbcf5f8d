"""Places of numbers, and the round numbers beside an axis."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from taxo.training.report.scale import Scale, by_ratios, fitted, said, step_of

numbers = some.floats(-1e6, 1e6)


def test_ends_and_middle():
    scale = Scale(2, 6, 100, 300)
    assert [scale(value) for value in (2, 4, 6)] == [100, 200, 300]
    ratios = Scale(0.01, 100, 0, 4, log=True)
    assert [ratios(value) for value in (0.01, 1, 100)] == pytest.approx([0, 2, 4])


def test_ticks_are_round():
    assert Scale(0, 1, 0, 1).ticks(5) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert Scale(0.3, 9.9, 0, 1).ticks(4) == pytest.approx([2.5, 5, 7.5])
    assert Scale(0.05, 20, 0, 1, log=True).ticks() == pytest.approx([0.1, 1, 10])


@given(some.lists(numbers, min_size=1, max_size=5), some.booleans())
def test_a_fitted_scale_holds_its_numbers_and_has_ticks(values: list[float], zero: bool):
    scale = fitted(values, 0, 1, zero=zero)
    assert all(-1e-9 <= scale(value) <= 1 + 1e-9 for value in values)
    assert scale.low < scale.high
    assert 2 <= len(scale.ticks(5)) <= 12
    assert all(one < other for one, other in pairwise(scale.ticks(5)))
    assert not zero or scale.low <= 0 <= scale.high


def test_numbers_that_are_none_do_not_move_it():
    assert fitted([1, float("nan"), 3, float("inf")], 0, 1) == fitted([1, 3], 0, 1)
    assert fitted([], 0, 1).low < 0 < fitted([], 0, 1).high


def test_when_ratios_count():
    assert by_ratios([0.01, 0.1, 1])
    assert not by_ratios([1, 2, 3])
    assert not by_ratios([0, 1, 100])


@pytest.mark.parametrize(
    ("value", "step", "percent", "words"),
    [
        (0.5, 0.25, False, "0.50"),
        (2.0, 1.0, False, "2"),
        (0.25, 0.05, True, "25%"),
        (0.975, 0.025, True, "97.5%"),
        (0.97512, 0.001, True, "97.5%"),
        (-0.0, 0.5, False, "0.0"),
        (1e-7, None, False, "1e-7"),
        (3_000_000.0, 1e6, False, "3e6"),
    ],
)
def test_numbers_are_said_as_their_neighbours_need(value: float, step: float, percent: bool, words: str):
    assert said(value, step, percent) == words


def test_steps():
    assert [step_of(0, top, 5) for top in (1, 10, 11, 0.6)] == pytest.approx([0.2, 2, 2.5, 0.2])
