"""Programs whose unknown is a field over the pixels, or whose set is made from the picture."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import taxo
from taxo.compiler import compile_program
from taxo.laws.watch import backward
from taxo.ops.flow import SmoothFlow
from taxo.runtime.step import Step
from tests.fidelity.nets import batch, close, conv, made, mlp

FLOW = """method m
perturb features by warp(x, m) - x {{
  {where} direction negative
  infer adversarial maximize loss within {within} via {via}
  granularity {grain}
}}"""
RECOLOR = """method m
perturb features {at} by d {{
  direction negative
  infer adversarial maximize loss within {within} via linearized
  granularity sample
}}"""


def flow(
    within: str = "smooth_flow(2, 0.5)",
    via: str = "linearized",
    grain: str = "sample",
    where: str = "",
) -> taxo.Method:
    return taxo.parse(FLOW.format(within=within, via=via, grain=grain, where=where))


def moved(step: Step, name: str = "m") -> Tensor:
    delta = step.deltas[name]
    assert isinstance(delta, Tensor)
    return delta


def run(method: taxo.Method, model: nn.Module | None = None, steps: int = 2) -> Step:
    step = made(method, model or conv().double())
    for seed in range(steps):
        backward(step(*batch(seed=seed)), step.model)
    return step


@pytest.mark.parametrize("grain", ["sample", "category", "corpus"])
@pytest.mark.parametrize(
    "via", ["pgd(3, 0.2)", "pgd(2, 0.2, start: uniform)", "gradient(2, 0.5)", "linearized"]
)
def test_every_solver_finds_motions_of_every_granularity(via: str, grain: str):
    step = run(flow(via=via, grain=grain))
    assert 0.001 < float(moved(step).abs().max()) < 1


@pytest.mark.parametrize("grain", ["sample", "category", "corpus"])
def test_motions_are_kept(grain: str):
    method = flow(via="pgd(1, 0.1, start: kept)", grain=grain)
    step = run(method, mlp().double(), 3)
    (kept,) = (value for name, value in step.state_dict().items() if name.endswith("value"))
    assert kept.shape[1:] == (2, 6, 6)
    size = kept.square().sum(1).mean((1, 2)).sqrt()
    assert 0 < float(size.max()) <= 0.5
    close(SmoothFlow(2, 0.5).project([kept])[0], kept)


def test_a_motion_and_a_limit_of_its_own_for_every_pixel():
    step = run(flow("smooth_flow(2, 5), linf(0.25), box", "pgd(3, 1)"))
    assert float(moved(step).abs().max()) > 0


@pytest.mark.parametrize("via", ["pgd(2, 0.2)", "linearized"])
def test_selected_rows_are_moved_as_in_a_whole_batch(via: str):
    method = flow(via=via, where="where clean.loss in top(50%)")
    some = run(method, mlp().double(), 1)
    every = run(flow(via=via), mlp().double(), 1)
    touched = (moved(some) != 0).flatten(1).any(1)
    assert int(touched.sum()) == 4
    close(moved(some)[touched], moved(every)[touched], atol=1e-12)


def test_recolouring_inside_the_model():
    step = run(taxo.parse(RECOLOR.format(at='at "2"', within="recolor(1, 0.1)")))
    assert moved(step, "d").shape == (8, 3, 6, 6)
    assert bool(moved(step, "d").any())


def test_a_recolouring_follows_the_loss_of_each_sample():
    step = run(taxo.parse(RECOLOR.format(at="", within="recolor(1, 0.02 * clean.loss)")), mlp().double())
    assert bool(moved(step, "d").isfinite().all())


@pytest.mark.parametrize("via", ["joint(lr: 1)", "pgd(1, 0.1, start: kept, simultaneous: true)"])
def test_motions_do_not_move_beside_the_weights(via: str):
    with pytest.raises(taxo.TaxoError, match=r"of motions beside the weights") as raised:
        compile_program(flow(via=via))
    assert {one.code for one in raised.value.diagnostics} == {"T210"}


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["adversarial_flow", "adversarial_recolor", "adversarial_recolor(rank: 4)"])
def test_other_types(name: str, kind: torch.dtype):
    step = made(name, mlp().to(kind))
    x, y, index = batch(dtype=kind)
    loss = step(x, y, index)
    assert bool(loss.isfinite())
