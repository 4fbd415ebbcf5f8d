"""Models."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from taxo.language.errors import TaxoError
from taxo.training.data import Data, Split, load
from taxo.training.models import MODELS, PLACED, build
from taxo.training.settings import sensible

LAYERED = [name for name in MODELS if name not in PLACED]
DIGITS = load(sensible("digits"), torch.device("cpu"))


def images(channels: int, size: int) -> Data:
    x = torch.rand(6, channels, size, size)
    y = torch.arange(6) % 3
    split = Split(x, y, y, torch.arange(6))
    return Data("images", 3, split, split, split)


@pytest.mark.parametrize("name", LAYERED)
def test_logits_have_one_column_per_class(name: str):
    model = build(name, DIGITS, 0)
    assert model(DIGITS.test.x[:5]).shape == (5, 10)
    assert [module.out_features for module in model.modules() if isinstance(module, nn.Linear)][-1] == 10


@pytest.mark.parametrize("name", LAYERED)
def test_colour_images_of_another_size(name: str):
    data = images(3, 32)
    assert build(name, data, 0)(data.train.x).shape == (6, 3)


@pytest.mark.parametrize("name", LAYERED)
def test_the_first_layer_normalises(name: str):
    data = images(3, 16)
    first = next(build(name, data, 0).children())
    normal = first(data.train.x)
    assert torch.allclose(normal.mean((0, 2, 3)), torch.zeros(3), atol=1e-5)
    assert torch.allclose(normal.std((0, 2, 3)), torch.ones(3), atol=1e-4)
    assert not list(first.parameters())


def test_a_constant_channel_does_not_divide_by_zero():
    data = images(2, 8)
    data.train.x[:, 0] = 0.5
    assert bool(build("cnn", data, 0)(data.train.x).isfinite().all())


@pytest.mark.parametrize("name", LAYERED)
def test_the_seed_decides_the_weights_and_leaves_the_generator_alone(name: str):
    before = torch.get_rng_state()
    first, again, other = (list(build(name, DIGITS, seed).parameters()) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def test_resnet20_is_the_papers():
    data = images(3, 32)
    model = build("resnet20", replace(data, classes=10), 0)
    assert sum(weight.numel() for weight in model.parameters()) == 269_722  # He et al. 2016: 0.27 M
    assert sum(isinstance(module, nn.Conv2d | nn.Linear) for module in model.modules()) == 20


def test_an_image_model_refuses_rows_of_numbers():
    x, y = torch.rand(6, 4), torch.arange(6) % 3
    split = Split(x, y, y, torch.arange(6))
    with pytest.raises(TaxoError, match=r"T504.*`cnn` takes images, not samples of shape \[4\]"):
        build("cnn", Data("rows", 3, split, split, split), 0)


def test_an_unknown_model_is_refused():
    with pytest.raises(TaxoError, match=r"no model `cnm`.*\n.*did you mean `cnn`"):
        build("cnm", DIGITS, 0)


def test_centres_start_at_samples_and_the_seed_says_at_which():
    first, again, other = (next(build("centres", DIGITS, seed).parameters()) for seed in (1, 1, 2))
    rows = DIGITS.train.x.flatten(1)
    assert torch.equal(torch.cdist(first, rows).amin(1), torch.zeros(10))
    assert len({tuple(place.tolist()) for place in first}) == 10
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    u = build("centres", DIGITS, 1)(rows[:4])
    assert torch.allclose(-u, torch.cdist(rows[:4], first).square(), atol=1e-4)


def test_a_rigid_model_keeps_distances_and_handedness():
    x = torch.randn(7, 3)
    split = Split(x, x, x, torch.arange(7))
    model = build("rigid", Data("points", 3, split, split, split, "points"), 0)
    assert torch.equal(model(x), x)
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_(generator=torch.Generator().manual_seed(1))
    assert torch.allclose(torch.pdist(model(x)), torch.pdist(x), atol=1e-4)
    turn = model(torch.eye(3)) - model(torch.zeros(1, 3))
    assert float(torch.linalg.det(turn).detach()) == pytest.approx(1, abs=1e-4)
