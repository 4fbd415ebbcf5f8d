"""Views of a batch."""

from __future__ import annotations

import pytest
import torch

from taxo.training.views import views


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_one_view_is_the_batch_itself():
    x = torch.rand(4, 1, 8, 8)
    assert views(x, 1, dice()) is x


def test_images_are_mixed_with_chains_of_transforms():
    x = torch.rand(6, 3, 16, 12)
    first, second, third = views(x, 3, dice())
    assert first is x
    assert second.shape == third.shape == x.shape
    for one in (second, third):
        assert 0.01 < float((one - x).abs().mean()) < 0.3
    assert float((second - third).abs().mean()) > 0.01


def test_rows_of_numbers_jitter():
    x = torch.rand(500, 4)
    _, second = views(x, 2, dice())
    assert float((second - x).std()) == pytest.approx(0.05, rel=0.05)
    assert float((second - x).mean()) == pytest.approx(0, abs=0.005)


def test_the_seed_decides():
    x = torch.rand(8, 1, 8, 8)
    assert torch.equal(views(x, 2, dice())[1], views(x, 2, dice())[1])
    assert not torch.equal(views(x, 2, dice())[1], views(x, 2, dice(1))[1])
