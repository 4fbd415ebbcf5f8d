"""Data perturbation learning against its equations: the data of the next round, sample by sample.

The curvature, its inverse and every direction are dense here, and taken by torch's function transforms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, jacrev
from torch.nn import functional
from torch.utils.data import TensorDataset

import taxo
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, NETS, SAMPLES, batch, close

DAMPING, SCALE = 0.01 * 25, 25
Weights = Mapping[str, Tensor]
Inverse = Callable[[Tensor, Tensor], Tensor]


class Reference:
    """The whole stage on a model with running statistics."""

    def __init__(self, model: nn.Module, x: Tensor, y: Tensor, guide: Tensor, inverse: Inverse) -> None:
        self.model = model.eval()
        self.weights = {name: one.detach() for name, one in model.named_parameters()}
        others = torch.tensor([row for row in range(len(x)) if row not in guide.tolist()])
        self.x, self.y, self.others = x, y, others
        risk = grad(lambda at: functional.cross_entropy(self.logits(at, x[guide]), y[guide]))(self.weights)
        self.s = inverse(self.gauss_newton(others), flat(risk))

    def logits(self, at: Weights, x: Tensor) -> Tensor:
        return functional_call(self.model, dict(at), (x,))

    def gauss_newton(self, rows: Tensor) -> Tensor:
        """The mean of Jᵀ (diag p - p pᵀ) J."""
        found = jacrev(lambda at: self.logits(at, self.x[rows]))(self.weights)
        jacobian = torch.cat([one.flatten(2) for one in found.values()], 2)
        p = self.logits(self.weights, self.x[rows]).softmax(1)
        bent = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
        return torch.einsum("nci,ncd,ndj->ij", jacobian, bent, jacobian) / len(rows)

    def along(self, x: Tensor, y: Tensor) -> Tensor:
        """⟨s, the slope of one sample's loss in the weights⟩."""
        slopes = grad(lambda at: functional.cross_entropy(self.logits(at, x[None]), y[None]))(self.weights)
        return flat(slopes) @ self.s

    def amended(self, alpha: float, share: float, append: bool) -> tuple[Tensor, Tensor]:
        """The samples that are amended, the most helpful first, and what they become."""
        change = torch.stack([grad(self.along)(self.x[row], self.y[row]) for row in self.others])
        own = torch.stack([self.along(self.x[row], self.y[row]) for row in self.others])
        gain = alpha * change.flatten(1).square().sum(1) + append * own
        count = int(share * len(gain) + 0.5)
        best = gain.argsort(descending=True)[:count]
        best = best[gain[best] > 0]
        rows, order = self.others[best].sort()
        return rows, self.x[rows] + alpha * change[best][order]


def flat(parts: Weights) -> Tensor:
    return torch.cat([part.reshape(-1) for part in parts.values()])


def textbook(matrix: Tensor, right: Tensor) -> Tensor:
    """Conjugate gradients from zero, until a tenth of the right-hand side is left."""
    matrix = matrix + DAMPING * torch.eye(len(right))
    x, r, p = torch.zeros_like(right), right, right
    while r.norm() > 0.1 * right.norm():
        step = r @ r / (p @ matrix @ p)
        x, before, r = x + step * p, r, r - step * (matrix @ p)
        p = r + (r @ r) / (before @ before) * p
    return x


def series(depth: int) -> Inverse:
    def inverse(matrix: Tensor, right: Tensor) -> Tensor:
        """Σ (1 - (G + damping) / scale)^k g / scale."""
        eye = torch.eye(len(right)).double()
        step = eye - (matrix + DAMPING * eye) / SCALE
        return sum((torch.linalg.matrix_power(step, k) @ right for k in range(depth + 1)), 0 * right) / SCALE

    return inverse


def trained(spec: str, model: Any) -> Step:
    """A step whose model has running statistics of its own, in the first epoch of a second round."""
    step = taxo.compile(spec, model, classes=CLASSES, samples=SAMPLES, seed=3).double()
    for seed in range(3):
        step(*batch(seed=seed))
    step.begin_epoch(1, of=3)
    return step


CASES: dict[str, tuple[float, float, bool, Inverse]] = {
    "dpl": (0.005, 0.04, True, textbook),
    "dpl(alpha: 0.01, share: 40%)": (0.01, 0.4, True, textbook),
    "dpl(hessian: neumann, depth: 6, share: 100%)": (0.005, 1.0, True, series(6)),
    "dpl(hessian: lissa, depth: 4, share: 30%)": (0.005, 0.3, True, series(4)),
    "dpl_replace": (0.005, 0.04, False, textbook),
    "dpl_replace(share: 50%)": (0.005, 0.5, False, textbook),
}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize("spec", CASES)
def test_the_data_of_the_next_round(spec: str, net: str):
    alpha, share, append, inverse = CASES[spec]
    step = trained(spec, NETS[net]().double())
    assert step.begins_round
    x, y, _ = batch(SAMPLES, seed=7)
    found = step.amend(TensorDataset(x, y))
    guide = torch.randperm(SAMPLES, generator=step.dice("guide"))[:2]
    reference = Reference(step.model, x, y, guide, inverse)
    rows, moved = reference.amended(alpha, share, append)
    assert found.append == append
    assert found.rows.tolist() == rows.tolist()
    assert len(rows) > 0
    assert found.x is not None
    close(found.x - x[rows], moved - x[rows], atol=1e-10)
    assert not torch.equal(found.x, x[rows])
