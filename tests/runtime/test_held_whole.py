"""What a search on held-out data finds for the whole method, against differences of the held-out loss."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.ops.solvers import carried
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, batch, mlp

HELD = [batch(6, seed=seed)[:2] for seed in (51, 52)]
TEXT = """
method there
needs validation
param t {param}
perturb {target} by {form} {{ direction mixed granularity {grain} }}
infer meta over t minimize loss on validation via gradient(steps: 1, step: 2)
"""
CASES: dict[str, tuple[str, str, str, tuple[int, ...]]] = {
    "corpus": ("= 0.3", "logits", "t * p", ()),
    "category": ("per category = 0.3", "logits", "t[y] * p", (CLASSES,)),
    "images of all": ("= 0.3 like x", "features", "t * x", (1, 6, 6)),
    "images of a class": ("per category = 0.3 like x", "features", "t[y] * x", (CLASSES, 1, 6, 6)),
}


def compiled(what: str, model: nn.Module) -> Step:
    param, target, form, _ = CASES[what]
    text = TEXT.format(param=param, target=target, form=form, grain="sample")
    return taxo.compile(taxo.parse(text), model, classes=CLASSES, validation=HELD).double()


def loss(what: str, model: Callable[[Tensor], Tensor], t: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """The perturbed loss, written out."""
    own = t[y] if t.dim() in (1, 4) else t
    if what.startswith("images"):
        return functional.cross_entropy(model(x + own * x), y)
    u = model(x)
    return functional.cross_entropy(u + own.reshape(-1, 1) * u.softmax(1), y)


@pytest.mark.parametrize("what", CASES)
def test_it_goes_down_the_slope_of_the_held_out_loss(what: str):
    model, start = mlp().double(), torch.full(CASES[what][3], 0.3, dtype=torch.float64)
    slope = torch.zeros(start.numel(), dtype=torch.float64)
    for number in range(len(slope)):
        side = torch.zeros_like(slope)
        side[number] = 1e-5
        up, down = (loss(what, model, start + sign * side.view_as(start), *HELD[0]) for sign in (1, -1))
        slope[number] = (up - down).detach() / 2e-5
    step = compiled(what, model)
    step(*batch(8, seed=1)[:2])
    found = step.state_dict()["table_t.value"].view_as(start)
    torch.testing.assert_close(found, start - 2 * slope.view_as(start), rtol=1e-6, atol=1e-8)
    x, y, _ = batch(8, seed=1)
    torch.testing.assert_close(step.losses.mean(), loss(what, model, found, x, y).detach())


@pytest.mark.parametrize("what", CASES)
def test_evaluation_and_passes_without_gradients_find_nothing(what: str):
    step = compiled(what, mlp().double())
    step(*batch(8, seed=1)[:2])
    before = step.state_dict()["table_t.value"].clone()
    with torch.no_grad():
        step(*batch(8, seed=2)[:2])
    step.eval()
    step(*batch(8, seed=2)[:2])
    assert torch.equal(before, step.state_dict()["table_t.value"])
    assert step.state_dict()["held._extra_state"] == 1


def test_a_domain_bounds_what_is_found():
    text = TEXT.format(param="= 0.3 in [0.25, 0.35]", target="logits", form="t * p", grain="sample").replace(
        "step: 2)", "step: 2000)"
    )
    step = taxo.compile(taxo.parse(text), mlp().double(), classes=CLASSES, validation=HELD).double()
    step(*batch(8, seed=1)[:2])
    assert float(step.state_dict()["table_t.value"]) in (0.25, 0.35)


def test_what_is_found_moves_as_its_start():
    start = torch.tensor([1.0, 2.0], requires_grad=True)
    found = carried(torch.tensor([5.0, 7.0], requires_grad=True), 3 * start)
    assert found.tolist() == [5, 7]
    assert torch.autograd.grad(found.sum(), start)[0].tolist() == [3, 3]
