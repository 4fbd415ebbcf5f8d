"""Searches on held-out data for what a whole method reads: what cannot be run, and what the program is."""

from __future__ import annotations

import pytest

import taxo
from taxo.compiler import compile_program
from taxo.language.errors import TaxoError

SEARCH = """method m {needs}
param {param}
{above}
{act}
infer meta over {over} maximize {goal} {within} on {data} via {via}"""
ACT = "perturb features by {form} {{ direction negative infer prior granularity {grain} }}"


def text(
    param: str = "t per category = 0 like x",
    act: str = "t[y]",
    grain: str = "category",
    over: str = "t",
    above: str = "",
    goal: str = "loss",
    within: str = "within linf(1)",
    data: str = "validation",
    via: str = "sign(1)",
) -> str:
    needs = "needs validation" if data == "validation" else ""
    form = act if act.startswith("branch") else ACT.format(form=act, grain=grain).replace("infer prior", "")
    more = {"over": over, "goal": goal, "within": within, "data": data, "via": via}
    return SEARCH.format(needs=needs, param=param, above=above, act=form, **more)


def said(method: str) -> list[str]:
    with pytest.raises(TaxoError) as raised:
        compile_program(taxo.parse(method))
    assert all(one.code == "T210" and one.span and one.help for one in raised.value.diagnostics)
    return [one.message.split(" cannot")[0] for one in raised.value.diagnostics]


BRANCHED = """branch one weight 1 { perturb features by t[y] { direction negative granularity category } }
branch two weight 1 { perturb logits by 0.1 { direction mixed infer prior granularity corpus } }"""
CASES = {
    "a search on `guide`": {"data": "guide(5%)"},
    "this search on held-out data": {
        "param": "t per sample = 0",
        "act": "t",
        "grain": "sample",
    },
    "the set `box` around a parameter": {"within": "within linf(1), box"},
    "this start of a search on held-out data": {"via": "sign(1, start: uniform)"},
    "`pgd` without a set that bounds the parameter": {"within": "", "via": "pgd(2, 1)"},
    "a search on held-out data beside branches, or looking ahead,": {"act": BRANCHED},
    "this, of held-out samples,": {"goal": "loss * clean.loss"},
    "`let a`, of held-out samples,": {"above": "let a = t[y] * 2", "act": "a"},
    "the parameter `t`": {"via": "lookahead(lr: 1)", "within": ""},
}


@pytest.mark.parametrize(("what", "asked"), CASES.items())
def test_what_cannot_be_searched(what: str, asked: dict[str, str]):
    assert what in said(text(**asked))


def test_one_parameter_at_a_time():
    found = said(text(param="t per category = 0 like x\nparam s = 0", act="t[y] * (1 + s)", over="t, s"))
    assert "this search on held-out data" in found


def test_what_is_found_again_in_every_pass_is_in_the_plan():
    program = compile_program(taxo.load("meta_adversarial"))
    assert [str(one) for one in program.plan.passes] == [
        "infer d for bank: forward + backward, norm frozen",
        "held out bank: forward + backward, norm frozen",
        "infer d: forward + backward, norm frozen",
        "train: forward + backward, norm update",
    ]
    assert program.text.count("= carried(") == 1


def test_what_nothing_reads_is_not_searched():
    found = compile_program(taxo.parse(text(act="0 * t[y]"))).text
    assert "find_t" not in found
    assert "take_validation" not in found
