"""Models."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import taxo
from taxo.language.errors import TaxoError
from taxo.training import attentive, residual
from taxo.training.data import Data, Split, load
from taxo.training.models import MODELS, PLACED, READING, build
from taxo.training.settings import sensible

LAYERED = [name for name in MODELS if name not in (*PLACED, *READING)]
LARGE = ("resnet32", "resnet44", "resnet56", "resnet110", "preact_resnet18", "wrn_28_10", "vit_s_16")
QUICK = [name for name in LAYERED if name not in LARGE]
DIGITS = load(sensible("digits"), torch.device("cpu"))


def images(channels: int, size: int) -> Data:
    x = torch.rand(6, channels, size, size)
    y = torch.arange(6) % 3
    split = Split(x, y, y, torch.arange(6))
    return Data("images", 3, split, split, split)


@pytest.mark.parametrize("name", QUICK)
def test_logits_have_one_column_per_class(name: str):
    model = build(name, DIGITS, 0)
    assert model(DIGITS.test.x[:5]).shape == (5, 10)
    assert [module.out_features for module in model.modules() if isinstance(module, nn.Linear)][-1] == 10


@pytest.mark.parametrize("name", LAYERED)
def test_colour_images_of_another_size(name: str):
    data = images(3, 32)
    assert build(name, data, 0)(data.train.x).shape == (6, 3)


@pytest.mark.parametrize("name", QUICK)
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


@pytest.mark.parametrize("name", QUICK)
def test_the_seed_decides_the_weights_and_leaves_the_generator_alone(name: str):
    before = torch.get_rng_state()
    first, again, other = (list(build(name, DIGITS, seed).parameters()) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, other, strict=True))


def counted(model: nn.Module) -> tuple[int, int]:
    """How many weights, and how many layers on the longest path (a shortcut is none)."""
    layers = [name for name, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    return (
        sum(weight.numel() for weight in model.parameters()),
        sum("shortcut" not in name for name in layers),
    )


# As published: He et al. 2016 (0.27, 0.46, 0.66, 0.85 and 1.7 million weights), Zagoruyko & Komodakis 2016
# (36.5 and 2.2), Touvron et al. 2021 (22).
@pytest.mark.parametrize(
    ("make", "weights", "layers"),
    [
        (lambda: residual.resnet(20, 3, 10), 269_722, 20),
        (lambda: residual.resnet(32, 3, 10), 464_154, 32),
        (lambda: residual.resnet(44, 3, 10), 658_586, 44),
        (lambda: residual.resnet(56, 3, 10), 853_018, 56),
        (lambda: residual.resnet(110, 3, 10), 1_727_962, 110),
        (lambda: residual.preact_resnet18(3, 10), 11_172_170, 18),
        (lambda: residual.wide_resnet(28, 10, 3, 10), 36_479_194, None),
        (lambda: residual.wide_resnet(40, 2, 3, 10), 2_243_546, None),
        (lambda: attentive.vit(3, 224, 224, 1000), 22_050_664, None),
    ],
)
def test_networks_are_as_large_as_the_papers_say(make, weights: int, layers: int | None):
    with torch.device("meta"):
        found = counted(make())
    assert found[0] == weights
    assert layers is None or found[1] == layers


def text(*lengths: int, width: int = 9) -> Data:
    x = torch.zeros(len(lengths), width, dtype=torch.long)
    for row, length in enumerate(lengths):
        x[row, :length] = torch.arange(length) % 7 + 1
    y = torch.arange(len(lengths)) % 2
    split = Split(x, y, y, torch.arange(len(y)))
    return Data("texts", 2, split, split, split)


def test_what_a_text_comes_to_does_not_depend_on_the_others_length():
    data = text(9, 4, 1, 0)
    model = build("bilstm", data, 0)
    whole = model(data.train.x)
    assert torch.allclose(whole[1:2], model(data.train.x[1:2, :4]), atol=1e-6)
    assert torch.allclose(whole[2:3], model(data.train.x[2:3, :1]), atol=1e-6)
    assert bool(whole.isfinite().all())


def test_both_directions_are_read():
    data = text(9, 4)
    model = build("bilstm", data, 0)
    x = data.train.x[:1].clone()
    embedded: list[torch.Tensor] = []
    hook = dict(model.named_modules())["embedding"].register_forward_hook(lambda *_: embedded.append(_[2]))
    model(x)
    hook.remove()
    for place in (0, 8):
        gradient = torch.autograd.grad(model(x).sum(), model.get_parameter("embedding.weight"))[0]
        assert float(gradient[x[0, place]].abs().sum()) > 0
    assert embedded[0].shape == (1, 9, 128)


def test_texts_and_models_that_do_not_go_together():
    with pytest.raises(TaxoError, match=r"T504.*`mlp` takes numbers, not texts.*\n.*bilstm"):
        build("mlp", text(3, 4), 0)
    with pytest.raises(TaxoError, match=r"T504.*`bilstm` reads texts, not samples of shape \[1, 8, 8\]"):
        build("bilstm", DIGITS, 0)


def test_embeddings_are_perturbed():
    data = text(9, 4, 6, 5)
    method = (
        'method at_words "Move the words."\n'
        "perturb features at embedding by d {\n  direction negative\n"
        "  infer adversarial maximize loss within l2(0.5) via pgd(steps: 2, step: 0.25)\n"
        "  granularity sample\n}\n"
    )
    step = taxo.compile(taxo.parse(method), build("bilstm", data, 0), classes=2)
    step(data.train.x, data.train.y).backward()
    moved = step.deltas["d"]
    assert isinstance(moved, torch.Tensor)
    assert moved.shape == (4, 9, 128)


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
