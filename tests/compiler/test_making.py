"""Searches for a module from outside: what cannot be run, what is dropped, and what is announced."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import taxo
from taxo.compiler import compile_program
from taxo.language.errors import TaxoError
from taxo.laws.subject import generator
from taxo.laws.watch import counted
from tests.fidelity.nets import CLASSES, batch, mlp

TEXT = """method m needs {needs}
param t = 1
{above}
{act}
infer {manner} over {over} maximize {goal} {within} via {via}"""
ACT = "perturb features by {form} {{ direction negative granularity sample {clause} }}"
BRANCHED = """branch one weight t {
perturb features by generator - x { direction negative granularity sample } }
branch two weight 1 { perturb logits by 0.1 { direction mixed infer prior granularity corpus } }"""
SOUGHT = """perturb features by t * (generator - x) { direction negative granularity sample }
perturb features by v { direction negative granularity sample
infer adversarial maximize loss within linf(1) via pgd(1, 1) }"""


def text(
    form: str = "t * (generator - x)",
    act: str = "",
    above: str = "",
    over: str = "generator",
    goal: str = "loss",
    within: str = "",
    via: str = "sgd(steps: 2, lr: 0.1)",
    manner: str = "adversarial",
    needs: str = "generator",
    clause: str = "",
) -> str:
    act = act or ACT.format(form=form, clause=clause)
    return TEXT.format(
        needs=needs, above=above, act=act, manner=manner, over=over, goal=goal, within=within, via=via
    )


REFUSED = {
    "an `infer adversarial` of the whole method": {"over": "t"},
    "an `infer regularization` of the whole method": {"manner": "regularization"},
    "a search for a module beside branches": {"act": BRANCHED},
    "a search for a module beside others": {"act": SOUGHT},
    "a search for a module whose inputs the model does not see": {
        "act": "perturb loss by t * mean(generator) { direction mixed granularity sample }"
    },
    "a search for a module through what acts at times": {"clause": "where epoch > 2"},
    "a store of a module": {"via": "sgd(steps: 1, lr: 0.1, store: host)"},
    "a goal of a module that reads `clean`": {"goal": "loss * clean.loss"},
    "`let g`, of a module that is found,": {"above": "let g = 2 * generator", "form": "t * (g - x)"},
}


@pytest.mark.parametrize(("what", "asked"), REFUSED.items())
def test_what_cannot_be_found(what: str, asked: dict[str, str]):
    with pytest.raises(TaxoError) as raised:
        compile_program(taxo.parse(text(**asked)))
    found = raised.value.diagnostics
    assert all(one.code == "T210" and one.span and one.help for one in found)
    assert what in [one.message.split(" cannot")[0] for one in found]


def test_another_modules_search_is_refused():
    with pytest.raises(TaxoError, match="an `infer adversarial` of the whole method cannot be run"):
        compile_program(
            taxo.parse(
                text(
                    over="teacher", needs="generator, teacher", goal="ce(teacher.u, y)", clause="infer prior"
                )
            )
        )


def test_what_nothing_reads_is_not_searched_for():
    program = compile_program(taxo.parse(text().replace("param t = 1", "param t = 0")))
    assert program.plan.cost == "1 F + 1 B"
    assert "search" not in program.text


@pytest.mark.parametrize("steps", [1, 4])
def test_the_announced_passes_are_those_that_are_made(steps: int):
    method = taxo.parse(text(via=f"sgd(steps: {steps}, lr: 0.1)"))
    model, maker = mlp().double(), generator(batch()[0].shape[1:]).double()
    step = taxo.compile(method, model, classes=CLASSES, generator=maker)
    with counted(model) as passes:
        step(*batch()[:2]).backward()
    assert step.plan.cost == f"{steps + 1} F + {steps + 1} B"
    assert (len(passes.forward_rows), len(passes.backward_rows)) == (steps + 1, steps + 1)


def test_a_teachers_passes_are_counted_too():
    program = compile_program(taxo.load("adversarial_kd(steps: 3)"))
    assert program.plan.cost == "4 F + 4 B + 4 F + 3 B of the teacher"


def test_lets_and_labels_are_those_of_the_pass():
    above = "let far = loss * t + 0 * sum(u)\nlet half = t / 2 + 0 * step"
    act = ACT.format(form="half * (generator - x)", clause="") + (
        "\nperturb labels by 0.3 * (1/C - y) { direction mixed granularity sample infer prior }"
    )
    method = taxo.parse(text(above=above, act=act, goal="far", via="sgd(steps: 1, lr: 0.5)"))
    model, maker = mlp().double(), generator(batch()[0].shape[1:]).double()
    twin = generator(batch()[0].shape[1:]).double()
    x, y, _ = batch()
    taxo.compile(method, model, classes=CLASSES, generator=maker)(x, y)
    noise = torch.empty_like(x).normal_(generator=torch.Generator().manual_seed(0))
    soft = 0.7 * nn.functional.one_hot(y, CLASSES) + 0.3 / CLASSES
    loss = nn.functional.cross_entropy(model((x + twin(noise)) / 2), soft)
    slopes = torch.autograd.grad(loss, list(twin.parameters()))
    expected = [one + 0.5 * slope for one, slope in zip(twin.parameters(), slopes, strict=True)]
    torch.testing.assert_close(list(maker.parameters()), expected, check_stride=False)
