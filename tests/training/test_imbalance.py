"""Long tails."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from taxo.training.data import Data, load
from taxo.training.imbalance import kept, profile
from taxo.training.seeds import generator
from taxo.training.settings import Imbalance, Noise, sensible


def digits(**changes: object) -> Data:
    return load(replace(sensible("digits"), **changes), torch.device("cpu"))


def test_an_even_fall_is_a_geometric_row():
    assert profile([1000] * 4, Imbalance("exp", 1000.0)) == [1000, 100, 10, 1]
    assert profile([500, 1000, 1000], Imbalance("exp", 4.0)) == [500, 250, 125]


def test_a_step_halves_the_classes():
    assert profile([100] * 4, Imbalance("step", 10.0)) == [100, 100, 10, 10]
    assert profile([100] * 3, Imbalance("step", 10.0)) == [100, 100, 10]


def test_a_small_class_sets_the_height_and_none_is_empty():
    assert profile([100, 100, 5], Imbalance("exp", 4.0)) == [20, 10, 5]
    assert profile([9, 9], Imbalance("step", 1000.0)) == [9, 1]


def test_the_seed_decides_which_samples_stay():
    labels = torch.arange(100) % 2
    first, again, other = (
        kept(labels, 2, Imbalance("exp", 5.0), generator(seed, "imbalance")) for seed in (1, 1, 2)
    )
    assert torch.bincount(labels[first]).tolist() == [50, 10]
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("kind", ["exp", "step"])
def test_only_training_rows_are_left_out(kind: str):
    whole, thin = digits(), digits(imbalance=Imbalance(kind, 20.0), noise=Noise("pair", 0.2))
    counts = torch.bincount(thin.train.clean, minlength=10)
    assert int(counts[0]) == pytest.approx(20 * int(counts[9]), abs=20)
    assert set(thin.train.origin.tolist()) < set(whole.train.origin.tolist())
    assert torch.equal(thin.validation.origin, whole.validation.origin)
    assert torch.equal(thin.test.origin, whole.test.origin)
    assert int(thin.train.flipped.sum()) == round(0.2 * len(thin.train))
