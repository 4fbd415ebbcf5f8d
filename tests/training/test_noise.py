"""Wrong labels."""

from __future__ import annotations

import pytest
import torch

from taxo.training.noise import corrupt, nearest_classes, strayed
from taxo.training.seeds import generator
from taxo.training.settings import Noise

LABELS = torch.arange(1000) % 10
NEXT = (torch.arange(10) + 3) % 10


@pytest.mark.parametrize("kind", ["pair", "random", "asymmetric"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.455, 0.999])
def test_the_share_is_exact(kind: str, share: float):
    noisy = corrupt(LABELS, Noise(kind, share), NEXT, generator(0, "noise"))
    assert int((noisy != LABELS).sum()) == round(share * 1000)
    assert int(noisy.min()) >= 0
    assert int(noisy.max()) < 10


def test_pair_moves_to_the_next_class():
    noisy = corrupt(LABELS, Noise("pair", 0.3), NEXT, generator(0, "noise"))
    wrong = noisy != LABELS
    assert torch.equal(noisy[wrong], (LABELS[wrong] + 1) % 10)


def test_random_moves_to_every_other_class_alike():
    labels = torch.full((9000,), 4)
    noisy = corrupt(labels, Noise("random", 0.999), NEXT, generator(0, "noise"))
    counts = torch.bincount(noisy, minlength=10)
    assert counts[4] == 9
    others = counts[torch.arange(10) != 4].double()
    assert float(((others - 999) ** 2 / 999).sum()) < 30  # chi squared of 8 degrees of freedom


def test_no_noise_is_a_copy():
    clean = corrupt(LABELS, None, NEXT, generator(0, "noise"))
    assert torch.equal(clean, LABELS)
    assert clean.data_ptr() != LABELS.data_ptr()


def test_the_seed_decides():
    first, again, other = (
        corrupt(LABELS, Noise("pair", 0.3), NEXT, generator(seed, "noise")) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_asymmetric_moves_to_the_class_given_as_the_nearest():
    noisy = corrupt(LABELS, Noise("asymmetric", 0.3), NEXT, generator(0, "noise"))
    wrong = noisy != LABELS
    assert torch.equal(noisy[wrong], NEXT[LABELS[wrong]])


def test_the_nearest_class_is_that_of_the_nearest_mean():
    # the means are 0 1, then 3 1, then 9 2
    x = torch.tensor([[0.0, 0.0], [0.0, 2.0], [3.0, 1.0], [9.0, 1.0], [9.0, 3.0]])
    assert nearest_classes(x, torch.tensor([0, 0, 1, 2, 2]), 3).tolist() == [1, 0, 1]


@pytest.mark.parametrize("width", [1, 3])
def test_stray_values_are_an_exact_share_and_far_off(width: int):
    values = torch.randn(200, width, generator=generator(0, "values"))
    moved = strayed(values, Noise("random", 0.2), (5.0, 10.0), generator(0, "noise"))
    distance = (moved - values).norm(dim=1) / values.std()
    assert int((distance > 0).sum()) == 40
    assert float(distance[distance > 0].min()) >= 5 - 1e-5
    assert float(distance.max()) <= 10 + 1e-5
    assert torch.equal(strayed(values, None, (5.0, 10.0), generator(0, "noise")), values)
