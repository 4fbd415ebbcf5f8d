"""Steps that learn their teacher: when it moves, whose it is, what is saved, and what is refused."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.language.errors import TaxoError
from taxo.laws.running import cost
from taxo.laws.subject import Subject, generator
from taxo.laws.toys import CONV, MLP
from taxo.laws.verdict import Outcome
from taxo.runtime.compiled import Front
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, LR, batch, close, conv, descend, mlp, weights

HELD = [batch(8, seed=seed)[:2] for seed in (61, 62)]
SPEC = "metadistil"
TEXT = """
method m
needs {needs}, validation
{clauses}
infer meta over {over} {goal} on validation via {via}
"""
TAUGHT = "perturb loss by ce(u, teacher.p) - loss { direction mixed granularity sample }"
MADE = "perturb features by 0.5 * (generator - x) { direction mixed granularity sample }"
SHOWN = "perturb features by 0.1 * sum(teacher.p^2) * x { direction mixed granularity sample }"
SCALED = "param t = 0.2\nperturb logits by t * u { direction mixed granularity sample }"


def text(
    clauses: str = TAUGHT,
    over: str = "teacher",
    needs: str = "teacher",
    goal: str = "minimize loss",
    via: str = "lookahead(lr: 0.3, optimizer: sgd(1))",
) -> str:
    return TEXT.format(clauses=clauses, over=over, needs=needs, goal=goal, via=via)


def compiled(spec: str | taxo.Method, model: Any = None, **given: Any) -> Step:
    more: dict[str, Any] = {"teacher": mlp(seed=5).double(), "validation": HELD} | given
    step = taxo.compile(spec, model or mlp().double(), classes=CLASSES, **more)
    step.attach(torch.optim.SGD(step.model.parameters(), lr=LR))
    return step


def values(module: nn.Module) -> list[Tensor]:
    return [one.detach().clone() for one in module.state_dict().values()]


def test_it_moves_in_training_with_gradients_only():
    teacher = conv(seed=5).double()
    step, before = compiled(SPEC, teacher=teacher), values(teacher)
    with torch.no_grad():
        step(*batch()[:2])
    step.eval()
    step(*batch()[:2])
    step.predict(batch()[0])
    close(values(teacher), before, atol=0)
    step.train()
    step(*batch()[:2]).backward()
    assert all(one.grad is None for one in teacher.parameters())
    assert not {id(one) for one in step.parameters()} & {id(one) for one in teacher.parameters()}
    pairs = zip(teacher.state_dict().items(), before, strict=True)
    still = [name for (name, one), old in pairs if torch.equal(one, old)]
    assert all("running" in name or "num_batches" in name for name in still)  # it is in evaluation mode
    assert not teacher.training


def test_what_is_frozen_of_it_rests():
    teacher = mlp(seed=5).double()
    teacher.get_parameter("1.weight").requires_grad_(False)
    step, before = compiled(SPEC, teacher=teacher), values(teacher)
    step(*batch()[:2])
    assert [torch.equal(one, old) for one, old in zip(values(teacher), before, strict=True)] == [
        True,
        False,
        False,
        False,
    ]


def test_a_teacher_that_is_frozen_whole_is_refused():
    with pytest.raises(TaxoError, match="none of its weights takes gradients") as raised:
        compiled(SPEC, teacher=mlp(seed=5).double().requires_grad_(False))
    assert raised.value.diagnostics[0].code == "T401"


def test_a_teacher_in_parts_is_refused():
    teacher = mlp(seed=5).double()
    vars(teacher.get_parameter("1.weight"))["full_tensor"] = None  # as the weights of a sharded module
    with pytest.raises(
        TaxoError, match="the teacher is learned, and the teacher's weights are sharded"
    ) as raised:
        compiled(SPEC, teacher=teacher)
    assert raised.value.diagnostics[0].code == "T411"


@pytest.mark.parametrize("optimizer", ["sgd(0.3)", "sgd(0.3, momentum: 0.9)", "adam(0.01)"])
def test_a_resumed_step_goes_on_bit_for_bit(optimizer: str):
    method = taxo.parse(text(via=f"lookahead(lr: 0.3, optimizer: {optimizer})"))
    model = mlp().double()
    step = compiled(method, model)

    def train(step: Step, numbers: range) -> Tensor:
        for number in numbers:
            loss = step(*batch(seed=number)[:2])
            descend(step.model, torch.autograd.grad(loss, weights(step.model)))
        return step.losses

    train(step, range(2))
    second = compiled(method, deepcopy(model), teacher=mlp(seed=9).double())
    train(second, range(1))  # has lived before
    second.load_state_dict(deepcopy(step.state_dict()))
    assert torch.equal(train(step, range(2, 5)), train(second, range(2, 5)))
    for name, one in step.state_dict().items():
        assert torch.equal(one, second.state_dict()[name]), name


def test_a_goal_may_ask_the_teacher_too():
    """With the held-out loss apart from it, the teacher learns the labels by itself."""
    teacher = mlp(seed=5).double()
    twin = deepcopy(teacher)
    step = compiled(taxo.parse(text(goal="minimize 0 * loss + ce(teacher.u, y)")), teacher=teacher)
    step(*batch()[:2])
    x, y = HELD[0]
    slopes = torch.autograd.grad(functional.cross_entropy(twin(x), y), weights(twin))
    descend(twin, slopes, 1.0)
    close(list(teacher.parameters()), list(twin.parameters()))


def test_a_generator_is_learned_in_the_same_way():
    """Its slope, along a way, is that of the whole map."""
    model, maker = mlp().double(), generator(batch()[0].shape[1:]).double()
    method = taxo.parse(text(MADE, "generator", "generator"))
    first, before = deepcopy(maker), deepcopy(model)
    step = compiled(method, model, generator=maker)
    x, y, _ = batch()
    noise = torch.empty_like(x).normal_(generator=torch.Generator().manual_seed(0))
    dice = torch.Generator().manual_seed(3)
    way = [torch.randn(one.shape, generator=dice, dtype=one.dtype) for one in first.parameters()]

    def behind(far: float) -> float:
        moved, twin = deepcopy(first), deepcopy(before)
        with torch.no_grad():
            for one, part in zip(moved.parameters(), way, strict=True):
                one += far * part
            made = x + 0.5 * (moved(noise) - x)
        slopes = torch.autograd.grad(functional.cross_entropy(twin(made), y), weights(twin))
        descend(twin, slopes, 0.3)
        with torch.no_grad():
            return float(functional.cross_entropy(twin(HELD[0][0]), HELD[0][1]))

    step(x, y)
    pairs = zip(first.parameters(), maker.parameters(), way, strict=True)
    found = sum(float(((old - one) * part).sum().detach()) for old, one, part in pairs)
    assert found == pytest.approx((behind(1e-4) - behind(-1e-4)) / 2e-4, rel=1e-5)


BRANCHED = f"""
branch a weight 0.5 {{ {TAUGHT} }}
branch b weight 0.5 {{ {SHOWN} {TAUGHT} }}"""
FIRST = "lookahead(lr: 0.3, steps: 2, order: first, optimizer: sgd(1))"
COSTS = {
    "the same for all virtual steps": ({"via": "lookahead(lr: 0.3, steps: 3, optimizer: sgd(1))"}, (2, 1)),
    "a goal of its own": ({"goal": "minimize loss + ce(teacher.u, y)"}, (3, 2)),
    "without second derivatives": ({"via": FIRST}, (2, 4)),
    "settled": ({"via": "implicit(hessian: neumann(steps: 2), optimizer: sgd(1))"}, (2, 1)),
    "images that follow it": ({"clauses": f"{SHOWN}\n{TAUGHT}"}, (4, 2)),
    "that too, to the first order": ({"clauses": f"{SHOWN}\n{TAUGHT}", "via": FIRST}, (9, 8)),
    "branches": ({"clauses": BRANCHED}, (4, 2)),
    "beside a number": ({"clauses": f"{SCALED}\n{TAUGHT}", "over": "t, teacher"}, (2, 1)),
    "a fixed one": (
        {"clauses": SCALED + "\n" + TAUGHT.replace("granularity", "infer prior granularity"), "over": "t"},
        (1, 0),
    ),
}


@pytest.mark.parametrize(("asked", "lessons"), COSTS.values(), ids=list(COSTS))
def test_its_passes_are_those_of_the_plan(asked: dict[str, str], lessons: tuple[int, int]):
    method = taxo.parse(text(**asked))
    verdict = cost(Subject(method, MLP))
    assert verdict.outcome is Outcome.HOLDS, verdict.measured
    assert compiled(method).plan.of_teacher == lessons


def test_a_teacher_is_differentiated_twice_as_the_model_is():
    front, teacher, x = Front(conv()), conv(seed=5), batch(2)[0].float()
    layer = next(one for one in teacher.modules() if isinstance(one, nn.Conv2d))
    seen: list[str] = []
    layer.register_forward_hook(lambda _, __, output: seen.append(str(output.grad_fn)))
    front.beside(teacher, x)
    with front.twice():
        front.beside(teacher, x)
    assert ["_ConvolutionForward" in one for one in seen] == [False, True]


SEARCHED = {
    "metadistil+sam": (3, 1),  # of the batch: before it moves, for it to move, and once it has moved
    "metadistil+sam+asam": (3, 1),
    "metadistil+awp": (13, 11),
    "knowledge_distillation+sam": (1, 0),
    "knowledge_distillation+pgd_at+sam": (12, 10),  # the images of the weights' search are made anew
}


@pytest.mark.parametrize(("spec", "lessons"), SEARCHED.items())
def test_a_search_of_weights_asks_what_the_plan_says(spec: str, lessons: tuple[int, int]):
    method = taxo.load(spec)
    verdict = cost(Subject(method, CONV))
    assert verdict.outcome is Outcome.HOLDS, verdict.measured
    assert compiled(method, conv().double(), teacher=conv(seed=5).double()).plan.of_teacher == lessons
