"""What is read as a whole keeps its shape, though the values of parameters make it one number."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

import taxo
from taxo.compiler.folding import Folding
from taxo.compiler.passes import settle_draws
from taxo.compiler.whole import shapes_in
from taxo.language.constants import constant
from taxo.language.parser import parse_expression
from taxo.language.printer import expression_text
from taxo.language.scope import Scope
from tests.compiler.agreement import PRIOR, holds, losses
from tests.fidelity.nets import CLASSES, COUNTS, mlp

ONE = "draw one ~ beta(a: 0.5, b: 0) per sample"


@pytest.mark.parametrize(
    ("form", "added"),
    [
        ("(class_prior if false else pi)[2]", math.pi),
        ("(class_prior if false else 2 * C)[y]", 2 * CLASSES),
        ("(class_prior if false else 2 * progress)[y]", 0),
        ("sum(class_prior if false else pi)", CLASSES * math.pi),
        ("mean(class_prior if false else pi)", math.pi),
        ("max(p if false else 3)", 3),
        ("sum(p if false else 2)", 2 * CLASSES),
        ("l2(p if false else 2)", 2 * CLASSES**0.5),
        ("entropy(softmax(0 * u))", math.log(CLASSES)),
        ("argmax(0 * p)", 0),
    ],
)
def test_one_number_in_the_place_of_many(form: str, added: float):
    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        return losses(model(x), y).mean() + added

    holds(f"perturb loss by {form} {{ {PRIOR} }}", mlp(), expected)


def test_logits_and_labels_that_are_one_number():
    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        return (losses(u, y) + losses(u, torch.ones_like(y))).mean()

    form = "ce(u + 0 * u, p if false else onehot(1))"
    holds(f"perturb loss by {form} {{ {PRIOR} }}", mlp(), expected)


@pytest.mark.parametrize(
    ("form", "added"),
    [("mean_batch(one)", 1), ("quantile(twice, 0.5)", 2), ("sum(twice)", 2), ("l1(u * 0 + one)", CLASSES)],
)
def test_a_draw_that_leaves_nothing_to_chance(form: str, added: float):
    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        return losses(model(x), y).mean() + added

    let = "let twice = 2 * one" if "twice" in form else ""
    holds(f"{ONE} {let} perturb loss by {form} {{ {PRIOR} }}", mlp(), expected)


@pytest.mark.parametrize("element", ["one", "twice", "(one if true else loss)"])
def test_the_first_are_the_top_of_equal_values(element: str):
    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        first = torch.arange(len(y)) < len(y) // 2
        return (losses(model(x), y) + first.double()).mean()

    let = "let twice = 2 * one" if element == "twice" else ""
    where = f"{{ where {element} in top(50%) {PRIOR} }}"
    holds(f"{ONE} {let} perturb loss by 1 {where}", mlp(), expected)


def test_weights_that_are_one_number():
    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        moved = {
            name: weight + 0.1 * weight.detach() / weight.numel() ** 0.5
            for name, weight in model.named_parameters()
        }
        return losses(torch.func.functional_call(model, moved, (x,)), y).mean()

    form = "0.1 * w / l2(w if false else 1)"
    holds(f"perturb weights by {form} {{ direction mixed infer prior granularity corpus }}", mlp(), expected)


@pytest.mark.parametrize(
    ("declared", "added"),
    [
        ("let a = 3 state s per corpus = mean(0 * loss + a) before", 3),
        ("let a = 3 state s per corpus = ema(clean.loss, 0.9) from a", 3),
        ("let a = 0 draw s ~ uniform(2, a + 2) per sample", 2),
        ("let a = 2 loss cross_entropy + a * exp(a) - 2 * exp(a) let s = a", 2),
    ],
)
def test_a_constant_goes_to_whatever_reads_it(declared: str, added: float):
    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        return losses(model(x), y).mean() + added

    holds(f"{declared} perturb loss by s {{ {PRIOR} }}", mlp(), expected)


def test_class_vectors_that_are_one_number_each():
    """A row of class vectors holds its class's share; the matrices are the angles of the head's own."""

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        counts = torch.tensor(COUNTS, dtype=torch.float64)
        share, angles = counts / counts.sum(), [*model.parameters()][2].acos().sum(1)
        apart = (share - share[y][:, None]).square() * angles[y][:, None]
        return (losses(model(x), y) + apart.sum(1)).mean()

    model = mlp()
    form = "sum(quadratic(W if false else class_prior, acos(W))[y])"
    holds(f"perturb loss by {form} {{ {PRIOR} }}", model, expected)


def test_labels_that_are_picked_by_stay_labels():
    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        p = model(x).softmax(1)
        return (losses(model(x), y) + (2 * p).sum(1)).mean()

    holds(f"perturb loss by p[p if false else 2] {{ {PRIOR} }}", mlp(), expected)


def test_what_is_read_entry_by_entry_is_folded_away():
    method = taxo.parse(f"method m {ONE} perturb loss by l1(0 * p + one * p) + one {{ {PRIOR} }}")
    (item,) = settle_draws(method).perturbations()
    folding = Folding({}, shapes_in(Scope(method), item))
    assert expression_text(folding(item.by)) == "l1(1 * p) + 1"


def test_a_sum_of_many_is_no_number_that_is_known():
    assert constant(parse_expression("sum(2 * a)"), {"a": 3.0}) == 6
    assert constant(parse_expression("sum(p if a < 1 else 2)"), {"a": 3.0}) is None
    assert constant(parse_expression("sum(p if a < 1 else 2, 1)"), {"a": 3.0}) == 3
