"""A condition on the time alone switches a perturbation and its passes off."""

from __future__ import annotations

import pytest
import torch

import taxo
from taxo.laws.watch import counted
from tests.fidelity.nets import CLASSES, batch, close, mlp

ATTACK = (
    "perturb features by d {{ where {where} direction negative granularity sample infer adversarial "
    "maximize loss within linf(0.1), box via pgd(steps: 2, step: 0.05) }}"
)
CLIMB = (
    "perturb weights by v {{ where {where} direction negative granularity corpus infer adversarial "
    "maximize loss within l2(0.1) via linearized }}"
)
CONDITIONS = ["epoch >= 2", "not epoch < 2", "progress >= 50% and C > 2", "late"]
DECLARED = "param from_epoch = 2 let late = epoch >= from_epoch "


def compiled(clause: str, where: str) -> taxo.Method:
    declared = DECLARED if where == "late" else ""
    return taxo.parse(f"method m {declared}{clause.format(where=where)}")


@pytest.mark.parametrize("where", CONDITIONS)
@pytest.mark.parametrize(("clause", "passes"), [(ATTACK, 3), (CLIMB, 2)])
def test_its_passes_are_run_in_time_only(clause: str, passes: int, where: str):
    step = taxo.compile(compiled(clause, where), mlp().double(), classes=CLASSES)
    always = taxo.compile(compiled(clause, "epoch >= 0"), mlp().double(), classes=CLASSES)
    plain = taxo.compile("plain", mlp().double(), classes=CLASSES)
    x, y, _ = batch()
    for epoch in step.epochs(4):
        with counted(step.model) as run:
            loss = step(x, y)
        assert len(run.forward_rows) == (passes if epoch >= 2 else 1)
        assert bool(step.deltas) == (epoch >= 2)
        close(loss.detach(), (always if epoch >= 2 else plain)(x, y).detach())


def test_the_plan_says_so():
    plan = taxo.compile(compiled(ATTACK, "epoch >= 2"), mlp(), classes=CLASSES).plan
    assert "infer d: 2 x (forward + backward), norm frozen, at times" in map(str, plan.passes)


def test_a_loaded_step_knows_the_time():
    step = taxo.compile(compiled(ATTACK, "step >= 2"), mlp(), classes=CLASSES)
    again = taxo.compile(compiled(ATTACK, "step >= 2"), mlp(), classes=CLASSES)
    x, y, _ = batch(dtype=torch.float32)
    step(x, y)
    step(x, y)
    again.load_state_dict(step.state_dict())
    again(x, y)
    assert again.deltas
