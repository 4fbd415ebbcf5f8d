"""The meter of directions: the loss with a perturbation and without it, on the same draws."""

import math

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import taxo
from taxo.runtime.direction import movement
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, SAMPLES, batch, conv, mlp

GRAIN = "infer prior granularity sample"


def step_of(body: str) -> Step:
    method = taxo.parse(f"method mine\n{body}")
    return taxo.compile(method, mlp().double(), classes=CLASSES, samples=SAMPLES, seed=3)


def test_the_share_is_that_of_a_count_by_hand():
    step = step_of(f"perturb logits by -0.5 * u {{ direction mixed {GRAIN} }}")
    x, y, index = batch(20)
    u = step.model(x).detach()
    change = cross_entropy(0.5 * u, y, reduction="none") - cross_entropy(u, y, reduction="none")
    share = movement(step, x, y, index, "logits").risen
    assert share == float((change > 0).double().mean())
    assert movement(step, x, y, index, "logits").mean == pytest.approx(float(change.mean()), abs=1e-12)
    assert 0 < share < 1


def test_samples_that_were_not_moved_do_not_count():
    step = step_of(f"perturb loss by loss {{ where margin > 0 direction negative {GRAIN} }}")
    assert movement(step, *batch(20), "loss").risen == 1


def test_a_perturbation_that_moved_nothing_has_no_share():
    step = step_of(f"perturb loss by loss {{ where margin > 100 direction negative {GRAIN} }}")
    assert math.isnan(movement(step, *batch(20), "loss").risen)
    assert math.isnan(movement(step, *batch(20), "other").risen)


def test_others_may_be_left_apart():
    attack = """perturb features by d { direction negative granularity sample
      infer adversarial maximize loss within linf(0.05) via linearized }"""
    turned = f"perturb loss by -1.5 * loss {{ direction positive {GRAIN} }}"
    step = step_of(f"{attack}\n{turned}")
    assert movement(step, *batch(20), "d", ["loss"]).risen == 1
    assert movement(step, *batch(20), "d").risen == 0
    assert movement(step, *batch(20), "loss").risen == 0
    assert step.muted == set()


@pytest.mark.parametrize("spec", ["pgd_at(steps: 2)", "logpert", "sam", "damp", "mixpert(eps: 8/255)"])
def test_measuring_leaves_the_step_as_it_was(spec: str):
    def loss_after(measured: bool) -> tuple[Tensor, Tensor]:
        step = taxo.compile(spec, conv().double(), classes=CLASSES, samples=SAMPLES, seed=3)
        step(*batch(20, seed=5)).backward()
        before = dict(step.deltas)
        if measured:
            movement(step, *batch(20, seed=6), next(iter(step.deltas)))
            assert list(step.deltas) == list(before)
        return step(*batch(20, seed=7)), step.losses

    for one, other in zip(loss_after(True), loss_after(False), strict=True):
        assert torch.equal(one, other)


def test_an_error_leaves_nothing_muted():
    step = step_of(f"perturb loss by loss {{ direction negative {GRAIN} }}")
    with pytest.raises(taxo.TaxoError):
        movement(step, torch.rand(3, 1, 6, 6).double(), torch.full((3,), 99), None, "loss")
    assert step.muted == set()


def test_weights_are_measured_on_every_sample():
    step = step_of("perturb weights by -0.5 * w { direction mixed infer prior granularity corpus }")
    x, y, index = batch(20)
    share = movement(step, x, y, index, "weights").risen
    without = cross_entropy(step.model(x), y, reduction="none")
    step(x, y, index)
    assert share == float((step.losses > without).double().mean())
