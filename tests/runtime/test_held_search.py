"""A search on held-out data finds there what perturbs the batch."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, batch, mlp

HELD = [batch(6, seed=seed)[:2] for seed in (51, 52)]
EPS = 0.2
TEXT = """
method there
needs validation
perturb features by d {{ direction negative
  infer meta maximize loss within linf(0.2), box on validation via pgd(steps: 3, step: 0.1, start: kept)
  granularity {grain} }}
"""


def compiled(grain: str, model: nn.Module) -> Step:
    return taxo.compile(
        taxo.parse(TEXT.format(grain=grain)), model, classes=CLASSES, validation=HELD
    ).double()


def climbed(model: nn.Module, d: Tensor, x: Tensor, y: Tensor, rows: Tensor) -> Tensor:
    """Three projected sign steps up the mean loss, written out."""
    for _ in range(3):
        at = d.clone().requires_grad_()
        loss = functional.cross_entropy(model((x + at[rows]).clamp(0, 1)), y)
        d = (d + 0.1 * torch.autograd.grad(loss, at)[0].sign()).clamp(-EPS, EPS)
    return d


@pytest.mark.parametrize("grain", ["category", "corpus"])
def test_it_climbs_the_held_out_loss(grain: str):
    model = mlp().double()
    step = compiled(grain, model)
    d = torch.zeros(CLASSES if grain == "category" else 1, 1, 6, 6, dtype=torch.float64)
    for number in range(3):
        x, y = HELD[number % 2]
        d = climbed(model, d, x, y, y if grain == "category" else torch.zeros_like(y))
        x, y, _ = batch(8, seed=number)
        step(x, y)
        rows = y if grain == "category" else torch.zeros_like(y)
        expected = functional.cross_entropy(model((x + d[rows]).clamp(0, 1)), y, reduction="none")
        torch.testing.assert_close(step.losses, expected.detach(), rtol=1e-12, atol=1e-12)
    assert step.state_dict()["held._extra_state"] == 3


def test_nothing_is_searched_in_evaluation_and_without_gradients():
    step = compiled("category", mlp().double())
    step(*batch(8, seed=1)[:2])
    before = step.state_dict()["kept_d.value"].clone()
    with torch.no_grad():
        step(*batch(8, seed=2)[:2])
    step.eval()
    step(*batch(8, seed=2)[:2])
    assert step.meters()["d"]["fired"] > 0  # what is kept perturbs all the same
    assert torch.equal(before, step.state_dict()["kept_d.value"])
    assert step.state_dict()["held._extra_state"] == 1
