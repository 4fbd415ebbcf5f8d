"""The textbook forms of shipped methods, and the limits in which one method becomes another."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from tests.fidelity.nets import CLASSES, COUNTS, NETS, SAMPLES, batch, untouched, weights

each_net = pytest.mark.parametrize("net", NETS)


def outcome(spec: str, model: nn.Module, counts: tuple[int, ...] = COUNTS) -> list[Tensor]:
    """The loss of one step and the gradient of all weights."""
    step = taxo.compile(spec, model, classes=CLASSES, samples=SAMPLES, class_counts=counts, seed=3)
    return differentiated(step(*batch()), model)


def differentiated(loss: Tensor, model: nn.Module) -> list[Tensor]:
    return [loss.detach(), *torch.autograd.grad(loss, weights(model))]


def same(found: list[Tensor], expected: list[Tensor]) -> None:
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0.0)


@each_net
@pytest.mark.parametrize("lam", [0.05, 0.3])
def test_label_smoothing_is_torchs(net: str, lam: float):
    model = NETS[net]().double()
    x, y, _ = batch()
    expected = differentiated(nn.CrossEntropyLoss(label_smoothing=lam)(model(x), y), model)
    same(outcome(f"label_smoothing(lam: {lam})", NETS[net]().double()), expected)


@each_net
def test_sam_is_climb_differentiate_climb_back(net: str):
    model, (x, y, _) = NETS[net]().double(), batch()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    functional.cross_entropy(model(x), y).backward()
    norm = torch.stack([weight.grad.norm() for weight in weights(model) if weight.grad is not None]).norm()
    climbs = [0.2 * weight.grad / (norm + 1e-12) for weight in weights(model) if weight.grad is not None]
    with torch.no_grad():
        for weight, climb in zip(weights(model), climbs, strict=True):
            weight.add_(climb)
    optimizer.zero_grad()
    with untouched(model):
        functional.cross_entropy(model(x), y).backward()
    with torch.no_grad():
        for weight, climb in zip(weights(model), climbs, strict=True):
            weight.sub_(climb)
    optimizer.step()

    other = NETS[net]().double()
    step = taxo.compile("sam(rho: 0.2)", other, classes=CLASSES)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.1)
    step(x, y).backward()
    optimizer.step()
    same(weights(other), weights(model))


@each_net
def test_one_step_of_pgd_from_zero_is_the_fast_gradient_sign(net: str):
    model, (x, y, _) = NETS[net]().double(), batch()
    frozen, leaf = deepcopy(model).eval(), x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(functional.cross_entropy(frozen(leaf), y), leaf)
    moved = (x + 8 / 255 * slope.sign()).clamp(0, 1)
    expected = differentiated(functional.cross_entropy(model(moved), y), model)
    same(outcome("pgd_at(start: zero, steps: 1, step: 8/255)", NETS[net]().double()), expected)


@each_net
def test_logit_adjustment_by_an_even_prior_is_plain(net: str):
    even = (8,) * CLASSES
    same(
        outcome("logit_adjustment(tau: 2)", NETS[net]().double(), even),
        outcome("plain", NETS[net]().double()),
    )


@each_net
def test_the_first_step_of_a_table_is_plain(net: str):
    """The table starts at zero, so the first loss is that of the model alone."""
    same(outcome("logpert(lam: 1)", NETS[net]().double()), outcome("plain", NETS[net]().double()))


@each_net
def test_mixpert_with_nobody_pulled_is_adversarial_training(net: str):
    spec = "pgd_at(eps: 8/255, steps: 5, step: 8/255 / 4)"
    same(outcome("mixpert(eps: 8/255, pro: 0%)", NETS[net]().double()), outcome(spec, NETS[net]().double()))


def test_mixpert_with_everybody_pulled_attacks_nobody():
    spec = "mixpert(eps: 8/255, pro: 100%)"
    same(outcome(spec, NETS["conv"]().double()), outcome("mixpert(pro: 100%)", NETS["conv"]().double()))


@pytest.mark.parametrize("share", [0.999999999999, 1.0])
def test_mixpert_all_clean_is_mixpert_without_attack(share: float):
    """Where rows do not see each other: the pulled ones are of the pushed batch, and so of its statistics."""
    spec = f"mixpert(eps: 8/255, pro: 45%, clean_share: {share})"
    same(outcome(spec, NETS["mlp"]().double()), outcome("mixpert(pro: 45%)", NETS["mlp"]().double()))


def test_mixpert_without_batch_norm_mixes_the_losses_of_its_two_limits():
    """Without batch statistics the rows do not see each other, so the share is linear in the losses."""
    mixed, pushed, unpushed = (
        outcome(spec, NETS["mlp"]().double())
        for spec in (
            "mixpert(eps: 8/255, pro: 45%, clean_share: 40%)",
            "mixpert(eps: 8/255, pro: 45%)",
            "mixpert(pro: 45%)",
        )
    )
    same(mixed, [0.6 * one + 0.4 * other for one, other in zip(pushed, unpushed, strict=True)])


def test_the_pull_takes_its_step_at_the_pushed_logits():
    """Y&W Eq. 60 with the authors' code: v = eta (onehot - p) at the logits that the pushed batch gave."""
    model, (x, y, _) = NETS["conv"]().double(), batch(rows=20)
    step = taxo.compile("mixpert(eps: 8/255, pro: 15%, eta: 2)", model, classes=CLASSES)
    kept: list[Tensor] = []
    handle = model.register_forward_hook(lambda *parts: kept.append(parts[2].detach()))
    step(x, y)
    handle.remove()
    v, clean, pushed = step.deltas["v"], kept[0], kept[-1]
    assert isinstance(v, Tensor)
    hard = functional.cross_entropy(clean, y, reduction="none").topk(3).indices
    expected = torch.zeros_like(v)
    expected[hard] = 2 * (functional.one_hot(y, CLASSES) - pushed.softmax(1))[hard]
    torch.testing.assert_close(v, expected, atol=1e-12, rtol=0.0)


def test_hard_and_pushed_part_the_batch():
    x, y, _ = batch(rows=20)
    step = taxo.compile("mixpert(eps: 8/255, pro: 45%)", NETS["conv"]().double(), classes=CLASSES)
    step(x, y)
    d, v = step.deltas["d"], step.deltas["v"]
    assert isinstance(d, Tensor)
    assert isinstance(v, Tensor)
    pulled, pushed = v.abs().amax(1) > 0, d.flatten(1).abs().amax(1) > 0
    assert int(pulled.sum()) == 9
    assert torch.equal(pulled, ~pushed)
