"""The shipped methods whose samples have sparse offsets, written from their equations in plain torch."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn

from tests.fidelity.attack_references import entropies, lengths, slope
from tests.fidelity.nets import untouched as still
from tests.fidelity.references import Reference, Result, differentiated


def thresholded(r: Tensor, cut: float) -> Tensor:
    """(1 - cut / |r|)+ r for each row."""
    length = r.flatten(1).norm(dim=1).clamp(min=1e-300)
    return (1 - cut / length).clamp(min=0).view(-1, *[1] * (r.dim() - 1)) * r


def sparse_offsets(lam: float, distance: Callable[[Tensor, Tensor], Tensor]) -> Reference:
    """Y&W Eq. 11: min over o of distance(x - o) + lam |o|, o = (1 - lam / 2|r|)+ r, r half the slope."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        frozen = deepcopy(model).eval()
        o = thresholded(slope(lambda at: distance(frozen(at), y).sum(), x) / 2, lam / 2)
        return differentiated((distance(model(x - o), y) + lam * o.flatten(1).norm(dim=1)).mean(), model)

    return reference


def robust_clustering(lam: float = 0.5) -> Reference:
    """The distance to the nearest centre, whose negative is the largest output."""
    return sparse_offsets(lam, lambda u, _: -u.max(1).values)


def robust_icp(lam: float = 0.5) -> Reference:
    """The distance to the nearest of the points given as labels."""
    return sparse_offsets(lam, lambda u, y: ((u[:, None] - y[None]) ** 2).sum(2).min(1).values)


def multiview_robust(lam: float = 0.5, step: float = 0.1) -> Reference:
    """An offset per class and view in SGD with momentum, against a price on its length."""
    kept: list[Tensor] = []

    def reference(model: nn.Module, x: Any, y: Tensor, index: Tensor) -> Result:
        if not kept:
            with torch.no_grad():
                count = deepcopy(model)(x[0]).shape[1]
            kept.extend(torch.zeros(count, *x[0].shape[1:], dtype=x[0].dtype) for _ in range(4))
        tables = [kept[k].requires_grad_() for k in range(2)]
        with still(model):
            first = entropies(model(x[0] - tables[0][y]), y)
        second = entropies(model(x[1] - tables[1][y]), y)
        price = sum((lengths(table[y]) for table in tables), torch.zeros(()))
        loss = ((first + second) / 2 + lam * price).mean()
        *slopes, e, o = torch.autograd.grad(loss, [*model.parameters(), *tables])
        present = torch.zeros(len(tables[0])).index_fill(0, y, 1).view(-1, 1, 1, 1) > 0
        for k, downward in enumerate((e, o)):
            kept[2 + k] = torch.where(present, 0.9 * kept[2 + k] + downward, kept[2 + k])
            kept[k] = torch.where(present, tables[k].detach() - step * kept[2 + k], tables[k].detach())
        return loss.detach(), tuple(slopes)

    return reference


CASES: dict[str, Callable[[], Reference]] = {
    "robust_clustering": robust_clustering,
    "robust_clustering(lam: 0.02)": lambda: robust_clustering(0.02),
    "robust_icp": robust_icp,
    "robust_icp(lam: 0.05)": lambda: robust_icp(0.05),
    "multiview_robust": multiview_robust,
    "multiview_robust(lam: 0.001, step: 3)": lambda: multiview_robust(0.001, 3),
}
