"""The methods that learn on held-out data against their papers' equations, over several epochs."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import taxo
from taxo.ops.networks import Mlp
from taxo.runtime.step import Step
from tests.fidelity import meta_references as paper
from tests.fidelity.clock import LR, Clock, Timed, epochs_of, unbiased
from tests.fidelity.logit_references import timeless
from tests.fidelity.nets import CLASSES, COUNTS, NETS, SAMPLES, batch, close, descend, weights
from tests.fidelity.references import SEED

HELD = [batch(6, seed=seed)[:2] for seed in (51, 52, 53)]
Making = Callable[[Step], Timed]


def networks(step: Step) -> list[list[Tensor]]:
    """The small networks of a step, as the weights they begin with."""
    found = [module for module in step.modules() if isinstance(module, Mlp)]
    return [[one.clone() for one in network.weights().values()] for network in found]


def mixpert(eta: float = 3, eps: float = 8 / 255, used: tuple[int, ...] = (0, 1, 2)) -> Making:
    return lambda step: timeless(paper.meta_mixpert(eta, eps, used, networks(step)[0], HELD))


def mslc(warmup: int, soft: bool = False) -> Making:
    return lambda step: paper.mslc(warmup, soft, networks(step), HELD)


def metasaug(lam: float, rate: float) -> Making:
    return lambda _: paper.metasaug(lam, rate, CLASSES, HELD)


def logpert(eta: float) -> Making:
    return lambda _: timeless(paper.meta_logpert(eta, SAMPLES, CLASSES, HELD))


CASES: dict[str, Making] = {
    "meta_logit_adjustment": lambda _: timeless(paper.meta_logit_adjustment(COUNTS, HELD)),
    "autobalance": lambda _: timeless(paper.autobalance(1, 0, COUNTS, HELD)),
    "autobalance(dy: -0.5, ly: 0.2)": lambda _: timeless(paper.autobalance(-0.5, 0.2, COUNTS, HELD)),
    "balanced_margin": lambda _: timeless(paper.balanced_margin(64, CLASSES, HELD)),
    "balanced_margin(s: 10)": lambda _: timeless(paper.balanced_margin(10, CLASSES, HELD)),
    "meta_logpert": logpert(6),
    "meta_logpert(eta: 1.5)": logpert(1.5),
    "metamixup": lambda _: timeless(paper.metamixup(HELD)),
    "meta_mixpert": mixpert(),
    "meta_mixpert(eta: 1, eps: 4/255, hidden: 20)": mixpert(1, 4 / 255),
    "meta_mixpert(characteristics: loss_only)": mixpert(used=(0,)),
    "meta_mixpert(characteristics: gradnorm_only)": mixpert(used=(1,)),
    "meta_mixpert(characteristics: margin_only)": mixpert(used=(2,)),
    "metasaug": metasaug(0.75, 0.1),
    "metasaug(lam: 4, meta_lr: 30)": metasaug(4, 30),
    "meta_adversarial": lambda _: timeless(paper.meta_adversarial(8 / 255, 4 / 255, CLASSES, HELD)),
    "meta_adversarial(eps: 0.3, step: 0.2)": lambda _: timeless(
        paper.meta_adversarial(0.3, 0.2, CLASSES, HELD)
    ),
    "meta_universal_patch": lambda _: timeless(paper.meta_universal_patch(5 / 100, 1 / 255, HELD)),
    "meta_universal_patch(area: 60%, step: 40/255)": lambda _: timeless(
        paper.meta_universal_patch(0.6, 40 / 255, HELD)
    ),
    "mslc": mslc(80),
    "mslc(warmup: 1, hidden: 30)": mslc(1),
    "mslc(warmup: 0, soft: true)": mslc(0, soft=True),
}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(("spec", "making"), CASES.items(), ids=list(CASES))
def test_three_epochs_are_the_papers(spec: str, making: Making, net: str):
    model: Any = NETS[net]().double()
    if any(call.name.text == "cosine_head" for call in taxo.load(spec).needs):
        model = unbiased(model)
    twin = deepcopy(model)
    step = taxo.compile(
        spec, model, classes=CLASSES, samples=SAMPLES, class_counts=COUNTS, seed=SEED, validation=HELD
    ).double()
    step.attach(torch.optim.SGD(model.parameters(), lr=LR))
    clock = Clock(0, 3)
    reference = making(step)(clock)
    for epoch in step.epochs(3):
        clock.epoch = epoch
        for x, y, index in epochs_of(3, 2)[epoch]:
            loss = step(x, y, index)
            slopes = torch.autograd.grad(loss, weights(model))
            expected, expected_slopes = reference(twin, x, y, index)
            close(loss.detach(), expected)
            for slope, other in zip(slopes, expected_slopes, strict=True):
                close(slope, other)
            descend(model, slopes)
            descend(twin, expected_slopes)
    agree(model, twin)


def agree(model: nn.Module, twin: nn.Module) -> None:
    """The same weights, and the same running statistics."""
    for name, value in model.state_dict().items():
        if "num_batches" not in name:
            close(value, twin.state_dict()[name])
