"""Wrong labels."""

from __future__ import annotations

import pytest
import torch

from taxo.training.noise import corrupt
from taxo.training.seeds import generator
from taxo.training.settings import Noise

LABELS = torch.arange(1000) % 10


@pytest.mark.parametrize("kind", ["pair", "random"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.455, 0.999])
def test_the_share_is_exact(kind: str, share: float):
    noisy = corrupt(LABELS, Noise(kind, share), 10, generator(0, "noise"))
    assert int((noisy != LABELS).sum()) == round(share * 1000)
    assert int(noisy.min()) >= 0
    assert int(noisy.max()) < 10


def test_pair_moves_to_the_next_class():
    noisy = corrupt(LABELS, Noise("pair", 0.3), 10, generator(0, "noise"))
    wrong = noisy != LABELS
    assert torch.equal(noisy[wrong], (LABELS[wrong] + 1) % 10)


def test_random_moves_to_every_other_class_alike():
    labels = torch.full((9000,), 4)
    noisy = corrupt(labels, Noise("random", 0.999), 10, generator(0, "noise"))
    counts = torch.bincount(noisy, minlength=10)
    assert counts[4] == 9
    others = counts[torch.arange(10) != 4].double()
    assert float(((others - 999) ** 2 / 999).sum()) < 30  # chi squared of 8 degrees of freedom


def test_no_noise_is_a_copy():
    clean = corrupt(LABELS, None, 10, generator(0, "noise"))
    assert torch.equal(clean, LABELS)
    assert clean.data_ptr() != LABELS.data_ptr()


def test_the_seed_decides():
    first, again, other = (
        corrupt(LABELS, Noise("pair", 0.3), 10, generator(seed, "noise")) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
