"""What cannot be run beside looking ahead, each as a message at its place."""

from __future__ import annotations

import pytest

import taxo
from taxo.compiler import compile_program, lower, refusals, schedule, simplify
from taxo.language.errors import TaxoError

LOOKING = """method m {needs}
{above}
{clauses}
infer meta over t minimize {goal} on {data} via lookahead(lr: 1{more})"""
LOGITS = "perturb logits by t * p { direction mixed granularity sample }"
BRANCH = """branch {name} weight {weight} {more} {{
  perturb {what} {{ direction mixed granularity sample {infer} }} }}
"""


def said(
    clauses: str = LOGITS,
    above: str = "param t = 1",
    goal: str = "loss",
    data: str = "validation",
    more: str = "",
) -> list[str]:
    needs = "needs validation" if data == "validation" else ""
    text = LOOKING.format(needs=needs, above=above, clauses=clauses, goal=goal, data=data, more=more)
    with pytest.raises(TaxoError) as raised:
        compile_program(taxo.parse(text))
    found = raised.value.diagnostics
    assert all(one.code == "T210" and one.span and one.help for one in found)
    return [one.message.split(" cannot")[0] for one in found]


def branched(second: str, infer: str = "") -> str:
    """Two branches, of which the first learns its weight."""
    one = BRANCH.format(name="one", weight="t", more="", what="logits by 0.1 * p", infer="")
    return one + BRANCH.format(name="two", weight="1", more="", what=second, infer=infer or "infer prior")


def test_other_held_out_data():
    assert said(data="guide(5%)") == ["looking ahead on `guide`"]


@pytest.mark.parametrize("goal", ["loss + l2(x)", "loss * clean.loss", "loss + seen", "loss + index"])
def test_what_nobody_knows_of_held_out_samples(goal: str):
    above = "param t = 1" + " state seen per sample = loss" * ("seen" in goal)
    assert said(above=above, goal=goal) == ["this, of held-out samples,"]


def test_a_network_that_is_not_kept():
    above, clauses = (
        "param t = mlp(1, 2, 1)",
        "perturb loss by t(clean.loss) { direction mixed granularity sample }",
    )
    assert said(clauses, above, more=", keep: false") == ["`keep: false` of the network `t`"]


@pytest.mark.parametrize("via", ["lookahead(lr: 1)", "implicit(optimizer: sgd(1))"])
def test_a_state_that_is_to_keep_what_is_found(via: str):
    text = f"""method m needs validation
    state s per category = mean(p)
    perturb logits by s[y] {{ direction mixed granularity category }}
    infer meta over s minimize loss on validation via {via}"""
    with pytest.raises(TaxoError) as raised:
        compile_program(taxo.parse(text))
    assert [one.message for one in raised.value.diagnostics] == [
        "keeping what is found of the state `s` cannot be run in this version"
    ]


def test_a_search_that_reads_another_branch():
    second = "features by v"
    clauses = branched(second, "infer adversarial maximize loss + clean.loss within linf(1) via pgd(2, 1)")
    assert said(clauses) == ["a search behind another branch, beside looking ahead,"]


def test_a_state_that_takes_the_batch_in_first():
    above = "param t = 1 state s per category = mean(p) before"
    clauses = LOGITS + " perturb logits by s[y] { direction mixed infer prior granularity category }"
    assert said(clauses, above) == ["the state `s`, when looking ahead,"]


@pytest.mark.parametrize(("target", "set_"), [("weights", "l2(1)"), ("logits", "box(0, 1)")])
def test_unknowns_of_an_act(target: str, set_: str):
    grain = "corpus" if target == "weights" else "sample"
    text = f"""method m needs validation
    perturb {target} by v {{ direction mixed granularity {grain}
      infer meta minimize loss within {set_} on validation via lookahead(lr: 1) }}"""
    with pytest.raises(TaxoError) as raised:
        compile_program(taxo.parse(text))
    assert {one.code for one in raised.value.diagnostics} == {"T210"}


# What can be run.


def test_the_passes_of_a_plan_are_named():
    method = simplify(taxo.load("meta_mixpert"))
    assert not refusals(method)
    assert [str(one) for one in schedule(lower(method)).passes] == [
        "infer d of push: 5 x (forward + backward), norm frozen",
        "train pull: forward + backward, norm batch",
        "train push: forward + backward, norm update",
        "look ahead net: 2 x (backward), norm batch",
        "held out net: forward + backward, norm batch",
        "look back net: 2 x (backward), norm batch",
    ]


def test_a_full_step_on_logits_is_three_plain_ones():
    plan = schedule(lower(simplify(taxo.load("meta_logit_adjustment"))))
    assert (plan.forwards + plan.backwards) / 2 == 3


def test_what_waits_for_its_time_looks_ahead_no_sooner():
    passes = schedule(lower(simplify(taxo.load("mslc")))).passes
    assert [one.timed for one in passes] == [False, True, True, True]


def test_a_search_is_made_once_before_the_virtual_step():
    text = compile_program(simplify(taxo.load("meta_mixpert"))).text
    assert text.count("= pgd(") == 1
    assert text.index("= pgd(") < text.index("def trained():") < text.index("slopes = lookahead(")


def test_what_nothing_reads_is_not_learned():
    text = LOOKING.format(
        needs="needs validation",
        above="param t = 1 param s = 0",
        clauses="perturb logits by s * t * p { direction mixed granularity sample }",
        goal="loss",
        data="validation",
        more="",
    )
    assert "lookahead" not in compile_program(taxo.parse(text)).text


def test_words_are_settled_before_anything_is_built():
    text = compile_program(simplify(taxo.load("meta_mixpert"))).text
    assert "characteristics" not in text
