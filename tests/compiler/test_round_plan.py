"""What a plan says of the passes before a round, counted while they run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

import taxo
from taxo.runtime.influence import Influence
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, SAMPLES, batch, mlp

X, Y, _ = batch(SAMPLES, seed=7, dtype=torch.float32)
OPTIONS = "damping: 0.25, steps: 4"
EXACT = """method exact
needs rounds(2)
perturb features by d {
  where       gain in top(50%)
  every       round replace
  direction   positive on guide
  infer       meta minimize loss on guide(50%) via influence(step: 1, samples: 16, HOW)
  granularity sample
}"""


class Counts:
    """Counts the rows that enter a model, and the gradients that go through it, past one sample's trial."""

    def __init__(self, model: nn.Module, monkeypatch: pytest.MonkeyPatch) -> None:
        self.forwards = self.backwards = 0
        model.register_forward_pre_hook(self._forward)
        usual, fitting = torch.autograd.grad, Influence._fitting

        def grad(outputs: Any, inputs: Any, *others: Any, **named: Any) -> Any:
            leaves = [inputs] if isinstance(inputs, Tensor) else inputs
            # the logits are no leaf: a gradient that ends there has not been through the model
            self.backwards += all(one.is_leaf for one in leaves)
            return usual(outputs, inputs, *others, **named)

        def tried(stage: Influence) -> Any:
            found = fitting(stage)
            self.forwards = self.backwards = 0
            return found

        monkeypatch.setattr(torch.autograd, "grad", grad)
        monkeypatch.setattr(Influence, "_fitting", tried)

    def _forward(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.forwards += len(inputs[0])


def planned(step: Step, products: int) -> Iterator[tuple[float, int]]:
    """Rows forwards and calls backwards of each kind of pass, with so many products."""
    for one in step.plan.between:
        rows = one.samples or one.share * SAMPLES
        count = min(products, one.count) if one.sooner else one.count
        yield count * one.forwards * rows, count * one.backwards


@pytest.mark.parametrize(
    ("how", "kinds", "cost"),
    [
        (
            f"hessian: cg({OPTIONS})",
            ["guide", "curvature", "product", "influence"],
            "1 F + 1.5 B of the data, 1 F + 1 B of 16 samples, 2 B of 16 samples for each product",
        ),
        (
            f"hessian: neumann({OPTIONS}, scale: 9)",
            ["guide", "curvature", "product", "influence"],
            "1 F + 1.5 B of the data, 1 F + 9 B of 16 samples",
        ),
        (
            f"hessian: lissa({OPTIONS}, scale: 9)",
            ["guide", "product", "influence"],
            "1 F + 1.5 B of the data, 4 F + 12 B of 16 samples",
        ),
        (
            f"curvature: hessian, hessian: neumann({OPTIONS}, scale: 9)",
            ["guide", "curvature", "product", "influence"],
            "1 F + 1.5 B of the data, 1 F + 5 B of 16 samples",
        ),
    ],
)
def test_the_passes_of_a_round(how: str, kinds: list[str], cost: str, monkeypatch: pytest.MonkeyPatch):
    model = mlp()
    step = taxo.compile(taxo.parse(EXACT.replace("HOW", how)), model, classes=CLASSES, samples=SAMPLES)
    assert [one.kind for one in step.plan.between] == kinds
    assert (step.plan.rounds, step.plan.round_cost) == (2, cost)
    step.begin_epoch(1, of=2)
    counts = Counts(model, monkeypatch)
    step.amend(TensorDataset(X, Y))
    expected = [*planned(step, int(step.meters()["d"]["products"]))]
    assert counts.forwards == sum(rows for rows, _ in expected)
    assert counts.backwards == sum(calls for _, calls in expected)


def test_a_method_that_amends_nothing_has_no_such_passes():
    for spec in ("plain", "dpl(share: 0)"):
        plan = taxo.compile(spec, mlp(), classes=CLASSES, samples=SAMPLES).plan
        assert (plan.between, plan.round_cost) == ((), "")
