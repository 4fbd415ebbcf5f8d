"""Steps that look ahead of branches with norms of their own, or with statistics in common."""

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
TEXT = """
method two_branches
needs validation
param t = 0.3
let k = 2 * t
branch own weight 0.5 {own} {{ perturb logits by t * p {{ direction mixed granularity sample }} }}
branch other weight t {other} {{
  perturb {target} by k * {value} {{ direction mixed granularity sample }} }}
infer meta over t minimize loss on validation via lookahead(lr: 0.3, steps: {steps}, optimizer: sgd(1))
"""
NORMS = {"second": ("", "norm auxiliary"), "shared": ("norm batch", "norm batch")}
VALUES = {"logits": "u", "features": "x"}
CASES = [
    ("second", "logits", 1),
    ("second", "features", 3),
    ("shared", "logits", 2),
    ("shared", "features", 1),
]


def method(norms: str, target: str, steps: int) -> taxo.Method:
    own, other = NORMS[norms]
    return taxo.parse(TEXT.format(own=own, other=other, target=target, value=VALUES[target], steps=steps))


def losses(own: nn.Module, other: nn.Module, t: Tensor, target: str) -> Tensor:
    """The training loss, written out; one net of both branches sees them in one batch."""
    x, y, _ = batch(8, seed=1)
    moved = x + 2 * t * x if target == "features" else x
    u, v = own(torch.cat([x, moved])).chunk(2) if own is other else (own(x), other(moved))
    v = v if target == "features" else v + 2 * t * v
    pulled = functional.cross_entropy(u + t * u.softmax(1), y)
    return pulled / 2 + t * functional.cross_entropy(v, y)


def behind(model: nn.Module, far: float, norms: str, target: str, steps: int) -> float:
    """The held-out loss behind some real steps of a copy, which may have second norms."""
    own = other = cast(nn.Sequential, deepcopy(model))
    if norms == "second":
        other = nn.Sequential(*(deepcopy(one) if isinstance(one, nn.BatchNorm2d) else one for one in own))
    moving = list({id(one): one for one in (*own.parameters(), *other.parameters())}.values())
    for _ in range(steps):
        loss = losses(own, other, torch.tensor(0.3 + far, dtype=torch.float64), target)
        found = torch.autograd.grad(loss, moving)
        with torch.no_grad():
            for weight, slope in zip(moving, found, strict=True):
                weight -= LR * slope
    with torch.no_grad():
        return float(functional.cross_entropy(own(HELD[0][0]), HELD[0][1]))


@pytest.mark.parametrize(("norms", "target", "steps"), CASES)
def test_the_slope_is_that_of_the_whole_map(norms: str, target: str, steps: int):
    model = conv().double()
    sides = [behind(model, side, norms, target, steps) for side in (1e-5, -1e-5)]
    step = taxo.compile(method(norms, target, steps), model, classes=CLASSES, validation=HELD).double()
    step(*batch(8, seed=1)[:2])
    slope = 0.3 - float(step.state_dict()["table_t.value"])
    assert slope == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-5)


def test_both_sets_of_norms_take_the_batch_in_once():
    model = conv().double()
    plain = deepcopy(model)
    step = taxo.compile(method("second", "logits", 2), model, classes=CLASSES, validation=HELD).double()
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


def test_statistics_in_common_take_the_batch_in_once():
    model = conv().double()
    plain = deepcopy(model)
    step = taxo.compile(method("shared", "logits", 2), model, classes=CLASSES, validation=HELD).double()
    x, y, _ = batch(8, seed=1)
    step(x, y)
    plain(torch.cat([x, x]))
    for name, value in plain.named_buffers():
        torch.testing.assert_close(model.get_buffer(name), value)


@pytest.mark.parametrize(("norms", "target", "steps"), CASES)
def test_its_passes_are_those_of_the_plan(norms: str, target: str, steps: int):
    verdict = cost(Subject(method(norms, target, steps)))
    assert verdict.outcome is Outcome.HOLDS, verdict.measured
