"""Value and gradient of every shipped method against its paper's equation, three steps in a row."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import pytest
from torch import nn

import taxo
from taxo.laws.subject import labels, views
from taxo.laws.toys import viewed
from taxo.laws.watch import backward
from tests.fidelity import (
    attack_references,
    blend_references,
    offset_references,
    structured_references,
    test_distillation,
    test_labels,
    test_logits,
    test_loss,
    test_meta,
    test_metadistil,
    test_rounds,
    test_weights,
)
from tests.fidelity import references as paper
from tests.fidelity.nets import COUNTS, NETS, SAMPLES, batch, beside, made, mlp, same_values
from tests.fidelity.references import Reference

Making = Callable[[], Reference]

CASES: dict[str, Making] = {
    "plain": paper.plain,
    "label_smoothing": lambda: paper.label_smoothing(0.1),
    "label_smoothing(lam: 0.35)": lambda: paper.label_smoothing(0.35),
    "label_smoothing(lam: 1)": lambda: paper.label_smoothing(1.0),
    "logit_adjustment": lambda: paper.logit_adjustment(1.0, COUNTS),
    "logit_adjustment(tau: 0.3)": lambda: paper.logit_adjustment(0.3, COUNTS),
    "logit_adjustment(tau: 2.5)": lambda: paper.logit_adjustment(2.5, COUNTS),
    "polyloss": lambda: paper.polyloss(1.0),
    "polyloss(eps: 4)": lambda: paper.polyloss(4.0),
    "logpert": lambda: paper.logpert(0.3, 6.0, SAMPLES),
    "logpert(lam: 0.175, eta: 1.5)": lambda: paper.logpert(0.175, 1.5, SAMPLES),
    "logpert(lam: 1, eta: 0.75)": lambda: paper.logpert(1.0, 0.75, SAMPLES),
    "pgd_at": paper.pgd_at,
    "pgd_at(eps: 12/255, steps: 3, step: 5/255)": lambda: paper.pgd_at(12 / 255, 3, 5 / 255),
    "pgd_at(start: zero, steps: 4)": lambda: paper.pgd_at(steps=4, start="zero"),
    "sam": lambda: paper.sam(0.05),
    "sam(rho: 0.6)": lambda: paper.sam(0.6),
    "damp": lambda: paper.damp(0.2),
    "damp(sigma: 0.1, parts: 2)": lambda: paper.damp(0.1, 2),
    "damp(sigma: 25%, parts: 4)": lambda: paper.damp(0.25, 4),
    'damp(sites: "*.weight")': lambda: paper.damp(0.2, 1, "*.weight"),
    "mixpert": paper.mixpert,
    "mixpert(eta: 1, pro: 50%)": lambda: paper.mixpert(1, 0, 0.5),
    "mixpert(eps: 8/255)": lambda: paper.mixpert(eps=8 / 255),
    "mixpert(eps: 8/255, pro: 45%)": lambda: paper.mixpert(eps=8 / 255, pro=0.45),
    "mixpert(eps: 12/255, pro: 0%)": lambda: paper.mixpert(eps=12 / 255, pro=0),
    "mixpert(eta: 0, eps: 10/255)": lambda: paper.mixpert(0, 10 / 255),
    "mixpert(eps: 8/255, pro: 45%, clean_share: 0.4)": lambda: paper.mixpert(3, 8 / 255, 0.45, 0.4),
    "mixpert(eta: 0, eps: 8/255, clean_share: 0.4)": lambda: paper.mixpert(0, 8 / 255, 0.15, 0.4),
    **attack_references.CASES,
    **blend_references.CASES,
    **offset_references.CASES,
    **structured_references.CASES,
}


def agree(spec: str, reference: Reference, model: nn.Module, classes: int, counts: tuple[int, ...]) -> None:
    """The compiled step and the reference give the same losses, gradients, weights and statistics."""
    twin, method = deepcopy(model), taxo.load(spec)
    step = made(method, model, classes=classes, class_counts=counts, seed=paper.SEED)
    for number in (1, 2, 1):
        x, y, index = batch(8, classes, seed=number)
        x, y = viewed(x, views(method)), labels(method, y, x.dtype, classes)
        loss = step(x, y, index)
        slopes = backward(loss, model)
        expected = reference(twin, x, y, index)
        beside(model, twin, (loss, slopes), expected)
    same_values(model, twin)


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("spec", "making"), CASES.items(), ids=list(CASES))
def test_the_step_is_the_papers_equation(spec: str, making: Making, net: str):
    agree(spec, making(), NETS[net]().double(), 5, COUNTS)


def test_every_shipped_method_has_a_reference():
    others = (test_distillation, test_labels, test_logits, test_loss, test_meta, test_metadistil, test_rounds)
    specs = [*CASES, *(spec for module in (*others, test_weights) for spec in module.CASES)]
    assert {spec.partition("(")[0] for spec in specs} == set(taxo.methods())


@pytest.mark.parametrize("classes", [2, 1000])
@pytest.mark.parametrize("name", [spec for spec in CASES if "(" not in spec])
def test_few_and_many_classes(name: str, classes: int):
    counts = tuple(1 + number % 7 for number in range(classes))
    making = {"logit_adjustment": lambda: paper.logit_adjustment(1.0, counts)}.get(name, CASES[name])
    agree(name, making(), mlp(classes).double(), classes, counts)
