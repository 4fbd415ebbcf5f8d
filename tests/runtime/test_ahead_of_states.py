"""Looking ahead of states: what one holds takes a step for one batch, and stays what it was."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, SAMPLES, batch, mlp

HELD = [batch(8, seed=61)[:2]]
LR, RATE = 0.3, 50.0
TEXT = """
method remembering
needs validation
state s per {grain} = {value}
perturb loss by s{index} * loss {{ direction mixed granularity sample }}
infer meta over s minimize loss on validation
      via lookahead(lr: 0.3, optimizer: sgd(50){more}, keep: false)
"""
VALUES = {"sample": "loss / 9", "category": "mean(loss / 9)", "corpus": "mean(loss / 9)"}


def compiled(grain: str, model: nn.Module, more: str = "") -> Step:
    index = "[y]" if grain == "category" else ""
    text = TEXT.format(grain=grain, value=VALUES[grain], index=index, more=more)
    given = {"classes": CLASSES, "samples": SAMPLES, "validation": HELD}
    return taxo.compile(taxo.parse(text), model, **given).double()  # pyright: ignore[reportArgumentType]


def kept(step: Step) -> Tensor:
    return step.state_dict()["state_s.kept"].clone()


def losses(model: nn.Module, s: Tensor, grain: str) -> Tensor:
    """The training losses with a state, written out."""
    x, y, index = batch(8, seed=1)
    own = s[{"sample": index, "category": y}.get(grain, torch.zeros_like(y))]
    return (1 + own) * functional.cross_entropy(model(x), y, reduction="none")


def behind(model: nn.Module, s: Tensor, grain: str) -> float:
    """The held-out loss behind one real step of a copy."""
    twin = deepcopy(model)
    moving = list(twin.parameters())
    found = torch.autograd.grad(losses(twin, s, grain).mean(), moving)
    with torch.no_grad():
        for weight, slope in zip(moving, found, strict=True):
            weight -= LR * slope
        return float(functional.cross_entropy(twin(HELD[0][0]), HELD[0][1]))


@pytest.mark.parametrize("grain", VALUES)
def test_the_step_is_down_the_slope_of_the_whole_map(grain: str):
    model = mlp().double()
    step = compiled(grain, model)
    step(*batch(8, seed=1))
    s = kept(step)
    assert bool(s.any())
    slope = torch.zeros_like(s)
    for number in range(len(s)):
        side = torch.zeros_like(s)
        side[number] = 1e-5
        slope[number] = (behind(model, s + side, grain) - behind(model, s - side, grain)) / 2e-5
    step(*batch(8, seed=1))
    expected = losses(model, s - RATE * slope, grain).detach()
    assert not torch.allclose(expected, losses(model, s, grain).detach(), rtol=1e-3)
    torch.testing.assert_close(step.losses, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("grain", VALUES)
def test_a_state_keeps_what_it_would_without_looking_ahead(grain: str):
    """It takes in the losses before they are perturbed, which do not depend on where it has moved."""
    text = str(compiled(grain, mlp()).method).replace("needs validation\n", "")
    text = text[: text.index("infer meta")].replace("  granularity", "  infer prior\n  granularity")
    plain = taxo.parse(text)
    step = compiled(grain, mlp().double())
    other = taxo.compile(plain, mlp().double(), classes=CLASSES, samples=SAMPLES).double()
    for seed in (1, 2, 1):
        step(*batch(8, seed=seed))
        other(*batch(8, seed=seed))
        torch.testing.assert_close(kept(step), kept(other), rtol=0, atol=0)


def test_nothing_moves_in_evaluation_and_without_gradients():
    step = compiled("sample", mlp().double())
    step(*batch(8, seed=1))
    s = kept(step)
    step.eval()
    step(*batch(8, seed=1))
    found = step.losses
    torch.testing.assert_close(found, losses(step.model, s, "sample").detach())
    assert torch.equal(kept(step), s)


def test_the_first_batch_moves_every_matrix_by_itself():
    """Before anything is known a covariance is zero, and still one matrix per class."""
    text = """
    method m
    needs validation
    state cov per category = covariance(z)
    perturb logits by quadratic(W, cov)[y] { direction mixed granularity category }
    infer meta over cov minimize loss on validation via lookahead(lr: 0.3, optimizer: sgd(9), keep: false)
    """
    model = mlp().double()
    step = taxo.compile(taxo.parse(text), model, classes=CLASSES, validation=HELD).double()
    x, y, _ = batch(8, seed=1)

    def trained(sigma: Tensor) -> Tensor:
        w = list(model.parameters())[-2]
        apart = w - w[y][:, None]
        u = model(x) + torch.einsum("bcd,bde,bce->bc", apart, sigma[y], apart)
        return functional.cross_entropy(u, y, reduction="none")

    sigma = torch.zeros(CLASSES, 7, 7, dtype=torch.float64, requires_grad=True)
    weights = dict(model.named_parameters())
    slopes = torch.autograd.grad(trained(sigma).mean(), list(weights.values()), create_graph=True)
    moved = {name: one - LR * slope for (name, one), slope in zip(weights.items(), slopes, strict=True)}
    u = torch.func.functional_call(model, moved, (HELD[0][0],))
    (slope,) = torch.autograd.grad(functional.cross_entropy(u, HELD[0][1]), sigma)
    step(x, y)
    torch.testing.assert_close(step.losses, trained(-9 * slope).detach(), rtol=1e-9, atol=1e-12)
    assert not torch.allclose(step.losses, trained(0 * slope).detach(), rtol=1e-6)
