"""Gradients against finite differences.

What is live in a method is differentiated through the whole step. Where the perturbation is a constant for
the gradient, the differences are taken with what the step found held in place, in plain torch.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

import taxo
from tests.fidelity.nets import CLASSES, COUNTS, NETS, SAMPLES, batch, weights

LIVE = ("plain", "label_smoothing", "logit_adjustment(tau: 2)", "polyloss(eps: 3)", "logpert")
HELD = (
    "pgd_at(steps: 3)",
    "sam(rho: 0.2)",
    "damp",
    'damp(sites: "*.weight")',
    "mixpert(pro: 45%)",
    "mixpert(eps: 8/255, pro: 45%)",
)
each_net = pytest.mark.parametrize("net", NETS)


@each_net
@pytest.mark.parametrize("spec", LIVE)
def test_through_the_step(spec: str, net: str):
    model = NETS[net]().double()
    step = taxo.compile(spec, model, classes=CLASSES, samples=SAMPLES, class_counts=COUNTS)
    x, y, index = batch()
    step(x, y, index)  # a table that is no longer zero
    step.eval()
    names = [name for name, _ in step.named_parameters()]

    def loss(*values: Tensor) -> Tensor:
        return functional_call(step, dict(zip(names, values, strict=True)), (x, y, index))

    start = [weight.detach().clone().requires_grad_() for weight in step.parameters()]
    assert torch.autograd.gradcheck(loss, start, eps=1e-6, atol=1e-7, rtol=1e-5, fast_mode=True)


def held(model: nn.Module, deltas: dict[str, Tensor | dict[str, Tensor]], x: Tensor, y: Tensor) -> Tensor:
    """The mean cross entropy at perturbed weights, images and logits, told apart by their shapes."""
    moved: dict[str, Tensor] = {**dict(model.named_parameters())}
    images, offset = x, torch.zeros((), dtype=x.dtype)
    for delta in deltas.values():
        if isinstance(delta, dict):
            moved |= {name: moved[name] + part for name, part in delta.items()}
        elif delta.shape == x.shape:
            images = images + delta
        else:
            offset = offset + delta
    return functional.cross_entropy(functional_call(model, moved, (images,)) + offset, y)


@each_net
@pytest.mark.parametrize("spec", HELD)
def test_with_the_perturbation_held(spec: str, net: str):
    model, (x, y, index) = NETS[net]().double(), batch()
    step = taxo.compile(spec, model, classes=CLASSES, samples=SAMPLES)
    loss = step(x, y, index)
    slopes = torch.autograd.grad(loss, weights(model))
    torch.testing.assert_close(held(model, step.deltas, x, y).detach(), loss.detach(), atol=1e-12, rtol=0.0)
    dice = torch.Generator().manual_seed(0)
    for weight, slope in zip(weights(model), slopes, strict=True):
        way = torch.empty_like(weight).normal_(generator=dice)
        ends: list[float] = []
        for sign in (1, -1):
            with torch.no_grad():
                weight.add_(way, alpha=sign * 1e-6)
                ends.append(float(held(model, step.deltas, x, y)))
                weight.sub_(way, alpha=sign * 1e-6)
        assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(float((slope * way).sum()), abs=1e-7)
