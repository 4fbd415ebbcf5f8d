"""Structured changes of real digits, as the steps of their methods make them: counted over a batch."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.language.errors import TaxoError
from taxo.ops.features import warp
from taxo.ops.flow import SmoothFlow
from taxo.ops.pictures import motionless
from taxo.ops.solvers import leaf, linearized, slope
from taxo.runtime.step import Step
from tests.fidelity.attack_references import entropies
from tests.fidelity.nets import made


@cache
def digits() -> tuple[Tensor, Tensor]:
    """The digits, twice as large, so that there are regions."""
    values, labels = load_digits(return_X_y=True)
    small = torch.tensor(np.asarray(values) / 16).float().view(-1, 1, 8, 8)
    return functional.interpolate(small, scale_factor=2, mode="bilinear"), torch.tensor(np.asarray(labels))


@cache
def trained() -> nn.Module:
    """A small net that knows most of the digits."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(256, 64), nn.Tanh(), nn.Linear(64, 10))
    x, y = digits()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(25):
        optimizer.zero_grad()
        functional.cross_entropy(model(x[:600]), y[:600]).backward()
        optimizer.step()
    return model.eval()


def unseen() -> tuple[Tensor, Tensor]:
    x, y = digits()
    return x[1000:1200], y[1000:1200]


def change(spec: str, name: str) -> Tensor:
    """What a step adds to digits that the net has not seen."""
    x, y = unseen()
    step = taxo.compile(spec, trained(), classes=10)
    step(x, y)
    return change_of(step, name)


def change_of(step: Step, name: str) -> Tensor:
    found = step.deltas[name]
    assert isinstance(found, Tensor)
    return found


def losses(x: Tensor) -> Tensor:
    return entropies(trained()(x), unseen()[1]).detach()


def test_the_net_has_learned():
    x, y = unseen()
    assert (trained()(x).argmax(1) == y).float().mean() > 0.8


@pytest.mark.parametrize("spec", ["adversarial_flow(chance: 1)", "adversarial_flow(chance: 1, steps: 3)"])
def test_bent_digits_have_larger_losses(spec: str):
    x, _ = unseen()
    assert (losses(x + change(spec, "m")) > losses(x)).float().mean() > 0.98


@pytest.mark.parametrize("gamma", [10, 50])
@pytest.mark.parametrize("size", [0.1, 0.3])
def test_the_opposite_motion_lowers_the_loss(gamma: float, size: float):
    x, y = unseen()
    rest = leaf(motionless(x))
    slopes = slope(entropies(trained()(warp(x, rest)), y).sum(), rest)
    motion = linearized(slopes, [SmoothFlow(gamma, size)], maximize=True)
    assert (losses(warp(x, motion)) > losses(x)).float().mean() > 0.98
    assert (losses(warp(x, -motion)) < losses(x)).float().mean() > 0.98


def test_more_steps_bend_more():
    x, _ = unseen()
    one, three = (
        losses(x + change(f"adversarial_flow(chance: 1, steps: {steps})", "m")).mean() for steps in (1, 3)
    )
    assert three > 1.05 * one


@pytest.mark.parametrize("steps", [1, 3])
def test_aimed_motions_go_to_the_likeliest_wrong_class(steps: int):
    x, y = unseen()
    with torch.no_grad():
        wrong = trained()(x).scatter(1, y[:, None], -torch.inf).argmax(1)
        bent = x + change(f"adversarial_flow(chance: 1, targeted: true, steps: {steps})", "m")
        closer = entropies(trained()(bent), wrong) < entropies(trained()(x), wrong)
    assert closer.float().mean() > 0.98


@pytest.mark.parametrize("rank", [0, 16])
def test_recoloured_digits_have_larger_losses(rank: int):
    x, _ = unseen()
    changed = change(f"adversarial_recolor(chance: 1, rank: {rank})", "d")
    assert (losses(x + changed) > losses(x)).float().mean() > 0.98
    assert (losses(x - changed) < losses(x)).float().mean() > 0.98
    assert float((x + changed).min()) >= 0
    assert float((x + changed).max()) <= 1


def test_half_of_the_batch_is_left_as_it_is():
    x, y = unseen()
    step = taxo.compile("adversarial_recolor", trained(), classes=10)
    step(x, y)
    rests = (change_of(step, "d") == 0).flatten(1).all(1)
    assert 0.3 < float(rests.float().mean()) < 0.7


@pytest.mark.parametrize("name", ["adversarial_flow", "adversarial_recolor"])
def test_columns_are_refused(name: str):
    step = made(name, nn.Linear(36, 5))
    with pytest.raises(TaxoError, match="pictures are needed") as raised:
        step(torch.rand(8, 36), torch.zeros(8, dtype=torch.long))
    assert raised.value.diagnostics[0].code == "T412"
