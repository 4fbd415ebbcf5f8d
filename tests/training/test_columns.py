"""The numbers that tables show of the answers, worked out by hand."""

from __future__ import annotations

import pytest

from taxo.training.columns import COLUMNS, legend, relative_error, value_of, with_columns
from taxo.training.questions import Answers, questions
from taxo.training.summary import Cell, rows

BASE: Answers = {"corruptions": {"fog": [0.1, 0.3], "contrast": [0.2, 0.6]}}
BETTER: Answers = {"corruptions": {"fog": [0.1, 0.1], "contrast": [0.1, 0.5]}}
NAMED = {column.name: column for column in COLUMNS}


def test_errors_are_summed_over_severities_and_then_divided():
    found = relative_error(BETTER["corruptions"], BASE["corruptions"])
    assert found == {"fog": pytest.approx(0.5), "contrast": pytest.approx(0.75)}
    assert value_of(NAMED["mCE"], BETTER, BASE) == pytest.approx(0.625)
    assert value_of(NAMED["corrupted"], BETTER, BASE) == pytest.approx(0.8)


def test_a_baseline_against_itself_is_one():
    assert value_of(NAMED["mCE"], BASE, BASE) == 1


def test_a_corruption_that_the_baseline_never_errs_under_has_no_ratio():
    sure = {"corruptions": {"fog": [0.0, 0.0], "contrast": [0.2, 0.6]}}
    assert relative_error(BETTER["corruptions"], sure["corruptions"]) == {"contrast": pytest.approx(0.75)}
    never = {"corruptions": {"fog": [0.0], "contrast": [0.0]}}
    assert value_of(NAMED["mCE"], BETTER, never) is None
    assert value_of(NAMED["mCE"], BETTER, None) is None


def test_the_worst_class_and_what_has_no_number():
    classes = {"classes": {"0": [0.9], "1": [], "2": [0.4]}}
    assert value_of(NAMED["worst class"], classes, None) == 0.4
    assert value_of(NAMED["rest"], {"tail": {"tail": [0.5], "rest": []}}, None) is None


def cells(label: str, values: list[float | None]) -> list[Cell]:
    return [
        Cell(label, seed, value, value, 1.0, None, {"tail": {"tail": [value], "rest": [1.0]}})
        if value is not None
        else Cell(label, seed, None, None, None, "nan")
        for seed, value in enumerate(values)
    ]


def test_columns_of_a_comparison_are_paired_by_seed():
    runs = [*cells("a", [0.1, 0.5, None]), *cells("b", [0.2, 0.6, 0.9])]
    asked = questions("tail", "--evaluate")
    first, second = with_columns(rows(runs, [("a", ""), ("b", "")]), runs, asked)
    assert [column.name for column in first.columns] == ["tail %", "rest %"]
    own, other = first.columns[0], second.columns[0]
    assert own.value is not None
    assert own.value.mean == pytest.approx(0.3)
    assert own.difference is None
    assert other.value is not None
    assert other.value.runs == 3
    assert other.difference is not None
    assert (other.difference.mean, other.difference.runs) == (pytest.approx(0.1), 2)


def test_a_method_that_always_fails_has_no_numbers():
    runs = [*cells("a", [0.5]), *cells("b", [None])]
    found = with_columns(rows(runs, [("a", ""), ("b", "")]), runs, questions("tail", "--evaluate"))
    assert (found[1].columns[0].value, found[1].columns[0].difference) == (None, None)


def test_the_legend_says_how_it_was_asked():
    text = legend(questions("attack(eps: 0.1), corruptions", "--evaluate"))
    assert "attack(eps: 0.1, steps: 20, step: eps / 4, restarts: 1)" in text
    assert "mCE: error over the baseline's" in text
    assert legend(()) == ""
