"""Searches on held-out data: what cannot be run there, each as a message at its place."""

from __future__ import annotations

import pytest

import taxo
from taxo.compiler import compile_program
from taxo.language.errors import TaxoError
from taxo.laws.running import cost
from taxo.laws.subject import Subject
from taxo.laws.toys import CONV
from taxo.laws.verdict import Outcome

SEARCH = """method m {needs}
{above}
perturb {target} by {form} {{ {where} direction negative
  infer meta maximize {goal} within linf(1) on {data} via {via} granularity {grain} }}"""


def text(
    above: str = "",
    target: str = "features",
    form: str = "d",
    goal: str = "loss",
    data: str = "validation",
    via: str = "sign(1, start: kept)",
    grain: str = "category",
    where: str = "",
) -> str:
    needs = "needs validation" if data == "validation" else ""
    return SEARCH.format(
        needs=needs,
        above=above,
        target=target,
        form=form,
        goal=goal,
        data=data,
        via=via,
        grain=grain,
        where=where,
    )


def said(method: str) -> list[str]:
    with pytest.raises(TaxoError) as raised:
        compile_program(taxo.parse(method))
    assert all(one.code == "T210" and one.span and one.help for one in raised.value.diagnostics)
    return [one.message.split(" cannot")[0] for one in raised.value.diagnostics]


NOISE = "perturb features by 0.1 { direction mixed infer prior granularity sample }"
CASES = {
    "a search on `guide`": {"data": "guide(5%)"},
    "this search on held-out data": {"target": "logits"},
    "an unknown of each sample, on held-out data,": {"grain": "sample"},
    "a search on held-out data that keeps nothing": {"via": "pgd(2, 1)"},
    "a search on held-out data for some samples": {"where": "where clean.loss > 1"},
    "a search on held-out data behind another perturbation": {"above": NOISE},
    "a search on held-out data of what acts on predictions alone": {
        "where": "during eval",
        "grain": "corpus",
        "goal": "l1(u)",
    },
    "this, of held-out samples,": {"goal": "loss * clean.loss"},
}


@pytest.mark.parametrize(("what", "asked"), CASES.items())
def test_what_cannot_be_searched_there(what: str, asked: dict[str, str]):
    assert what in said(text(**asked))


@pytest.mark.parametrize(
    ("above", "name"),
    [
        ("draw r ~ uniform(0, 1) per sample", "r"),
        ("state s per sample = loss", "s"),
        ("state s per corpus = mean(loss) before", "s"),
        ("", "index"),
    ],
)
def test_what_nobody_knows_of_held_out_samples(above: str, name: str):
    assert "this, of held-out samples," in said(text(above=above, goal=f"loss * {name}"))


def test_simultaneous_is_for_the_batch_itself():
    assert "this search on held-out data" in said(text(via="sign(1, start: kept, simultaneous: true)"))


def test_what_runs_says_where_it_searches():
    program = compile_program(taxo.parse(text()))
    assert "self.kept_d.keep(find_d(*self.held_out(x)))" in program.text
    assert program.text.count("self.take_validation()") == 1
    assert [str(one) for one in program.plan.passes] == [
        "infer d: forward + backward, norm frozen",
        "train: forward + backward, norm update",
    ]


def test_what_is_found_on_held_out_data_is_not_found_inside_another_such_search():
    subject = Subject(taxo.load("meta_universal_patch+meta_adversarial"), CONV)
    verdict = cost(subject)
    assert verdict.outcome is Outcome.HOLDS, verdict.measured
    assert subject.step().source.count("def find_meta_universal_patch__patch(") == 1
