"""Steps that follow an implicit gradient: the whole bilevel map, what is counted, and when it is done."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.laws.watch import counted
from taxo.runtime.step import Step
from tests.fidelity.nets import conv, mlp

CLASSES, FEATURES, RIDGE = 3, 4, 0.1
DICE = torch.Generator().manual_seed(7)
X, HELD_X = (torch.randn(12, FEATURES, generator=DICE).double() for _ in range(2))
Y, HELD_Y = (torch.randint(CLASSES, (12,), generator=DICE) for _ in range(2))
TEXT = """
method settled
needs validation
loss cross_entropy + {ridge} * l2(w)^2
param t per {grain} = 0.3
{more}
perturb {target} by {form} {{ direction mixed granularity {grain} }}
infer meta over t minimize loss on validation via implicit({solver})
"""
FORMS = {"logits": "t", "features": "t * x", "loss": "t * loss"}
EXACT = "hessian: cg(60, damping: 0), optimizer: sgd(1)"


def method(target: str = "logits", solver: str = EXACT, more: str = "") -> taxo.Method:
    grain = "category" if target == "logits" else "sample"
    text = TEXT.format(ridge=RIDGE, grain=grain, target=target, form=FORMS[target], solver=solver, more=more)
    return taxo.parse(text)


def compiled(model: nn.Module, found: taxo.Method, **more: Any) -> Step:
    given: dict[str, Any] = {"classes": CLASSES, "samples": 12, "validation": [(HELD_X, HELD_Y)]} | more
    return taxo.compile(found, model, **given).double()


def training(row: Tensor, t: Tensor, target: str) -> Tensor:
    """The training loss of a linear model whose weight and bias are one row, written out."""
    weight, bias = row[: CLASSES * FEATURES].view(CLASSES, FEATURES), row[CLASSES * FEATURES :]
    x = X + t[:, None] * X if target == "features" else X
    u = x @ weight.T + bias
    losses = functional.cross_entropy(u + t if target == "logits" else u, Y, reduction="none")
    return (losses * (1 + t) if target == "loss" else losses).mean() + RIDGE * (row**2).sum()


def minimum(t: Tensor, target: str) -> Tensor:
    """Newton's method; the problem is convex."""
    row = torch.zeros(CLASSES * (FEATURES + 1), dtype=torch.float64)
    for _ in range(12):
        at = row.requires_grad_()
        (slope,) = torch.autograd.grad(training(at, t, target), at, create_graph=True)
        dense = torch.stack([torch.autograd.grad(one, at, retain_graph=True)[0] for one in slope])
        row = row.detach() - torch.linalg.solve(dense, slope.detach())
    return row


def outer(t: Tensor, target: str) -> Tensor:
    """The held-out loss of the weights that training settles at."""
    row = minimum(t, target)
    weight, bias = row[: CLASSES * FEATURES].view(CLASSES, FEATURES), row[CLASSES * FEATURES :]
    return functional.cross_entropy(HELD_X @ weight.T + bias, HELD_Y)


@pytest.mark.parametrize("target", FORMS)
def test_the_slope_is_that_of_the_whole_map(target: str):
    start = torch.full((CLASSES if target == "logits" else 12,), 0.3, dtype=torch.float64)
    sides = 1e-4 * torch.eye(len(start), dtype=torch.float64)
    expected = torch.stack(
        [(outer(start + one, target) - outer(start - one, target)) / 2e-4 for one in sides]
    )
    model = nn.Linear(FEATURES, CLASSES).double()
    torch.nn.utils.vector_to_parameters(minimum(start, target), model.parameters())
    step = compiled(model, method(target))
    step(X, Y, torch.arange(12))
    moved = start - step.state_dict()["table_t.value"].view_as(start)
    assert float((moved - expected).norm() / expected.norm()) < 1e-5


SOLVERS = {
    "": 5,
    "hessian: neumann(steps: 3)": 3,
    "hessian: cg": 50,
    "hessian: cg(steps: 7)": 7,
    "hessian: lissa(steps: 4)": 4,
    "hessian: way(steps: 4)": 4,
}


@pytest.mark.parametrize("target", FORMS)
@pytest.mark.parametrize(("solver", "products"), SOLVERS.items())
def test_it_costs_what_the_plan_says(target: str, solver: str, products: int):
    more = "param way = neumann in {neumann, cg}" if "way" in solver else ""
    rate = "" if solver == "" else ", optimizer: sgd(1)"
    model = nn.Sequential(nn.Linear(FEATURES, 5), nn.Tanh(), nn.Linear(5, CLASSES)).double()
    step = compiled(model, method(target, solver + rate, more))
    step.attach(torch.optim.SGD(model.parameters(), lr=0.1))
    with counted(step.model) as passes:
        step(X, Y, torch.arange(12)).backward()
    late = target == "features"
    assert (sum(passes.forward_rows) / 12, sum(passes.backward_rows) / 12) == (
        2 + late,
        4 + 2 * products + late,
    )
    assert (step.plan.forwards, step.plan.backwards) == (2 + late, 4 + 2 * products + late)


def test_it_is_done_every_so_many_steps():
    model = mlp(CLASSES).double()
    held = [(torch.rand(4, 1, 6, 6), torch.arange(4) % CLASSES)]
    step = compiled(model, method(solver="every: 3, optimizer: sgd(1)"), validation=held)
    x, y = torch.rand(5, 1, 6, 6, dtype=torch.float64), torch.arange(5) % CLASSES
    before, moved = step.state_dict()["table_t.value"].clone(), list[bool]()
    for _ in range(7):
        step(x, y).backward()
        after = step.state_dict()["table_t.value"].clone()
        moved.append(not torch.equal(before, after))
        before = after
    assert moved == [True, False, False, True, False, False, True]
    assert [one.timed for one in step.plan.passes] == [False, True, True, True, True]


def test_norms_and_gradients_stay_as_they_are():
    model = conv(CLASSES).double()
    held = [(torch.rand(4, 1, 6, 6), torch.arange(4) % CLASSES)]
    step, twin = compiled(model, method(solver="optimizer: sgd(1)"), validation=held), conv(CLASSES).double()
    x, y = torch.rand(5, 1, 6, 6, dtype=torch.float64), torch.arange(5) % CLASSES
    loss = step(x, y)
    assert all(weight.grad is None for weight in model.parameters())
    twin(x)
    for name, value in twin.named_buffers():
        assert torch.equal(value, model.state_dict()[name])
    loss.backward()
    assert all(weight.grad is not None for weight in model.parameters())
