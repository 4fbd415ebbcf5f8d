"""The methods on logits against their papers' equations, over several epochs, and their limits."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.fidelity import logit_references as paper
from tests.fidelity.clock import Timed, agree, epochs_of
from tests.fidelity.nets import COUNTS, NETS

CASES: dict[str, Callable[[], Timed]] = {
    "vs_loss": lambda: paper.vs_loss(0.3, 1, COUNTS),
    "vs_loss(gamma: 0.1, tau: 2)": lambda: paper.vs_loss(0.1, 2, COUNTS),
    "vs_loss(gamma: 0)": lambda: paper.vs_loss(0, 1, COUNTS),
    "zla": lambda: paper.zla(1, COUNTS),
    "zla(gamma: 0.4)": lambda: paper.zla(0.4, COUNTS),
    "logit_adjustment_posthoc": paper.posthoc,
    "logit_adjustment_posthoc(tau: 3)": paper.posthoc,
    "ldam": lambda: paper.ldam(0.5, 30, COUNTS),
    "ldam(max_m: 0.2, s: 8)": lambda: paper.ldam(0.2, 8, COUNTS),
    "deferred_reweighting(start: 60%)": lambda: paper.deferred_reweighting(0.9999, 0.6, COUNTS),
    "deferred_reweighting(b: 0.9, start: 0)": lambda: paper.deferred_reweighting(0.9, 0, COUNTS),
    "isda": lambda: paper.isda(0.5),
    "isda(lam: 7)": lambda: paper.isda(7),
    "isda(lam: 2, diagonal: true)": lambda: paper.isda(2, diagonal=True),
    "arcface": lambda: paper.arcface(0.5, 64),
    "arcface(m: 1, s: 10)": lambda: paper.arcface(1, 10),
    "cosface": lambda: paper.cosface(0.35, 64),
    "cosface(m: 0.1, s: 20)": lambda: paper.cosface(0.1, 20),
    "sphereface": lambda: paper.sphereface(4, 1),
    "sphereface(m: 2, s: 9)": lambda: paper.sphereface(2, 9),
    "sphereface(m: 3)": lambda: paper.sphereface(3, 1),
    "adaptive_face": lambda: paper.adaptive_face(1, 64),
    "adaptive_face(lam: 30, s: 10)": lambda: paper.adaptive_face(30, 10),
    "selfpaced_logpert": lambda: paper.selfpaced_logpert(1, 1.1),
    "selfpaced_logpert(start: 1.5, growth: 1.03)": lambda: paper.selfpaced_logpert(1.5, 1.03),
    "category_logpert": lambda: paper.category_logpert(0.3, 6),
    "category_logpert(lam: 0.175, eta: 1.5)": lambda: paper.category_logpert(0.175, 1.5),
    "mixpert_adaptive": paper.mixpert_adaptive,
    "mixpert_adaptive(eta: 1, pro: 50%, scale: 0.3)": lambda: paper.mixpert_adaptive(1, 0, 0.5, 0.3),
    "mixpert_adaptive(eps: 8/255)": lambda: paper.mixpert_adaptive(eps=8 / 255),
    "mixpert_adaptive(eps: 12/255, pro: 45%, scale: 0.5)": lambda: paper.mixpert_adaptive(
        3, 12 / 255, 0.45, 0.5
    ),
}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("spec", "making"), CASES.items(), ids=list(CASES))
def test_three_epochs_are_the_papers(spec: str, making: Callable[[], Timed], net: str):
    agree(spec, making(), NETS[net]().double(), epochs_of(3, 2))
