"""Steps that look ahead of branches with norms of their own: those take virtual steps too."""

from __future__ import annotations

from copy import deepcopy
from typing import cast

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.laws.running import cost
from taxo.laws.subject import Subject
from taxo.laws.verdict import Outcome
from tests.fidelity.nets import CLASSES, batch, conv, weights

HELD = [batch(8, seed=61)[:2]]
LR = 0.3
VALUES = {"logits": "u", "features": "x"}
TEXT = """
method two_norms
needs validation
param t = 0.3
branch own weight 0.5 {{ perturb logits by t * p {{ direction mixed granularity sample }} }}
branch other weight 0.5 norm auxiliary {{
  perturb {target} by t * {value} {{ direction mixed granularity sample }} }}
infer meta over t minimize loss on validation via lookahead(lr: 0.3, steps: {steps}, optimizer: sgd(1))
"""


def method(target: str, steps: int) -> taxo.Method:
    return taxo.parse(TEXT.format(target=target, value=VALUES[target], steps=steps))


def losses(own: nn.Sequential, other: nn.Sequential, t: Tensor, target: str) -> Tensor:
    """The training loss, written out: two nets of the same weights but for their norms."""
    x, y, _ = batch(8, seed=1)
    u = own(x)
    v = other(x + t * x) if target == "features" else (1 + t) * other(x)
    return (functional.cross_entropy(u + t * u.softmax(1), y) + functional.cross_entropy(v, y)) / 2


def behind(model: nn.Module, t: float, target: str, steps: int) -> float:
    """The held-out loss behind some real steps of a copy with second norms."""
    own = cast(nn.Sequential, deepcopy(model))
    other = nn.Sequential(*(deepcopy(one) if isinstance(one, nn.BatchNorm2d) else one for one in own))
    moving = list({id(one): one for one in (*own.parameters(), *other.parameters())}.values())
    for _ in range(steps):
        found = torch.autograd.grad(losses(own, other, torch.tensor(t, dtype=torch.float64), target), moving)
        with torch.no_grad():
            for weight, slope in zip(moving, found, strict=True):
                weight -= LR * slope
    with torch.no_grad():
        return float(functional.cross_entropy(own(HELD[0][0]), HELD[0][1]))


@pytest.mark.parametrize("steps", [1, 3])
@pytest.mark.parametrize("target", ["logits", "features"])
def test_the_slope_is_that_of_the_whole_map(target: str, steps: int):
    model = conv().double()
    sides = [behind(model, 0.3 + side, target, steps) for side in (1e-5, -1e-5)]
    step = taxo.compile(method(target, steps), model, classes=CLASSES, validation=HELD).double()
    step(*batch(8, seed=1)[:2])
    slope = 0.3 - float(step.state_dict()["table_t.value"])
    assert slope == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-5)


def test_both_sets_of_norms_take_the_batch_in_once():
    model = conv().double()
    plain = deepcopy(model)
    step = taxo.compile(method("logits", 2), model, classes=CLASSES, validation=HELD).double()
    x, y, _ = batch(8, seed=1)
    before = [one.detach().clone() for one in weights(model)]
    step(x, y).backward()
    plain(x)
    assert all(torch.equal(*pair) for pair in zip(before, weights(model), strict=True))
    assert step.auxiliary is not None
    with step.auxiliary.instead():
        second = step.auxiliary.present()
    for name, value in plain.named_buffers():
        torch.testing.assert_close(model.get_buffer(name), value)
        torch.testing.assert_close(second[name], value)


@pytest.mark.parametrize("target", ["logits", "features"])
def test_its_passes_are_those_of_the_plan(target: str):
    verdict = cost(Subject(method(target, 2)))
    assert verdict.outcome is Outcome.HOLDS, verdict.measured
