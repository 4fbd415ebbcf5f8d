"""The methods on logits and labels with two classes, and with a thousand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

import taxo
from tests.fidelity import label_references as labels
from tests.fidelity import logit_references as logits
from tests.fidelity import test_labels, test_logits
from tests.fidelity.clock import Timed, agree, epochs_of
from tests.fidelity.nets import SAMPLES, mlp

CASES: dict[str, Callable[[Sequence[int]], Timed]] = {
    "vs_loss": lambda counts: logits.vs_loss(0.3, 1, counts),
    "zla": lambda counts: logits.zla(1, counts),
    "logit_adjustment_posthoc": lambda counts: logits.posthoc(),
    "ldam": lambda counts: logits.ldam(0.5, 30, counts),
    "deferred_reweighting(start: 20%)": lambda counts: logits.deferred_reweighting(0.9999, 0.2, counts),
    "isda": lambda counts: logits.isda(0.5),
    "arcface": lambda counts: logits.arcface(0.5, 64),
    "cosface": lambda counts: logits.cosface(0.35, 64),
    "sphereface": lambda counts: logits.sphereface(4, 1),
    "adaptive_face": lambda counts: logits.adaptive_face(1, 64, len(counts)),
    "selfpaced_logpert(start: 0.7)": lambda counts: logits.selfpaced_logpert(0.7, 1.1),
    "category_logpert": lambda counts: logits.category_logpert(0.3, 6, len(counts)),
    "mixpert_adaptive(eps: 8/255)": lambda counts: logits.mixpert_adaptive(eps=8 / 255),
    "soft_bootstrapping": lambda counts: labels.soft_bootstrapping(0.95),
    "hard_bootstrapping": lambda counts: labels.hard_bootstrapping(0.8),
    "mixbootstrapping": lambda counts: labels.mixbootstrapping(0.3, 0.5),
    "online_label_smoothing": lambda counts: labels.online_label_smoothing(0.5),
    "adversarial_label_smoothing": lambda counts: labels.adversarial_label_smoothing(0.1),
    "proselflc": lambda counts: labels.proselflc(16, 0.5),
    "d2l": lambda counts: labels.d2l(20, 5),
    "deep_self_learning": lambda counts: labels.deep_self_learning(0.5, 8),
    "robust_regression": lambda counts: labels.robust_regression(0.5),
    "robust_lasso": lambda counts: labels.robust_regression(0.5, 0.01),
    "label_relaxation": lambda counts: labels.label_relaxation(1),
    "label_svm": lambda counts: labels.label_svm(1, SAMPLES),
}


@pytest.mark.parametrize("classes", [2, 1000])
@pytest.mark.parametrize(("spec", "making"), CASES.items(), ids=list(CASES))
def test_few_and_many_classes(spec: str, making: Callable[[Sequence[int]], Timed], classes: int):
    counts = [1 + number % 7 for number in range(classes)]
    agree(spec, making(counts), mlp(classes).double(), epochs_of(2, 2, classes), counts)


def test_every_method_is_tried():
    names = {spec.partition("(")[0] for spec in (*test_logits.CASES, *test_labels.CASES)}
    assert {spec.partition("(")[0] for spec in CASES} == names <= set(taxo.methods())
