"""Attacks on models whose accuracy under attack is known, and what holds for any model."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from taxo.training.attacks import Attack, survivors

SAMPLES, WIDTH = 400, 12


def dice() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def linear(classes: int):
    """A linear model, samples in [0, 1], and labels that it gets right for most of them."""
    generator = torch.Generator().manual_seed(classes)
    weight = torch.randn(classes, WIDTH, generator=generator, dtype=torch.float64)
    shift = torch.randn(classes, generator=generator, dtype=torch.float64)
    x = torch.rand(SAMPLES, WIDTH, generator=generator, dtype=torch.float64)

    def predict(x: Tensor) -> Tensor:
        return x @ weight.T + shift

    y = predict(x).argmax(1)
    y[::10] = (y[::10] + 1) % classes
    return predict, weight, x, y


def reach(x: Tensor, way: Tensor, eps: float, box: bool) -> Tensor:
    """How far each entry can go in the direction of the sign of `way`."""
    room = torch.where(way > 0, 1 - x, x) if box else torch.full_like(x, torch.inf)
    return room.clamp(max=eps)


@pytest.mark.parametrize("box", [False, True])
@pytest.mark.parametrize("eps", [0.0, 0.02, 0.1, 0.3])
def test_a_linear_model_of_two_classes_has_its_closed_form(eps: float, box: bool):
    predict, weight, x, y = linear(2)
    logits = predict(x)
    way = weight[1 - y] - weight[y]  # which way the other class gains
    margin = (logits.gather(1, y[:, None]) - logits.gather(1, 1 - y[:, None]))[:, 0]
    expected = margin > (way.abs() * reach(x, way, eps, box)).sum(1)
    once, always = survivors(predict, x, y, Attack(eps, 40, eps / 4, 1, box), dice())
    assert torch.equal(once, expected)
    assert torch.equal(always, expected)
    if eps == 0.1:
        assert 0 < int(expected.sum()) < int((margin > 0).sum())


@pytest.mark.parametrize("eps", [0.02, 0.1])
def test_with_more_classes_the_search_lies_between_the_worst_case_and_clean(eps: float):
    predict, weight, x, y = linear(5)
    logits = predict(x)
    way = weight[None] - weight[y][:, None]
    gain = (way.abs() * reach(x[:, None].expand_as(way), way, eps, box=True)).sum(2)
    threatened = logits - logits.gather(1, y[:, None]) + gain
    worst = threatened.scatter(1, y[:, None], -torch.inf).amax(1) < 0
    _, always = survivors(predict, x, y, Attack(eps, 40, eps / 4, 2), dice())
    clean = logits.argmax(1) == y
    assert bool((always | ~worst).all())
    assert bool((clean | ~always).all())
    assert int(always.sum()) - int(worst.sum()) < 0.05 * SAMPLES


@pytest.fixture(scope="module")
def network():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(WIDTH, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 4))
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(2)
    x = torch.rand(SAMPLES, WIDTH, generator=torch.Generator().manual_seed(1))
    return model, x, model(x).argmax(1)


def shares(network, **changes: float) -> tuple[float, float]:
    model, x, y = network
    asked = {"eps": 0.1, "steps": 20, "restarts": 1, **changes}
    eps = asked["eps"]
    attack = Attack(eps, int(asked["steps"]), eps / 4, int(asked["restarts"]))
    once, always = survivors(model, x, y, attack, dice())
    return float(once.double().mean()), float(always.double().mean())


def test_accuracy_falls_as_the_radius_grows(network):
    found = [shares(network, eps=eps) for eps in (0.0, 0.02, 0.05, 0.1, 0.2)]
    assert found[0] == (1, 1)
    for column in zip(*found, strict=True):
        assert list(column) == sorted(column, reverse=True)
        assert column[-1] < column[1] < 1


def test_a_search_finds_what_one_step_misses(network):
    once, always = shares(network)
    assert always < once


def test_more_restarts_never_help_the_model(network):
    found = [shares(network, restarts=restarts)[1] for restarts in (1, 2, 5)]
    assert found == sorted(found, reverse=True)


def test_inputs_stay_within_the_radius_and_the_box():
    predict, _, x, y = linear(2)
    seen: list[Tensor] = []

    def watched(inputs: Tensor) -> Tensor:
        seen.append(inputs.detach().clone())
        return predict(inputs)

    survivors(watched, x, y, Attack(0.1, 5, 0.08, 1), dice())
    assert len(seen) > 5
    for inputs in seen:
        assert float(inputs.amin()) >= 0
        assert float(inputs.amax()) <= 1
        # each input has moved from one of the samples by no more than the radius
        assert float(torch.cdist(inputs, x, p=torch.inf).amin(1).max()) <= 0.1 + 1e-12


def test_the_model_gets_no_gradient(network):
    model = network[0]
    shares(network)
    assert all(weight.grad is None for weight in model.parameters())


def test_batches_are_put_together(monkeypatch: pytest.MonkeyPatch):
    predict, _, x, y = linear(2)
    whole = survivors(predict, x, y, Attack(0.1, 5, 0.05, 1), dice())
    monkeypatch.setattr("taxo.training.attacks.ATTACK_BATCH", 150)
    pieces = survivors(predict, x, y, Attack(0.1, 5, 0.05, 1), dice())
    assert torch.equal(whole[0], pieces[0])
    assert pieces[1].shape == whole[1].shape
