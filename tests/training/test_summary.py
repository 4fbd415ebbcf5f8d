"""Means, errors and paired differences, against numbers worked out by hand."""

from __future__ import annotations

import pytest

from taxo.training.summary import Cell, Estimate, best_of, estimate, rows


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
    assert estimate([0.5]) == Estimate(0.5, None, 1)
    assert estimate([]) is None


@pytest.mark.parametrize(
    ("runs", "quantile"),
    [(2, 12.706), (3, 4.303), (5, 2.776), (11, 2.228), (12, 2.201), (31, 2.042), (1001, 1.962)],
)
def test_beyond_noise_is_students_test(runs: int, quantile: float):
    for sign in (1, -1):
        assert Estimate(sign * (quantile + 0.003), 1.0, runs).beyond_noise
        assert not Estimate(sign * (quantile - 0.003), 1.0, runs).beyond_noise


def test_a_single_run_is_never_beyond_noise():
    assert not Estimate(9.0, None, 1).beyond_noise


def test_equal_values_are_never_beyond_noise():
    lost = estimate([0.921 - 0.922, 0.925 - 0.926])
    assert lost is not None
    assert lost.mean == pytest.approx(-0.001)
    assert not lost.beyond_noise
    assert not Estimate(0.0, 0.0, 5).beyond_noise


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


@pytest.mark.parametrize(
    ("means", "best"),
    [
        ([0.5, 0.7, None, 0.7], [False, True, False, True]),
        ([0.5, 0.5, None], [False, False, False]),
        ([0.5], [False]),
        ([None], [False]),
    ],
)
def test_where_all_are_the_same_none_is_the_best(means: list[float | None], best: list[bool]):
    assert best_of([None if mean is None else Estimate(mean, None, 1) for mean in means]) == best
