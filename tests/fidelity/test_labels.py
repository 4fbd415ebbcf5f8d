"""The methods on labels against their papers' equations, over several epochs, and their limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fidelity import label_references as paper
from tests.fidelity.clock import Timed, agree, epochs_of
from tests.fidelity.nets import NETS, SAMPLES

CASES: dict[str, Callable[[], Timed]] = {
    "soft_bootstrapping": lambda: paper.soft_bootstrapping(0.95),
    "soft_bootstrapping(lam: 0.6)": lambda: paper.soft_bootstrapping(0.4),
    "soft_bootstrapping(lam: 0.3, live: true)": lambda: paper.soft_bootstrapping(0.7, live=True),
    "hard_bootstrapping": lambda: paper.hard_bootstrapping(0.8),
    "hard_bootstrapping(lam: 1)": lambda: paper.hard_bootstrapping(0),
    "mixbootstrapping": lambda: paper.mixbootstrapping(0.3, 0.5),
    "mixbootstrapping(alpha: 1, beta: 0.2)": lambda: paper.mixbootstrapping(1, 0.2),
    "mixbootstrapping(beta: 0.9, confidence: true)": lambda: paper.mixbootstrapping(0.3, 0.9, True),
    "online_label_smoothing": lambda: paper.online_label_smoothing(0.5),
    "online_label_smoothing(alpha: 0.9)": lambda: paper.online_label_smoothing(0.9),
    "adversarial_label_smoothing": lambda: paper.adversarial_label_smoothing(0.1),
    "adversarial_label_smoothing(lam: 0.7)": lambda: paper.adversarial_label_smoothing(0.7),
    "proselflc": lambda: paper.proselflc(16, 0.5),
    "proselflc(b: 3, transit: 0.2)": lambda: paper.proselflc(3, 0.2),
    "d2l": lambda: paper.d2l(20, 5),
    "d2l(k: 3, window: 1)": lambda: paper.d2l(3, 1),
    "d2l(k: 3, window: 2)": lambda: paper.d2l(3, 2),
    "deep_self_learning": lambda: paper.deep_self_learning(0.5, 8),
    "deep_self_learning(alpha: 0.8, prototypes: 2)": lambda: paper.deep_self_learning(0.8, 2),
    "robust_regression": lambda: paper.robust_regression(0.5),
    "robust_regression(lam: 1.5)": lambda: paper.robust_regression(1.5),
    "robust_lasso": lambda: paper.robust_regression(0.5, 0.01),
    "robust_lasso(lam: 0.9, mu: 0.2)": lambda: paper.robust_regression(0.9, 0.2),
    "label_relaxation": lambda: paper.label_relaxation(1),
    "label_relaxation(lam: 0.05)": lambda: paper.label_relaxation(0.05),
    "label_svm": lambda: paper.label_svm(1, SAMPLES),
    "label_svm(C: 0.05)": lambda: paper.label_svm(0.05, SAMPLES),
}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("spec", "making"), CASES.items(), ids=list(CASES))
def test_several_epochs_are_the_papers(spec: str, making: Callable[[], Timed], net: str):
    """Eight of them, in which the dimension of features turns."""
    agree(spec, making(), NETS[net]().double(), epochs_of(8, 2))
