"""Means, errors and paired differences, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from taxo.training.summary import Cell, Estimate, estimate, rows


def cells(label: str, values: list[float | None]) -> list[Cell]:
    return [
        Cell(label, seed, value, value, None if value is None else seed + 1.0, None if value else "nan")
        for seed, value in enumerate(values)
    ]


def test_an_estimate_is_mean_and_standard_error():
    found = estimate([1.0, 2.0, 3.0, 4.0])
    assert found is not None
    assert found.mean == 2.5
    assert found.error == pytest.approx(0.6454972243679028)  # sqrt(5 / 3) / sqrt(4)


def test_one_value_has_no_error_and_none_no_mean():
    assert estimate([0.5]) == Estimate(0.5, None)
    assert estimate([]) is None


@pytest.mark.parametrize(
    ("found", "beyond"),
    [
        (Estimate(2.1, 1.0), True),
        (Estimate(-2.1, 1.0), True),
        (Estimate(2.0, 1.0), False),
        (Estimate(9, None), False),
    ],
)
def test_beyond_noise_is_more_than_two_errors(found: Estimate, beyond: bool):
    assert found.beyond_noise is beyond


def test_differences_are_paired_by_seed():
    baseline = cells("a", [0.1, 0.5, 0.9])
    better = cells("b", [0.2, 0.6, 1.0])
    first, second = rows([*better, *baseline], [("a", "1 F"), ("b", "2 F")])
    assert first.difference is None
    assert second.difference is not None
    assert second.difference.mean == pytest.approx(0.1)
    assert second.difference.error == pytest.approx(0, abs=1e-12)
    assert second.test is not None
    assert second.test.error == pytest.approx(0.4 / 3**0.5)
    assert (second.cost, second.seconds, second.runs) == ("2 F", 2.0, 3)


def test_a_failed_run_is_counted_and_leaves_its_pair_out():
    first, second = rows(
        [*cells("a", [0.1, 0.5, None]), *cells("b", [0.3, None, 0.9])], [("a", ""), ("b", "")]
    )
    assert (first.failed, second.failed) == (1, 1)
    assert second.difference is not None
    assert (second.difference.mean, second.difference.error) == (pytest.approx(0.2), None)
    assert second.test is not None
    assert second.test.mean == pytest.approx(0.6)


def test_a_method_that_always_fails_has_no_numbers():
    found = rows([*cells("a", [0.5]), *cells("b", [None])], [("a", ""), ("b", "")])[1]
    assert (found.test, found.best, found.difference, found.seconds, found.failed) == (
        None,
        None,
        None,
        None,
        1,
    )
