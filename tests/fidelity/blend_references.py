"""The shipped methods that blend, move or corrupt images at random, written from their papers in plain torch.

Random numbers are those of `Draws`, whose distributions `tests/ops` holds; nothing else here uses taxo.
"""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from math import sqrt
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from taxo.ops.draws import Draws
from tests.fidelity.attack_references import entropies
from tests.fidelity.nets import untouched as still
from tests.fidelity.references import SEED, Reference, Result, attacked, dice, differentiated


def blended(value: Tensor, lam: Tensor, pair: Tensor) -> Tensor:
    """lam v_i + (1 - lam) v_j."""
    return lam * value + (1 - lam) * value[pair]


def mixed_loss(u: Tensor, y: Tensor, lam: Tensor, pair: Tensor) -> Tensor:
    """The cross entropy to a blend of labels, as mixup's authors compute it."""
    return lam * functional.cross_entropy(u, y) + (1 - lam) * functional.cross_entropy(u, y[pair])


def interpolated_at(
    alpha: float = 1, eps: float = 8 / 255, steps: int = 10, step: float = 2 / 255
) -> Reference:
    """Lamb et al. 2019: half the loss of mixed images, half that of mixed attacked images."""
    draws = Draws(SEED)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        lam, pair = draws.beta(alpha, alpha, draws.one(x)), draws.permutation(x)
        start = torch.empty_like(x).uniform_(-eps, eps, generator=draws.generator(x.device))
        with still(model):
            natural = mixed_loss(model(blended(x, lam, pair)), y, lam, pair)
        moved = attacked(model, x, y, eps, steps, step, start)
        pushed = mixed_loss(model(blended(moved, lam, pair)), y, lam, pair)
        return differentiated((natural + pushed) / 2, model)

    return reference


def mixup(alpha: float = 1) -> Reference:
    """Zhang et al. 2018: lam x_i + (1 - lam) x_j, and the labels alike."""
    draws = Draws(SEED)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        lam, pair = draws.beta(alpha, alpha, draws.one(x)), draws.permutation(x)
        return differentiated(mixed_loss(model(blended(x, lam, pair)), y, lam, pair), model)

    return reference


def manifold_mixup(alpha: float = 1, pattern: str = "*") -> Reference:
    """Verma et al. 2019: the blend is of what comes out of a layer, or of the input."""
    draws = Draws(SEED)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        lam, pair = draws.beta(alpha, alpha, draws.one(x)), draws.permutation(x)
        named = [name for name, _ in model.named_modules() if name and fnmatchcase(name, pattern)]
        chosen = draws.module(["", *named])
        handle = None
        if chosen:
            module = model.get_submodule(chosen)
            handle = module.register_forward_hook(lambda _, __, h: blended(cast(Tensor, h), lam, pair))
        u = model(x if chosen else blended(x, lam, pair))
        if handle is not None:
            handle.remove()
        return differentiated(mixed_loss(u, y, lam, pair), model)

    return reference


def cutmix(alpha: float = 1) -> Reference:
    """Yun et al. 2019, Eq. 1: a rectangle of sides sqrt(1 - lam) comes from another image."""
    draws = Draws(SEED)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        lam, pair = draws.beta(alpha, alpha, draws.one(x)), draws.permutation(x)
        down, right = torch.empty(2, dtype=x.dtype).uniform_(generator=draws.generator(x.device)).tolist()
        half, side = sqrt(1 - float(lam)) / 2, x.shape[-1]
        moved, area = x.clone(), 0
        for row in range(side):
            for column in range(side):
                if abs((row + 0.5) / side - down) < half and abs((column + 0.5) / side - right) < half:
                    moved[:, :, row, column] = x[pair, :, row, column]
                    area += 1
        kept = torch.tensor(1 - area / side**2, dtype=x.dtype)
        return differentiated(mixed_loss(model(moved), y, kept, pair), model)

    return reference


def reached(x: Tensor, v: Tensor, length: Tensor) -> Tensor:
    """The point along v, clipped to [0, 1], at a distance: by bisection; the furthest if that is too near."""
    low, high = torch.zeros(len(x), dtype=x.dtype), torch.full((len(x),), 1e6, dtype=x.dtype)
    for _ in range(120):
        middle = (low + high) / 2
        moved = (x + middle.view(-1, 1, 1, 1) * v).clamp(0, 1)
        short = (moved - x).flatten(1).norm(dim=1) < length
        low, high = torch.where(short, middle, low), torch.where(short, high, middle)
    return (x + high.view(-1, 1, 1, 1) * v).clamp(0, 1)


def directions(x: Tensor, draws: Draws) -> Tensor:
    """A direction of length 1 for each image."""
    v = torch.empty_like(x).normal_(generator=draws.generator(x.device))
    return v / v.flatten(1).norm(dim=1).view(-1, 1, 1, 1)


def l2_noise(eps: float = 1) -> Reference:
    """Rauber & Bethge 2020: noise whose length is eps after clipping."""
    draws = Draws(SEED)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        moved = reached(x, directions(x, draws), torch.full((len(x),), eps, dtype=x.dtype))
        return differentiated(functional.cross_entropy(model(moved), y), model)

    return reference


def esp(eps: float = 1, tau: float = 1, sigma: float = 0.5, gamma: float = 10) -> Reference:
    """s(k) = exp(-L relu(k - eps)), L = ln(C / (1 + xi C)) / tau, xi = gamma / (gamma + C - 1) - 1 / C."""
    draws = Draws(SEED)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        v = directions(x, draws)
        k = draws.truncated_normal(eps, sigma, eps - tau, eps + tau, draws.per_sample(x))
        u = model(reached(x, v, k))
        classes = u.shape[1]
        xi = gamma / (gamma + classes - 1) - 1 / classes
        rate = torch.tensor(classes / (1 + xi * classes), dtype=x.dtype).log() / tau
        confidence = (-rate * (k - eps).clamp(min=0)).exp()[:, None]
        own = functional.one_hot(y, classes)
        target = confidence * own + (1 - confidence) * (1 - own) / (classes - 1)
        return differentiated(-(target * u.log_softmax(1)).sum(1).mean(), model)

    return reference


def augmix(weight: float = 12) -> Reference:
    """Hendrycks et al. 2020, Eq. 1-2: the loss of the clean view, plus weight times the divergence of all."""

    def reference(model: nn.Module, x: Any, y: Tensor, index: Tensor) -> Result:
        parts = model(torch.cat(x)).chunk(3)
        p = torch.stack([part.softmax(1) for part in parts])
        centre = p.mean(0)
        divergence = (p * (p / centre).log()).sum(2).mean(0)
        return differentiated((entropies(parts[0], y) + weight * divergence).mean(), model)

    return reference


def corruption_training(severity: int = 3, share: float = 0.5) -> Reference:
    """Trinh et al. 2024, Algorithm 2: a random half of the batch is corrupted."""
    noise = dice()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        rank = torch.empty(len(x), dtype=x.dtype).uniform_(generator=noise)
        chosen = rank.argsort(descending=True)[: round(share * len(x))]
        moved = x.clone()
        moved[chosen] = (x[chosen] + 0.02 * severity).clamp(0, 1)
        return differentiated(functional.cross_entropy(model(moved), y), model)

    return reference


CASES: dict[str, Callable[[], Reference]] = {
    "interpolated_at": interpolated_at,
    "interpolated_at(alpha: 0.3, steps: 2, eps: 4/255)": lambda: interpolated_at(0.3, 4 / 255, 2),
    "l2_noise": l2_noise,
    "l2_noise(eps: 3)": lambda: l2_noise(3),
    "l2_noise(eps: 40)": lambda: l2_noise(40),
    "esp": esp,
    "esp(eps: 2, tau: 1, sigma: 2, gamma: 3)": lambda: esp(2, 1, 2, 3),
    "mixup": mixup,
    "mixup(alpha: 0.2)": lambda: mixup(0.2),
    'manifold_mixup(layers: "*")': manifold_mixup,
    'manifold_mixup(layers: "*[1t]", alpha: 2)': lambda: manifold_mixup(2, "*[1t]"),
    'manifold_mixup(layers: "*[1t]")': lambda: manifold_mixup(1, "*[1t]"),
    "cutmix": cutmix,
    "cutmix(alpha: 0.4)": lambda: cutmix(0.4),
    "augmix": augmix,
    "augmix(weight: 1)": lambda: augmix(1),
    "corruption_training": corruption_training,
    "corruption_training(severity: 5, share: 25%)": lambda: corruption_training(5, 0.25),
}
