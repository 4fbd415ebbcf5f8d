"""The shipped methods as one would write them in plain torch: the maths of the compiled steps, by hand."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, one_hot

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]
Maker = Callable[[nn.Module, int, Tensor], Loss]


@contextmanager
def norms(model: nn.Module, attribute: str) -> Generator[None]:
    """Batch norms whose statistics stay: frozen (`training`), or of the batch (`track_running_stats`)."""
    found = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    for module in found:
        setattr(module, attribute, False)
    try:
        yield
    finally:
        for module in found:
            setattr(module, attribute, True)


def plain(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    return lambda x, y, index: cross_entropy(model(x), y)


def label_smoothing(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    lam = 0.1

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        q = one_hot(y, u.shape[1]).to(u.dtype)
        return cross_entropy(u, q + lam * (1 / u.shape[1] - q))

    return loss


def logit_adjustment(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    shift = (counts / counts.sum()).log()
    return lambda x, y, index: cross_entropy(model(x) + shift, y)


def polyloss(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        p = u.softmax(-1).gather(-1, y[:, None]).squeeze(-1)
        return (cross_entropy(u, y, reduction="none") + 1 - p).mean()

    return loss


def logpert(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    lam, eta, momentum = 0.3, 6.0, 0.9
    table = torch.zeros(samples, len(counts), device=counts.device)
    velocity = torch.zeros_like(table)

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        v = table[index].requires_grad_()
        total = (cross_entropy(model(x) + v, y, reduction="none") + lam * v.abs().sum(1)).mean()
        (slope,) = torch.autograd.grad(total, v, retain_graph=True)
        with torch.no_grad():
            velocity[index] = momentum * velocity[index] + slope
            table[index] = v - eta * velocity[index]
        return total

    return loss


def damp(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    sigma, dice = 0.2, torch.Generator(counts.device).manual_seed(0)
    weights = dict(model.named_parameters())

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        moved = {
            name: w + (sigma * w * torch.empty_like(w).normal_(generator=dice)).detach()
            for name, w in weights.items()
        }
        return cross_entropy(functional_call(model, moved, (x,)), y)

    return loss


def sam(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    rho = 0.05
    weights = dict(model.named_parameters())

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        slopes = torch.autograd.grad(cross_entropy(model(x), y), list(weights.values()))
        scale = rho / (torch.stack([slope.norm() for slope in slopes]).norm() + 1e-12)
        moved = {name: w + scale * slope for (name, w), slope in zip(weights.items(), slopes, strict=True)}
        with norms(model, "track_running_stats"):
            return cross_entropy(functional_call(model, moved, (x,)), y)

    return loss


def attack(model: nn.Module, x: Tensor, y: Tensor, d: Tensor, eps: float, steps: int, step: float) -> Tensor:
    """Projected gradient descent from `d`."""
    with norms(model, "training"):
        for _ in range(steps):
            d.requires_grad_()
            (slope,) = torch.autograd.grad(cross_entropy(model(x + d), y, reduction="sum"), d)
            d = (d.detach() + step * slope.sign()).clamp(-eps, eps)
            d = (x + d).clamp(0, 1) - x
    return d


def start(x: Tensor, eps: float, dice: torch.Generator) -> Tensor:
    """A random point of the ball, brought into the box."""
    d = torch.empty_like(x).uniform_(-eps, eps, generator=dice)
    return (x + d).clamp(0, 1) - x


def pgd_at(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    eps, dice = 8 / 255, torch.Generator(counts.device).manual_seed(0)

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        d = attack(model, x, y, start(x, eps, dice), eps, 10, 2 / 255)
        return cross_entropy(model(x + d), y)

    return loss


def pulled(u: Tensor, y: Tensor, rows: Tensor, eta: float) -> Tensor:
    """Logits with those of some rows moved one step towards their labels."""
    q = one_hot(y, u.shape[1]).to(u.dtype)
    v = (eta * (q - u.detach().softmax(-1))).clamp(-eta, eta)
    return u + torch.zeros_like(u).index_copy(0, rows, v[rows])


def mixpert(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    eta, share = 3.0, 0.15

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        losses = cross_entropy(u.detach(), y, reduction="none")
        hard = losses.argsort(descending=True, stable=True)[: int(share * len(x) + 0.5)]
        return cross_entropy(pulled(u, y, hard, eta), y)

    return loss


def mixpert_pushed(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    eta, share, eps = 3.0, 0.15, 8 / 255
    dice = torch.Generator(counts.device).manual_seed(0)

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        with torch.no_grad(), norms(model, "track_running_stats"):
            losses = cross_entropy(model(x), y, reduction="none")
        order, count = losses.argsort(descending=True, stable=True), int(share * len(x) + 0.5)
        hard, rest = order[:count], order[count:]
        d = attack(model, x[rest], y[rest], start(x[rest], eps, dice), eps, 5, eps / 4)
        moved = x.index_add(0, rest, d)
        return cross_entropy(pulled(model(moved), y, hard, eta), y)

    return loss


BY_HAND: dict[str, Maker] = {
    "plain": plain,
    "label_smoothing": label_smoothing,
    "logit_adjustment": logit_adjustment,
    "polyloss": polyloss,
    "logpert": logpert,
    "damp": damp,
    "sam": sam,
    "pgd_at": pgd_at,
    "mixpert": mixpert,
    "mixpert(eps: 8/255)": mixpert_pushed,
}
