"""Expressions as mathematics, and methods as equations."""

from __future__ import annotations

import re

import pytest

from taxo.catalog import library_of, load, parse, shipped
from taxo.cli.equations import equations, letters
from taxo.cli.formula import Latex, Unicode
from taxo.cli.notation import Notation
from taxo.language.compose import expanded
from taxo.language.parser import parse_expression
from taxo.language.scope import Scope
from tests.language.coordinates import method_of

TABLE = [
    ("lam * (1 / C - y)", r"\lambda \, \left(\frac{1}{C} - y\right)", "λ · (1 / C - y)"),
    ("a - (b - c)", "a - (b - c)", "a - (b - c)"),
    ("a / (b * c)", r"\frac{a}{b \, c}", "a / (b · c)"),
    ("(a + b) / c", r"\frac{a + b}{c}", "(a + b) / c"),
    ("2 * 3", r"2 \cdot 3", "2 · 3"),
    ("-(a + b)", "-(a + b)", "-(a + b)"),
    ("15%", r"15\%", "15%"),
    ("1e-12", "10^{-12}", "1e-12"),
    ("2.5e-07", r"2.5 \cdot 10^{-7}", "2.5e-07"),
    ("(a + b)^2", "{(a + b)}^{2}", "(a + b)²"),
    ("a^-b", "{a}^{-b}", "a^-b"),
    ("a^(1 / 4)", r"{a}^{\frac{1}{4}}", "a^(1 / 4)"),
    ("p[y]", "{p}_{y}", "p[y]"),
    ("clean.loss", r"{\ell}^{\mathrm{clean}}", "clean.ℓ"),
    ('named("a_#*")', r"\mathrm{named}(\mathrm{a\_\#*})", "named(a_#*)"),
    ("eps_sample", r"{\varepsilon}_{\mathrm{sample}}", "ε_sample"),
    ("clean_share", r"\mathrm{clean\_share}", "clean_share"),
    ("abs(w)", r"\left| w \right|", "|w|"),
    ("floor(m)", r"\left\lfloor m \right\rfloor", "⌊m⌋"),
    ("l1(v)", r"{\left\Vert v \right\Vert}_{1}", "‖v‖₁"),
    ("linf(v)", r"{\left\Vert v \right\Vert}_{\infty}", "‖v‖∞"),
    ("lp(d, p)", r"{\left\Vert d \right\Vert}_{p}", "‖d‖[p]"),
    ("kl(p, q)", r"\mathrm{KL}(p \,\Vert\, q)", "KL(p ‖ q)"),
    ("entropy(p)", "H(p)", "H(p)"),
    ("onehot(argmax(p))", r"\mathrm{onehot}(\arg\max(p))", "onehot(argmax(p))"),
    (
        "mean(p, where: correct)",
        r"\mathrm{mean}(p, \mathrm{where}: \mathrm{correct})",
        "mean(p, where: correct)",
    ),
    ("a >= b and not c", r"a \ge b \wedge \neg\, c", "a ≥ b and not c"),
    ("kind == loss", r"\mathrm{kind} = \mathrm{loss}", "kind = loss"),
    ("loss in top(25%)", r"\ell \in \mathrm{top}(25\%)", "ℓ in top(25%)"),
    (
        "a if c else b",
        r"\begin{cases} a & \text{if } c \\ b & \text{otherwise} \end{cases}",
        "a if c else b",
    ),
    (
        "x + (a if c else b)",
        r"x + \left(\begin{cases} a & \text{if } c \\ b & \text{otherwise} \end{cases}\right)",
        "x + (a if c else b)",
    ),
]
SPECIMEN = """method specimen
needs validation

param eps = 1
param tau per category = 2
param net = mlp(1, 10, 1)

draw xi ~ normal(0, 1) per batch like w
state soft per category = mean(p) every epoch from 0.1
let hard = clean.loss > net(clean.loss)

branch near weight 30% {
  perturb features by -d {
    where       hard
    direction   negative
    infer       adversarial maximize loss within linf(eps), box(-1, 1) via pgd(steps: 2, step: eps)
    granularity sample
  }
}

branch far weight 70% { }

perturb weights by v + 0 * xi {
  direction   negative
  infer       adversarial maximize loss within l2(eps, each: tensor) via linearized
  granularity corpus
}

perturb logits by tau[y] * log(soft[y]) {
  during      training
  direction   mixed
  granularity category
}

infer meta over tau minimize loss on validation via lookahead(lr: lr)
infer meta over net minimize loss on validation via lookahead(lr: lr)
"""
each_method = pytest.mark.parametrize("name", shipped())
each_notation = pytest.mark.parametrize("notation", [Latex(), Unicode()], ids=["latex", "unicode"])


@pytest.mark.parametrize(("text", "latex", "unicode"), TABLE, ids=[row[0] for row in TABLE])
def test_an_expression_in_both_notations(text: str, latex: str, unicode: str):
    node = parse_expression(text)
    assert Latex().expression(node) == latex
    assert Unicode().expression(node) == unicode


def test_a_method_as_equations():
    method = parse(SPECIMEN)
    assert Unicode().block(equations(method, Unicode())).splitlines()[1:-1] == [
        "ω[near] = 30%                                   (weight of branch near)",
        "ω[far] = 70%                                    (weight of branch far)",
        "x ← x - d                                       (features in branch near)",
        "d = arg max ℓ  over ‖d‖∞ ≤ ε, x - d in [-1, 1]  (via pgd)",
        " where hard",
        "w ← w + v + 0 · ξ                               (weights)",
        "v = arg max ℓ  over ‖v‖₂ ≤ ε                    (via linearized, each tensor by itself)",
        "u ← u + τ[y] · log(soft[y])                     (logits during training)",
        "τ = arg min ℓ                                   (on validation via lookahead)",
        "net = arg min ℓ                                 (on validation via lookahead)",
        "hard = clean.ℓ > net(clean.ℓ)",
        "ξ ~ normal(0, 1)                                (drawn per batch)",
        "soft ← mean(p)                                  (kept per category, every epoch, from 0.1)",
        "τ ← 2                                           (at first, per category)",
        "net = mlp(1, 10, 1)                             (a network)",
    ]


@each_notation
@each_method
def test_the_equations_of_a_method_name_all_it_declares(name: str, notation: Notation):
    method = expanded(method_of(name), library_of(None))
    left = {row[0] for row in equations(method, notation)}
    scope = Scope(method)
    declared = {*scope.lets, *scope.draws, *scope.states}
    assert {notation.name(one) for one in declared} <= left
    unknowns = [scope.unknown(item) for item in method.perturbations() if item.infer.goal is not None]
    assert {notation.name(one) for one in unknowns if one} <= left


@each_method
def test_latex_is_balanced(name: str):
    text = Latex().block(equations(expanded(method_of(name), library_of(None)), Latex()))
    assert text.count("{") == text.count("}")
    assert len(re.findall(r"\\left(?![a-z])", text)) == len(re.findall(r"\\right(?![a-z])", text))
    assert text.count(r"\begin") == text.count(r"\end")


def test_the_letters_of_a_formula_are_explained():
    assert letters(load("label_smoothing"), Unicode()) == [
        "y: the label, as a distribution over the classes",
        "C: the number of classes",
    ]
    assert letters(load("sam"), Latex())[1] == r"$`\ell`$: the loss of each sample"
