"""Samples ranked by how far they are moved, and how many of the first are wrong."""

from __future__ import annotations

import csv
from dataclasses import replace
from io import StringIO

import pytest
import torch

from taxo.training.data import Split
from taxo.training.inspection import Inspection, Touched
from taxo.training.suspects import ranking, to_csv

SIZES = torch.tensor([0.1, 0.9, 0.5, 0.0])
TRAIN = Split(
    torch.zeros(4, 1),
    torch.tensor([1, 2, 0, 3]),
    torch.tensor([1, 0, 0, 1]),
    torch.tensor([40, 10, 30, 20]),
)
TOUCHED = Touched("v", "logits", "positive", ("sample",), SIZES.double())
FOUND = Inspection(torch.arange(4), torch.zeros(4), torch.zeros(4), (TOUCHED,))


def test_the_farthest_come_first():
    found = ranking(FOUND, TOUCHED, TRAIN)
    assert [suspect.origin for suspect in found.suspects] == [10, 30, 40, 20]
    assert [suspect.row for suspect in found.suspects] == [1, 2, 0, 3]
    assert [suspect.wrong for suspect in found.suspects] == [True, False, False, True]
    assert (found.suspects[0].label, found.suspects[0].clean) == ("2", "0")


def test_precision_and_recall_by_hand():
    found = ranking(FOUND, TOUCHED, TRAIN)
    assert [found.precision(count) for count in (1, 2, 3, 4)] == [1, 0.5, pytest.approx(1 / 3), 0.5]
    assert [found.recall(count) for count in (1, 2, 3, 4)] == [0.5, 0.5, 0.5, 1]
    assert [found.first(share) for share in (0.01, 0.5, 1)] == [1, 2, 4]


def test_as_csv():
    rows = list(csv.DictReader(StringIO(to_csv([ranking(FOUND, TOUCHED, TRAIN)]))))
    assert [(row["rank"], row["index"], row["wrong"]) for row in rows] == [
        ("1", "10", "1"),
        ("2", "30", "0"),
        ("3", "40", "0"),
        ("4", "20", "1"),
    ]
    assert float(rows[0]["size"]) == pytest.approx(0.9)


def test_where_nobody_knows_what_is_wrong():
    found = ranking(FOUND, TOUCHED, replace(TRAIN, y=TRAIN.clean))
    assert not found.known
    assert {row["wrong"] for row in csv.DictReader(StringIO(to_csv([found])))} == {""}
