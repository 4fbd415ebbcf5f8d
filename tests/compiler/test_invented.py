"""What methods that nobody wrote have shown: each a meaning of its own, against its equations."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

import taxo
from tests.compiler.agreement import PRIOR, compiled, delta, failure, holds, losses
from tests.fidelity.nets import CLASSES, COUNTS, batch, close, conv, mlp

WEIGHTS = "direction negative granularity corpus infer adversarial maximize loss within"
COUNTED = torch.tensor(COUNTS, dtype=torch.float64)
SHARES = COUNTED / COUNTED.sum()


def test_a_name_in_the_base_objective():
    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        return losses(model(x), y).mean() + SHARES[1] + 7

    text = f"let a = class_prior loss cross_entropy + (a + 7)[1] perturb loss by 0 * loss {{ {PRIOR} }}"
    holds(text, mlp(), expected)


def test_points_in_another_precision():
    """The labels are float64, the model's points float32."""
    points = torch.rand(4, CLASSES, dtype=torch.float64)
    step = compiled("loss icp", mlp())
    x, _, index = batch(4)
    u = step.model(x.float())
    close(step(x.float(), points, index), torch.cdist(u.double(), points).amin(1).square().mean())


def test_a_place_that_is_another_one_in_each_part():
    """Parts of a batch that are perturbed at modules of different outputs leave the last one's."""
    text = f'split 4 draw site ~ module("*") per batch perturb features at site by 0.1 * h {{ {PRIOR} }}'
    step = compiled(text, conv().double())
    step(*batch(8)).backward()
    assert len(delta(step, "features")) in (2, 8)


@pytest.mark.parametrize("like", ["C", "N", "epoch", "2 * C"])
def test_a_draw_like_one_number(like: str):
    text = f"draw r ~ uniform(2, 3) per batch like {like} perturb loss by r {{ {PRIOR} }}"
    step, same = (compiled(one, mlp().double()) for one in (text, text.replace(f"like {like}", "")))
    close(step(*batch()).detach(), same(*batch()).detach())


def test_a_decay_reads_the_shares_of_the_classes():
    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        found = losses(model(x), y)
        kept = 2 * SHARES[3] + (1 - SHARES[3]) * found.detach().mean()
        return (found + kept).mean()

    state = "state s per corpus = ema(clean.loss, decay: class_prior[3]) before from 2"
    holds(f"{state} perturb loss by s {{ {PRIOR} }}", mlp(), expected)


@pytest.mark.parametrize(("value", "kept"), [("class_prior", SHARES[2]), ("C", CLASSES)])
def test_what_is_kept_of_every_class(value: str, kept: float):
    """A value that there is of every class, or the same for all, goes into every row."""
    text = f"state s per category = mean({value}) from 9 perturb loss by s[2] {{ {PRIOR} }}"
    step = compiled(text, mlp().double())
    for before in (9, kept, kept):
        x, y, index = batch()
        added = (step(x, y, index) - losses(step.model(x), y).mean()).item()
        assert added == pytest.approx(float(before), abs=1e-9)


def test_vectors_kept_of_every_class():
    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        return (losses(model(x), y) + [*model.parameters()][2].detach()[y].abs().sum(1)).mean()

    text = f"state s per category = mean(W) before perturb logits by l1(s[y]) * y {{ {PRIOR} }}"
    step = compiled(text.replace("logits by l1(s[y]) * y", "loss by l1(s[y])"), mlp().double())
    other = mlp().double()
    close(step(*batch()).detach(), expected(other, *batch()).detach())


def test_the_entropy_of_each_row_of_a_table():
    """Class by class, so that a label picks its own."""
    state = "state s per category = mean(p) from 1 / C"

    def expected(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        return losses(model(x), y).mean() + torch.tensor(float(CLASSES)).double().log()

    holds(f"{state} perturb loss by entropy(s)[y] {{ {PRIOR} }}", mlp(), expected)


def test_only_forms_and_conditions_ask_for_the_name_of_a_weight():
    text = 'perturb weights by v {{ {} linf(0.1 if named("*bias") else 0.2) via linearized }}'
    found = failure(lambda: compiled(text.format(WEIGHTS), mlp().double()))
    assert (found.code, found.message) == ("T210", "`named` outside a form cannot be run in this version")


def test_a_radius_for_each_tensor_may_ask_for_its_name():
    radius = 'l2(0.1 if named("*bias") else 0.2, each: tensor)'
    step = compiled(f"perturb weights by v {{ {WEIGHTS} {radius} via linearized }}", mlp().double())
    step(*batch())
    moved = step.deltas["v"]
    assert isinstance(moved, dict)
    for name, part in moved.items():
        assert float(part.norm()) == pytest.approx(0.1 if "bias" in name else 0.2)


def test_no_set_around_a_network():
    text = """param n = mlp(1, 4, 1) perturb loss by n(loss) { direction mixed granularity sample }
    infer regularization over n minimize loss within nonnegative via joint(lr: 1)"""
    found = failure(lambda: compiled(text, mlp().double()))
    assert "a set around a learned network" in found.message
    assert taxo.parse(f"method m {text}")
