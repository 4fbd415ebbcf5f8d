"""Steps that look ahead: the whole of one against differences, and what it leaves alone."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

import taxo
from taxo.laws.watch import counted
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, SAMPLES, batch, conv, mlp, weights

HELD = [batch(8, seed=seed)[:2] for seed in (61, 62)]
LR = 0.3
TEXT = """
method looking
needs validation
{param}
perturb {target} by {form} {{ direction mixed {infer} granularity {grain} }}
{over}
"""
SOLVER = "minimize loss on validation via lookahead(lr: {lr}, steps: {steps}{more}, optimizer: sgd(1))"


def looking(what: str, steps: int = 1, more: str = "", lr: float = LR) -> taxo.Method:
    """A method that learns one thing: a number, one per class or sample, or the unknown of an act."""
    solver = SOLVER.format(lr=lr, steps=steps, more=more)
    over, infer = f"infer meta over t {solver}", ""
    param, target, form, grain = "param t = 0.3", "logits", "t * p", "sample"
    match what:
        case "category" | "sample":
            param = f"param t per {what} = 0.3"
            form = "t[y] * p" if what == "category" else "t * p"
        case "loss":
            target, form = "loss", "t * loss"
        case "labels":
            target, form = "labels", "t * (1 / C - y)"
        case "features":
            target, form = "features", "t * x"
        case "logits by v" | "features by v":
            param, over, target, form, infer = "", "", what.split()[0], "v", f"infer meta {solver}"
        case _:
            pass
    text = TEXT.format(param=param, target=target, form=form, infer=infer, grain=grain, over=over)
    return taxo.parse(text)


def compiled(method: taxo.Method, model: nn.Module, **more: Any) -> Step:
    given: dict[str, Any] = {"classes": CLASSES, "samples": SAMPLES, "validation": HELD, "seed": 3} | more
    return taxo.compile(method, model, **given).double()


def tables(step: Step) -> dict[str, Tensor]:
    return {name: one.clone() for name, one in step.state_dict().items() if name.endswith("value")}


def perturbed(what: str, model: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
    """The training loss, written out."""
    x, y, index = batch(8, seed=1)
    match what:
        case "features":
            return functional.cross_entropy(model(x + t * x), y)
        case "features by v":
            return functional.cross_entropy(model(x + t[index]), y)
        case "logits by v":
            return functional.cross_entropy(model(x) + t[index], y)
        case "loss":
            return (1 + t) * functional.cross_entropy(model(x), y)
        case "labels":
            q = functional.one_hot(y, CLASSES).double()
            return -((q + t * (1 / CLASSES - q)) * model(x).log_softmax(1)).sum(1).mean()
        case _:
            u = model(x)
            size = t[y][:, None] if what == "category" else t[index][:, None] if what == "sample" else t
            return functional.cross_entropy(u + size * u.softmax(1), y)


def behind(what: str, model: nn.Module, t: Tensor, steps: int = 1, head: bool = False) -> Tensor:
    """The loss of the first held-out batch behind some real steps of a copy."""
    twin = deepcopy(model)
    moving = list(twin.get_submodule("3").parameters()) if head else list(twin.parameters())
    for _ in range(steps):
        found = torch.autograd.grad(perturbed(what, twin, t), moving)
        with torch.no_grad():
            for weight, slope in zip(moving, found, strict=True):
                weight -= LR * slope
    x, y = HELD[0]
    return functional.cross_entropy(twin(x), y).detach()


def slope_of(what: str, model: nn.Module, t: Tensor, steps: int = 1, head: bool = False) -> Tensor:
    """The slope by differences in every entry that the batch has."""
    slopes, flat = torch.zeros(t.numel(), dtype=torch.float64), t.flatten()
    for number in range(t.numel()):
        side = torch.zeros_like(flat)
        side[number] = 1e-5
        up, down = ((flat + sign * side).view_as(t) for sign in (1, -1))
        sides = (behind(what, model, one, steps, head) for one in (up, down))
        slopes[number] = (next(sides) - next(sides)) / 2e-5
    return slopes.view_as(t)


START = {
    "category": (CLASSES,),
    "sample": (SAMPLES,),
    "logits by v": (SAMPLES, CLASSES),
    "features by v": (SAMPLES, 1, 6, 6),
}
WHATS = ("number", "category", "sample", "loss", "labels", "features", "logits by v")


def agree(what: str, steps: int, more: str, off: float, head: bool = False) -> None:
    model = mlp().double()
    start = torch.full(START.get(what, ()), 0.0 if "by v" in what else 0.3, dtype=torch.float64)
    expected = slope_of(what, deepcopy(model), start, steps, head)
    step = compiled(looking(what, steps, more), model)
    step(*batch(8, seed=1))
    (found,) = tables(step).values()
    moved = start - found.reshape(start.shape)
    assert float((moved - expected).norm() / expected.norm()) < off


@pytest.mark.parametrize("what", WHATS)
def test_the_slope_is_that_of_the_whole_map(what: str):
    agree(what, 1, "", 1e-5)


@pytest.mark.parametrize("what", ["number", "category", "features"])
@pytest.mark.parametrize("steps", [2, 3])
def test_several_virtual_steps(what: str, steps: int):
    agree(what, steps, "", 1e-5)


@pytest.mark.parametrize("what", ["number", "category", "features", "logits by v"])
@pytest.mark.parametrize("steps", [1, 3])
def test_without_second_derivatives(what: str, steps: int):
    agree(what, steps, ", order: first", 2e-3)


@pytest.mark.parametrize("order", ["second", "first"])
def test_the_head_alone(order: str):
    agree("category", 1, f", of: head, order: {order}", 1e-5 if order == "second" else 2e-3, head=True)


def test_an_unknown_of_the_images():
    """A whole table is too much for differences: a direction is enough."""
    model = mlp().double()
    way = torch.randn(SAMPLES, 1, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    sides = [behind("features by v", model, 1e-5 * sign * way) for sign in (1, -1)]
    step = compiled(looking("features by v"), model)
    step(*batch(8, seed=1))
    (found,) = tables(step).values()
    assert float(-(found * way).sum()) == pytest.approx(float(sides[0] - sides[1]) / 2e-5, rel=1e-5)


# What is counted.

COSTS = {
    ("number", 1, ""): (2, 4),
    ("features", 1, ""): (3, 5),
    ("number", 2, ""): (3, 7),
    ("number", 1, ", order: first"): (4, 3),
    ("features", 1, ", order: first"): (5, 5),
    ("features", 3, ", order: first"): (11, 11),
    ("number", 1, ", of: head"): (2, 4),
    ("loss", 1, ", keep: false"): (2, 4),
}


@pytest.mark.parametrize(("asked", "cost"), COSTS.items())
def test_it_costs_what_the_plan_says(asked: tuple[str, int, str], cost: tuple[int, int]):
    step = compiled(looking(*asked), mlp().double())
    with counted(step.model) as passes:
        step(*batch(8, seed=1)).backward()
    assert (sum(passes.forward_rows) / 8, sum(passes.backward_rows) / 8) == cost
    assert (step.plan.forwards, step.plan.backwards) == cost


# What is left alone.


class Dropping(nn.Module):
    """A net with batch norm and dropout."""

    def __init__(self) -> None:
        super().__init__()
        whole: Any = conv().double()
        self.body, self.drop, self.fc = whole[:-1], nn.Dropout(0.5), nn.Linear(16, CLASSES).double()

    def forward(self, x: Tensor) -> Tensor:
        return self.fc(self.drop(self.body(x)))


def dropping() -> nn.Module:
    torch.manual_seed(0)
    return Dropping()


@pytest.mark.parametrize("more", ["", ", order: first", ", of: head"])
@pytest.mark.parametrize("what", ["number", "features"])
@pytest.mark.parametrize("steps", [1, 2])
def test_statistics_masks_and_weights_are_those_of_the_training_pass(what: str, steps: int, more: str):
    """With nothing to learn at (the rate is 0) and nothing added, the step is the plain one bit for bit."""
    text = str(looking(what, steps, more)).replace("0.3\n", "0\n", 1).replace("sgd(1)", "sgd(0)")
    models = [dropping(), dropping()]
    steps_made = [compiled(taxo.parse(text), models[0]), compiled(taxo.load("plain"), models[1])]
    losses: list[Tensor] = []
    for step in steps_made:
        torch.manual_seed(5)
        before = [weight.detach().clone() for weight in weights(step.model)]
        loss = step(*batch(8, seed=1))
        assert all(weight.grad is None for weight in weights(step.model))
        assert all(torch.equal(*pair) for pair in zip(before, weights(step.model), strict=True))
        loss.backward()
        losses += [loss.detach(), torch.rand(1)]
    assert torch.equal(losses[0], losses[2])
    assert torch.equal(losses[1], losses[3])
    for one, other in zip(models[0].buffers(), models[1].buffers(), strict=True):
        assert torch.equal(one, other)
    for one, other in zip(weights(models[0]), weights(models[1]), strict=True):
        assert one.grad is not None
        torch.testing.assert_close(one.grad, other.grad, rtol=0, atol=1e-15)


@pytest.mark.parametrize("what", ["number", "features by v"])
def test_evaluation_and_passes_without_gradients_learn_nothing(what: str):
    step = compiled(looking(what), mlp().double())
    step(*batch(8, seed=1))
    before = tables(step)
    step.eval()
    step(*batch(8, seed=2))
    step.train()
    with torch.no_grad():
        step(*batch(8, seed=2))
    with torch.inference_mode():
        step(*batch(8, seed=2))
    assert all(torch.equal(one, before[name]) for name, one in tables(step).items())
    assert torch.equal(step.predict(batch(8)[0]), step.model(batch(8)[0]).detach())


def test_what_is_not_kept_is_found_anew_for_every_batch():
    step = compiled(looking("loss", more=", keep: false"), mlp().double())
    assert not tables(step)
    losses = [step(*batch(8, seed=1)).detach() for _ in range(3)]
    assert torch.equal(losses[0], losses[2])  # the same held-out batch again
    assert not torch.equal(losses[0], losses[1])


def test_a_domain_bounds_what_is_learned():
    text = str(looking("number")).replace("param t = 0.3", "param t = 0.3 in [0.25, 0.35]")
    step = compiled(taxo.parse(text.replace("sgd(1)", "sgd(1000)")), mlp().double())
    step(*batch(8, seed=1))
    (found,) = tables(step).values()
    assert float(found) in (0.25, 0.35)


def test_several_infer_clauses_take_turns():
    text = """
    method two
    needs validation
    param s = 0.1
    param t = 0.2
    perturb logits by s * p { direction mixed granularity sample }
    perturb loss by t * loss { direction mixed granularity sample }
    infer meta over s minimize loss on validation via lookahead(lr: 0.3, optimizer: sgd(1))
    infer meta over t minimize loss on validation via lookahead(lr: 0.3, optimizer: adam(0.01))
    """
    step = compiled(taxo.parse(text), mlp().double())
    with counted(step.model) as passes:
        step(*batch(8, seed=1)).backward()
    assert (sum(passes.forward_rows) / 8, sum(passes.backward_rows) / 8) == (
        step.plan.forwards,
        step.plan.backwards,
    )
    assert step.state_dict()["held._extra_state"] == 2


@pytest.mark.parametrize("what", ["number", "features"])
def test_a_compiled_model_looks_ahead_uncompiled(what: str):
    model, twin = mlp().double(), mlp().double()
    fast: Any = torch.compile(model, backend="eager")
    step, plain = compiled(looking(what), fast), compiled(looking(what), twin)
    for seed in (1, 2):
        torch.testing.assert_close(step(*batch(8, seed=seed)), plain(*batch(8, seed=seed)))
    torch.testing.assert_close(tables(step), tables(plain))


def test_attention_is_differentiated_twice():
    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.mix, self.fc = nn.MultiheadAttention(6, 2, batch_first=True), nn.Linear(36, CLASSES)

        def forward(self, x: Tensor) -> Tensor:
            return self.fc(self.mix(x[:, 0], x[:, 0], x[:, 0], need_weights=False)[0].flatten(1))

    torch.manual_seed(0)
    step = compiled(looking("category"), Attending().double())
    step(*batch(8, seed=1)).backward()
    assert all(
        bool(weight.grad.isfinite().all()) for weight in weights(step.model) if weight.grad is not None
    )


def test_functional_weights_reach_the_held_out_pass():
    """The held-out loss is read where the virtual step ends, not where the model stands."""
    model = mlp().double()
    step = compiled(looking("number"), model)
    seen: list[Tensor] = []
    model.get_submodule("3").register_forward_hook(lambda _, inputs, output: seen.append(output.detach()))
    x, y, index = batch(8, seed=1)
    step(x, y, index)
    named = dict(model.named_parameters())
    slopes = torch.autograd.grad(perturbed("number", model, torch.tensor(0.3).double()), list(named.values()))
    there = {name: one - LR * slope for (name, one), slope in zip(named.items(), slopes, strict=True)}
    torch.testing.assert_close(seen[1], functional_call(model, there, (HELD[0][0],)).detach())
