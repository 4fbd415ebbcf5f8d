"""The passes over methods: what the values of parameters make needless goes."""

from __future__ import annotations

import pytest

import taxo
from taxo.catalog import load
from taxo.compiler import PASSES, compile_program, lower, simplify
from taxo.compiler.folding import fold
from taxo.compiler.passes import always, drop_idle, fold_clauses, fold_lets, merge_branches
from taxo.language.method import Branch
from taxo.language.parser import parse_expression
from taxo.language.printer import expression_text

HEAD = "direction mixed infer prior granularity sample"


def folded(text: str, **values: float) -> str:
    return expression_text(fold(parse_expression(text), values))


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("0 * u", "0"),
        ("u * a", "0"),
        ("a / C", "0"),
        ("u + 0 * p", "u"),
        ("a + u", "u"),
        ("u - a", "u"),
        ("a - u", "-u"),
        ("a - (u - p)", "-(u - p)"),
        ("p - (a - u) * 2", "p - -u * 2"),
        ("(a - u) ^ 2", "(-u)^2"),
        ("u / 2", "u / 2"),
        ("1 * u", "1 * u"),
        ("b * u + a * p", "b * u"),
        ("not a", "1"),
        ("not b", "0"),
        ("loss in top(0%)", "0"),
        ("loss in top(100%)", "1"),
        ("loss in top(a)", "0"),
        ("loss in top(25%)", "loss in top(25%)"),
        ("not (loss in top(0%))", "1"),
        ("loss > 1 and a", "0"),
        ("loss > 1 and b", "loss > 1"),
        ("loss > 1 or a", "loss > 1"),
        ("b or loss > 1", "1"),
        ("a and loss > 1", "0"),
        ("exp(a * u)", "exp(0)"),
        ("u if loss > a * 2 else a * u", "u if loss > 0 else 0"),
    ],
)
def test_fold(text: str, result: str):
    """`a` is 0, `b` is 3."""
    assert folded(text, a=0.0, b=3.0) == result


def method(text: str) -> taxo.Method:
    return taxo.parse(f"method m {text}")


def targets(found: taxo.Method) -> list[str]:
    return [item.target.text for item in found.perturbations()]


def test_a_let_that_became_constant_is_put_where_it_is_read():
    found = method(
        f"param share = 0 let hard = clean.loss in top(share) perturb logits by u {{ where hard {HEAD} }} "
        f"perturb logits by 2 * u {{ where not hard {HEAD} }}"
    )
    after = fold_clauses(fold_lets(found))
    assert after.lets == ()
    assert [item.where and expression_text(item.where) for item in after.perturbations()] == ["0", "1"]
    assert targets(drop_idle(after)) == ["logits"]
    (left,) = always(drop_idle(after)).perturbations()
    assert left.where is None
    assert expression_text(left.by) == "2 * u"


def test_a_let_of_a_constant_let_goes_too():
    found = method(
        f"param share = 0 let hard = clean.loss in top(share) let easy = not hard "
        f"perturb logits by u {{ where easy {HEAD} }}"
    )
    (left,) = simplify(found).perturbations()
    assert left.where is None


@pytest.mark.parametrize("form", ["a * u", "a * u / C", "a * (u - p)"])
def test_a_form_of_zero_is_dropped(form: str):
    assert targets(simplify(method(f"param a = 0 perturb logits by {form} {{ {HEAD} }}"))) == []


def test_other_forms_are_kept():
    text = f"param a = 2 perturb logits by a * u {{ {HEAD} }} perturb labels by 0 * (1 / C - y) {{ {HEAD} }}"
    assert targets(simplify(method(text))) == ["logits"]


@pytest.mark.parametrize("region", ["linf(a)", "l2(a)", "linf(radius: 2 * a), box", "box, linf(a)"])
def test_a_radius_of_zero_drops_the_perturbation(region: str):
    text = (
        "param a = 0 perturb features by d { direction negative granularity sample "
        f"infer adversarial maximize loss within {region} via pgd(steps: 2, step: 1) }}"
    )
    assert targets(simplify(method(text))) == []
    assert targets(simplify(method(text.replace("a = 0", "a = 1")))) == ["features"]


def test_an_infinite_price_drops_the_perturbation():
    text = (
        "param lam = {} perturb logits by v {{ direction positive granularity sample "
        "infer regularization minimize loss + lam * l1(v) via joint(lr: 1) }}"
    )
    assert targets(simplify(method(text.format("inf")))) == []
    assert targets(simplify(method(text.format("2")))) == ["logits"]
    assert compile_program(method(text.format("inf"))).needs == {}


BRANCHES = (
    "param a = {a} param b = {b} "
    "branch one weight a {{ perturb logits by {one} * u {{ {head} }} }} "
    "branch two weight b {{ perturb logits by {two} * u {{ {head} }} }}"
)


def branches(a: float, b: float, one: float, two: float) -> taxo.Method:
    return simplify(method(BRANCHES.format(a=a, b=b, one=one, two=two, head=HEAD)))


@pytest.mark.parametrize(
    ("values", "names", "lines"),
    [
        ((0.3, 0.7, 1, 2), ["one", "two"], ["one", "two"]),
        ((0, 1, 1, 2), [], [""]),
        ((0, 0.7, 1, 2), ["two"], ["two"]),
        ((0.3, 0.7, 2, 2), [], [""]),
        ((0.3, 0.3, 2, 2), ["two"], ["two"]),
        ((0.3, 0.7, 0, 0), [], [""]),
    ],
)
def test_branches(values: tuple[float, float, float, float], names: list[str], lines: list[str]):
    found = branches(*values)
    assert [
        clause.name.text for clause in found.clauses if isinstance(clause, Branch) and clause.name
    ] == names
    assert [line.name for line in lower(found).lines] == lines


def test_merged_branches_weigh_what_both_did():
    (kept,) = (clause for clause in branches(0.3, 0.3, 2, 2).clauses if isinstance(clause, Branch))
    assert expression_text(kept.weight) == "a + b"


@pytest.mark.parametrize(
    ("spec", "kept", "lets"),
    [
        ("mixpert", ["logits"], ["hard"]),
        ("mixpert(eta: 0)", [], []),
        ("mixpert(eps: 8/255)", ["features", "logits"], ["hard"]),
        ("mixpert(eps: 8/255, pro: 0%)", ["features"], []),
        ("mixpert(eps: 8/255, pro: 100%)", ["logits"], []),
        ("mixpert(eps: 8/255, eta: 0)", ["features"], ["hard"]),
        ("mixpert(clean_share: 40%)", ["logits"], ["hard"]),
    ],
)
def test_what_is_left_of_a_shipped_method(spec: str, kept: list[str], lets: list[str]):
    found = simplify(load(spec))
    assert targets(found) == kept
    assert not [clause for clause in found.clauses if isinstance(clause, Branch)]
    assert all(let in compile_program(load(spec)).text for let in lets)
    assert ("hard" in compile_program(load(spec)).text.partition("class ")[2].partition('"""\n')[2]) == bool(
        lets
    )


def test_without_passes_everything_stays():
    assert simplify(load("mixpert"), ()) == load("mixpert")
    assert len(PASSES) == len({*PASSES})
    assert merge_branches(load("sam")) == load("sam")


SHARED = """needs validation
param t = 0.3 param a = {a}
branch one weight sigmoid(t) {{ perturb logits by a * u {{ {head} }} }}
branch two weight 1 - sigmoid(t) {{ perturb loss by a * loss {{ {head} }} }}
infer meta over t minimize loss on validation via lookahead(lr: 0.1)"""


def test_two_shares_of_one_whole_are_the_whole():
    head = "direction mixed granularity sample"
    left = simplify(method(SHARED.format(a=0, head=head)))
    assert (left.branches(), left.infers) == ([], ())
    kept = simplify(method(SHARED.format(a=1, head=head)))
    assert (len(kept.branches()), len(kept.infers)) == (2, 1)


@pytest.mark.parametrize(("word", "target"), [("up", "logits"), ("down", "labels")])
def test_which_word_a_parameter_is_settles_conditions(word: str, target: str):
    text = (
        f"param way = {word} in {{up, down}} let falling = way == down "
        f"perturb logits by u {{ where way == up {HEAD} }} "
        f"perturb labels by 0.1 * (1 / C - y) {{ where falling {HEAD} }}"
    )
    (left,) = simplify(method(text)).perturbations()
    assert left.target.text == target
    assert left.where is None
