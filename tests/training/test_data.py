"""Data: split, corrupted, counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch

from taxo.language.errors import TaxoError
from taxo.training import datasets
from taxo.training.data import Data, Split, cut, load
from taxo.training.datasets import DataSet, Raw
from taxo.training.seeds import generator
from taxo.training.settings import Noise, Settings, sensible

CPU = torch.device("cpu")


def digits(**changes: object) -> Data:
    return load(replace(sensible("digits"), **changes), CPU)


def test_digits_are_what_scikit_learn_ships():
    data = digits()
    assert data.train.x.shape[1:] == (1, 8, 8)
    assert data.train.x.dtype == torch.float32
    assert (float(data.train.x.min()), float(data.train.x.max())) == (0.0, 1.0)
    assert data.classes == 10
    assert len(data.test) == 718
    assert len(data.validation) == 107
    assert data.sizes == "972 train, 107 validation, 718 test"


@pytest.mark.parametrize("seed", [0, 1])
def test_splits_are_disjoint_and_whole(seed: int):
    data = digits(seed=seed)
    rows = torch.cat([split.origin for split in (data.train, data.validation, data.test)])
    assert torch.equal(rows.sort().values, torch.arange(1797))


def test_rows_keep_their_labels():
    data, raw = digits(), datasets.find("digits").load(Path())
    for split in (data.train, data.validation, data.test):
        assert torch.equal(split.clean, torch.from_numpy(raw.y)[split.origin])
        assert torch.equal(split.x, torch.from_numpy(raw.x)[split.origin])


def test_noise_is_in_train_and_validation_only():
    data = digits(noise=Noise("pair", 0.3))
    assert int(data.train.flipped.sum()) == round(0.3 * len(data.train))
    assert int(data.validation.flipped.sum()) == round(0.3 * len(data.validation))
    assert int(data.test.flipped.sum()) == 0


def test_one_seed_is_one_data_set_whatever_the_noise():
    quiet, noisy, other = digits(), digits(noise=Noise("random", 0.2)), digits(seed=1)
    assert torch.equal(quiet.train.origin, noisy.train.origin)
    assert torch.equal(quiet.train.clean, noisy.train.clean)
    assert not torch.equal(quiet.test.origin, other.test.origin)


def test_class_counts_are_of_the_given_labels():
    data = digits(noise=Noise("pair", 0.3))
    assert data.class_counts == [int((data.train.y == label).sum()) for label in range(10)]
    assert sum(data.class_counts or []) == len(data.train)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.4, 0.99])
def test_a_cut_takes_each_class_in_proportion(share: float):
    y = torch.tensor([0] * 50 + [1] * 30 + [2] * 20)
    rest, taken = cut(Split(y, y, y, torch.arange(100)), share, generator(3, "cut"))
    assert len(taken) == round(100 * share)
    assert len(rest) + len(taken) == 100
    for label, size in enumerate((50, 30, 20)):
        assert abs(int((taken.y == label).sum()) - size * share) <= 1


def test_no_validation_is_an_empty_split():
    data = digits(validation=0.0)
    assert (len(data.train), len(data.validation)) == (1079, 0)


def row(monkeypatch: pytest.MonkeyPatch, raw: Raw) -> Settings:
    data_set = DataSet("tiny", "a row of the tests", lambda _: raw, datasets.find("digits").recipe)
    monkeypatch.setitem(datasets.DATA_SETS, "tiny", data_set)
    return replace(sensible("tiny"), validation=0.25)


def test_an_official_test_split_is_kept(monkeypatch: pytest.MonkeyPatch):
    x = numpy.zeros((20, 3), dtype=numpy.float32)
    settings = row(monkeypatch, Raw(x, numpy.arange(20) % 2, classes=2, test_from=12))
    data = load(settings, CPU)
    assert data.test.origin.tolist() == list(range(12, 20))
    assert (len(data.train), len(data.validation)) == (9, 3)


def test_values_that_are_not_finite_are_refused(monkeypatch: pytest.MonkeyPatch):
    x = numpy.full((20, 3), numpy.nan, dtype=numpy.float32)
    settings = row(monkeypatch, Raw(x, numpy.arange(20) % 2, classes=2))
    with pytest.raises(TaxoError, match=r"T509.*`tiny` has values that are not finite"):
        load(settings, CPU)


def test_a_validation_share_that_leaves_nothing_is_refused(monkeypatch: pytest.MonkeyPatch):
    x = numpy.zeros((4, 3), dtype=numpy.float32)
    settings = replace(row(monkeypatch, Raw(x, numpy.arange(4) % 2, 2)), validation=1 - 1e-12)
    with pytest.raises(TaxoError, match=r"leaves no training sample of `tiny`"):
        load(settings, CPU)
