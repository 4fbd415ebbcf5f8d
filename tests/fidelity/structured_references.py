"""The methods that search among structured changes of pictures, with dense matrices over all pixels."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.fidelity.attack_references import entropies, slope
from tests.fidelity.references import Reference, Result, dice, differentiated


def neighbours(height: int, width: int, bond: Callable[[int, int], float | Tensor]) -> Tensor:
    """The matrix of the sum over neighbours of bond(i, j) (e_i - e_j)^2, pixel by pixel."""
    matrix = torch.zeros(height * width, height * width, dtype=torch.float64)
    pixels = torch.arange(height * width).reshape(height, width)
    pairs = [*zip(pixels[:-1].flatten().tolist(), pixels[1:].flatten().tolist(), strict=True)]
    pairs += zip(pixels[:, :-1].flatten().tolist(), pixels[:, 1:].flatten().tolist(), strict=True)
    for i, j in pairs:
        matrix[[i, j], [i, j]] += bond(i, j)
        matrix[[i, j], [j, i]] -= bond(i, j)
    return matrix


def moved(x: Tensor, motion: Tensor) -> Tensor:
    """Z(r - down, c - right), bilinear, with the border's values beyond it."""
    height, width = x.shape[-2:]
    down = torch.arange(height, dtype=x.dtype)[:, None] - motion[:, 0]
    right = torch.arange(width, dtype=x.dtype) - motion[:, 1]
    places = torch.stack([2 * right / (width - 1) - 1, 2 * down / (height - 1) - 1], -1)
    return functional.grid_sample(x, places, padding_mode="border", align_corners=True)


def slope_at_rest(goal: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """By central differences of the picture: minus its slope down and right, times that of the loss."""
    upward = slope(goal, x)
    wide = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    down = (wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1]) / 2
    right = (wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]) / 2
    return -torch.stack([(upward * down).sum(1), (upward * right).sum(1)], 1)


def adversarial_flow(
    gamma: float = 10, size: float = 1, chance: float = 0.5, steps: int = 1, targeted: bool = False
) -> Reference:
    """(I + gamma P) m = g, scaled until mean(|m|^2 + gamma |slope of m|^2) is size^2; steps add up."""
    noise = dice()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        coin = torch.rand(len(x), generator=noise, dtype=x.dtype) < chance
        height, width = x.shape[-2:]
        with torch.no_grad():
            wrong = deepcopy(model)(x).scatter(1, y[:, None], -torch.inf).argmax(1)
        frozen = deepcopy(model).eval()
        matrix = torch.eye(height * width).double() + gamma * neighbours(height, width, lambda i, j: 1)

        def goal(at: Tensor) -> Tensor:
            u = frozen(at)
            return -entropies(u, wrong).sum() if targeted else entropies(u, y).sum()

        m = torch.zeros(len(x), 2, height, width, dtype=x.dtype)
        for step in range(steps):
            g = slope(lambda at: goal(moved(x, at)), m) if step else slope_at_rest(goal, x)
            way = torch.linalg.solve(matrix, g.flatten(2).mT).mT
            counted = torch.einsum("bci,ij,bcj->b", way, matrix, way) / (height * width)
            m = m + size / steps * (way / counted.sqrt()[:, None, None]).view_as(m)
        bent = torch.where(coin[:, None, None, None], moved(x, m), x)
        return differentiated(entropies(model(bent), y).mean(), model)

    return reference


def adversarial_recolor(
    lam: float = 1, size: float = 0.1, ridge: float = 0.01, chance: float = 0.5, edge: float = 0.1
) -> Reference:
    """(lam M + ridge I) d = g for each image, scaled until mean(d^2) + lam / ridge d M d / n is size^2.

    M sums the squared differences of neighbours, each over 1 + |difference in the picture|^2 / edge^2.
    """
    noise = dice()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        coin = torch.rand(len(x), generator=noise, dtype=x.dtype) < chance
        frozen = deepcopy(model).eval()
        upward = slope(lambda at: entropies(frozen(at), y).sum(), x)
        rows = list[Tensor]()
        for picture, g in zip(x.flatten(2), upward.flatten(2), strict=True):

            def bond(i: int, j: int, z: Tensor = picture) -> Tensor:
                return 1 / (1 + (z[:, i] - z[:, j]).square().mean() / edge**2)

            matrix = (
                lam * neighbours(x.shape[-2], x.shape[-1], bond)
                + ridge * torch.eye(picture.shape[1]).double()
            )
            d = torch.linalg.solve(matrix, g.T).T
            counted = torch.einsum("ci,ij,cj->", d, matrix, d) / ridge / d.numel()
            rows.append(size * d / counted.sqrt())
        recoloured = (x + torch.stack(rows).view_as(x)).clamp(0, 1)
        changed = torch.where(coin[:, None, None, None], recoloured, x)
        return differentiated(entropies(model(changed), y).mean(), model)

    return reference


CASES: dict[str, Callable[[], Reference]] = {
    "adversarial_flow": adversarial_flow,
    "adversarial_flow(gamma: 0.5, size: 0.3, chance: 1)": lambda: adversarial_flow(0.5, 0.3, 1),
    "adversarial_flow(steps: 3, targeted: true)": lambda: adversarial_flow(steps=3, targeted=True),
    "adversarial_recolor": adversarial_recolor,
    "adversarial_recolor(lam: 3, size: 0.3, ridge: 0.1, chance: 0.7)": lambda: adversarial_recolor(
        3, 0.3, 0.1, 0.7
    ),
}
