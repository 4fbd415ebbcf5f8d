"""Linear support vector machines on real data against scikit-learn's optimum."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

import taxo
from taxo.runtime.step import Step

datasets = pytest.importorskip("sklearn.datasets")
preprocessing = pytest.importorskip("sklearn.preprocessing")
machines = pytest.importorskip("sklearn.svm")


class Plane(nn.Module):
    """The two sides of a plane: logits of minus and plus half of f(x), whose margin is y f(x)."""

    def __init__(self, features: int) -> None:
        super().__init__()
        self.plane = nn.Linear(features, 1, dtype=torch.float64)
        nn.init.zeros_(self.plane.weight)
        nn.init.zeros_(self.plane.bias)

    def forward(self, x: Tensor) -> Tensor:
        f = self.plane(x) / 2
        return torch.cat([-f, f], 1)


def cancer() -> tuple[Tensor, Tensor]:
    """Every feature of the tumours with a mean of 0 and a deviation of 1, and whether they are benign."""
    x, y = datasets.load_breast_cancer(return_X_y=True)
    return torch.tensor(preprocessing.StandardScaler().fit_transform(x)), torch.tensor(y)


def descended(spec: str, steps: int, lr: float, watch: Callable[[Plane, Step], None]) -> None:
    """Train on the whole data at every step, by a rate that rises and falls."""
    x, y = cancer()
    model = Plane(x.shape[1])
    step = taxo.compile(spec, model, classes=2, samples=len(x), head=model.plane)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    step.attach(optimizer)
    for _ in range(steps):
        optimizer.zero_grad()
        step(x, y).backward()
        optimizer.step()
        schedule.step()
    watch(model, step)


def missed(weight: Tensor, bias: Tensor, margin: float) -> Tensor:
    """How far every sample is from the right side of its margin."""
    x, y = cancer()
    return (margin - (2 * y - 1) * (x @ weight + bias)).clamp(min=0)


@pytest.mark.parametrize(("price", "steps"), [(0.01, 500), (0.1, 700), (1.0, 1800)])
def test_the_objective_is_scikit_learns(price: float, steps: int):
    x, y = cancer()
    best = machines.SVC(kernel="linear", C=price, tol=1e-8).fit(x, y)

    def objective(weight: Tensor, bias: Tensor) -> float:
        return float(weight @ weight / 2 + price * missed(weight, bias, 1.0).sum())

    expected = objective(torch.tensor(best.coef_[0]), torch.tensor(best.intercept_))

    def watch(model: Plane, step: Step) -> None:
        weight, bias = model.plane.weight.detach()[0], model.plane.bias.detach()
        assert objective(weight, bias) == pytest.approx(expected, rel=1e-3)
        assert float(step(x, y).detach()) * len(x) == pytest.approx(objective(weight, bias), rel=1e-9)
        agreeing = ((x @ weight + bias > 0).numpy() == (best.decision_function(x) > 0)).mean()
        assert agreeing > 0.99

    descended(f"svm(C: {price})", steps, 0.1, watch)


@pytest.mark.parametrize("share", [0.2, 0.5])
def test_the_objective_with_a_learned_margin_is_scikit_learns(share: float):
    """libsvm divides by the margin it finds: |alpha| sums to nu / rho (Schoelkopf et al. 2000, Prop. 6)."""
    x, y = cancer()
    best = machines.NuSVC(kernel="linear", nu=share, tol=1e-8).fit(x, y)
    rho = share / float(abs(best.dual_coef_).sum())
    weight, bias = rho * torch.tensor(best.coef_[0]), rho * torch.tensor(best.intercept_)
    expected = float(weight @ weight / 2 - share * rho + missed(weight, bias, rho).mean())

    def watch(model: Plane, step: Step) -> None:
        found = float(step(x, y).detach())
        assert found == pytest.approx(expected, rel=1e-3)

    descended(f"nu_svm(nu: {share})", 900, 0.05, watch)
