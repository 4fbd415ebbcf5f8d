"""Sparse offsets against outliers: clusters of flowers, and the alignment of two sets of points."""

from __future__ import annotations

from functools import cache
from typing import cast

import pytest
import torch
from torch import Tensor, nn

import taxo
from tests.fidelity.attack_references import slope
from tests.fidelity.nets import close
from tests.fidelity.offset_references import thresholded

OUTLIERS = 15


class Centres(nn.Module):
    """k-means: the negative squared distances to its centres."""

    def __init__(self, centres: Tensor) -> None:
        super().__init__()
        self.centres = nn.Parameter(centres.clone())

    def forward(self, x: Tensor) -> Tensor:
        return -(x[:, None] - self.centres).square().sum(2)


class Rigid(nn.Module):
    """A rotation of the plane, then a shift."""

    def __init__(self) -> None:
        super().__init__()
        self.angle = nn.Parameter(torch.zeros((), dtype=torch.float64))
        self.shift = nn.Parameter(torch.zeros(2, dtype=torch.float64))

    def forward(self, x: Tensor) -> Tensor:
        return turned(x, self.angle) + self.shift


def turned(x: Tensor, angle: Tensor) -> Tensor:
    """Points of the plane turned about the origin."""
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([cos * x[:, 0] - sin * x[:, 1], sin * x[:, 0] + cos * x[:, 1]], 1)


def trained(spec: str, model: nn.Module, x: Tensor, y: Tensor, steps: int, lr: float, width: int) -> float:
    """The last loss of gradient descent on all points at once."""
    step = taxo.compile(spec, model, classes=width)
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    loss = torch.zeros(())
    for _ in range(steps):
        optimizer.zero_grad()
        loss = step(x, y)
        loss.backward()
        optimizer.step()
    return float(loss.detach())


@cache
def irises() -> tuple[Tensor, Tensor]:
    """The measures of the flowers in standard units, and their species."""
    from sklearn.datasets import load_iris

    x, y = (torch.as_tensor(part) for part in cast("tuple[object, object]", load_iris(return_X_y=True)))
    return (x - x.mean(0)) / x.std(0), y


def agreement(spec: str, seed: int) -> float:
    """How well the best of six starts tells the species apart, among outliers."""
    from sklearn.metrics import adjusted_rand_score

    x, y = irises()
    dice = torch.Generator().manual_seed(seed)
    away = 8 * torch.randn(OUTLIERS, 4, generator=dice, dtype=x.dtype)
    found: list[tuple[float, float]] = []
    for _ in range(6):
        model = Centres(x[torch.randperm(len(x), generator=dice)[:3]])
        data = torch.cat([x, away])
        loss = trained(spec, model, data, torch.zeros(len(data), dtype=torch.long), 100, 0.5, 3)
        found.append((loss, float(adjusted_rand_score(y, model(x).argmax(1)))))
    return min(found)[1]


def test_offsets_beat_plain_k_means_on_irises_with_outliers():
    """The rand index of 0.62 is that of k-means without outliers."""
    robust, plain = (
        [agreement(f"robust_clustering(k: 3, lam: {lam})", seed) for seed in range(3)]
        for lam in ("0.5", "inf")
    )
    assert min(robust) > 0.58
    assert min(robust) > max(plain) + 0.02


@pytest.mark.parametrize("lam", [0.5, 2.0])
def test_the_offset_is_the_soft_threshold_of_the_distance_to_the_centre(lam: float):
    """Forero et al. 2012: o = (1 - lam / 2|r|)+ r, r = x - c of the nearest centre; losses r'^2 + lam |o|."""
    dice = torch.Generator().manual_seed(0)
    centres, x = (torch.randn(*shape, generator=dice, dtype=torch.float64) for shape in ((3, 4), (20, 4)))
    model = Centres(centres)
    step = taxo.compile(f"robust_clustering(k: 3, lam: {lam})", model, classes=3)
    loss = step(x, torch.zeros(20, dtype=torch.long))
    nearest = centres[torch.cdist(x, centres).argmin(1)]
    o = thresholded(x - nearest, lam / 2)
    left = (x - o - nearest).square().sum(1) + lam * o.norm(dim=1)
    close(step.losses, left)
    moved = step.deltas["o"]
    assert isinstance(moved, torch.Tensor)
    close(moved, -o)
    length = (x - nearest).norm(dim=1)
    huber = torch.where(length > lam / 2, lam * length - lam**2 / 4, length.square())
    close(step.losses, huber)
    (slopes,) = torch.autograd.grad(loss, [model.centres])
    close(slopes, slope(lambda c: _huber(x, c, lam), centres))


def _huber(x: Tensor, centres: Tensor, lam: float) -> Tensor:
    length = torch.cdist(x, centres).amin(1)
    return torch.where(length > lam / 2, lam * length - lam**2 / 4, length.square()).mean()


def points(seed: int, outliers: int) -> tuple[Tensor, Tensor, Tensor]:
    """A set of points, where an angle takes them, and that angle; some are elsewhere."""
    dice = torch.Generator().manual_seed(seed)
    x = torch.rand(60, 2, generator=dice, dtype=torch.float64) * torch.tensor([4.0, 1.0])
    x = x - x.mean(0)
    angle = torch.tensor(0.12, dtype=torch.float64)
    target, source = turned(x, angle), x.clone()
    source[:outliers] += torch.tensor([3.0, 1.5]) + 0.5 * torch.randn(
        outliers, 2, generator=dice, dtype=x.dtype
    )
    return source, target, angle


def error(lam: str, seed: int) -> float:
    """How far the angle found is from the true one."""
    source, target, angle = points(seed, 12)
    model = Rigid()
    trained(f"robust_icp(lam: {lam})", model, source, target, 300, 0.2, 2)
    return float((model.angle - angle).detach().abs())


def test_offsets_align_points_among_outliers():
    robust, plain = ([error(lam, seed) for seed in range(3)] for lam in ("0.1", "inf"))
    assert max(robust) < 0.03
    assert max(robust) < min(plain) / 3


def test_without_outliers_the_alignment_is_exact():
    source, target, angle = points(0, 0)
    model = Rigid()
    trained("robust_icp(lam: 0.5)", model, source, target, 300, 0.2, 2)
    close(model.angle.detach(), angle, atol=1e-3)
