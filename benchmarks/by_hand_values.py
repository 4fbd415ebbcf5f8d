"""Methods on labels, logits and losses as one would write them in plain torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy

import torch
from by_hand import Loss, Maker
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, normalize, one_hot

PROGRESS = 0.5  # how far the run is that the steps are taken in


class CosineHead(nn.Module):
    """Scaled cosines of the features and each class's vector."""

    def __init__(self, head: nn.Linear, scale: float) -> None:
        super().__init__()
        self.weight, self.scale = head.weight, scale

    def forward(self, z: Tensor) -> Tensor:
        """The logits."""
        return self.scale * linear(normalize(z), normalize(self.weight))


def hot(y: Tensor, u: Tensor) -> Tensor:
    return one_hot(y, u.shape[1]).to(u.dtype)


def of_labels(change: Callable[[Tensor, Tensor], Tensor]) -> Maker:
    """The cross entropy with labels that a function makes of logits and one-hot labels."""

    def make(model: nn.Module, samples: int, counts: Tensor) -> Loss:
        def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
            u = model(x)
            return cross_entropy(u, change(u, hot(y, u)))

        return loss

    return make


def of_means(share: float, own: float, right_only: bool) -> Maker:
    """Labels that take a share from the class's mean prediction of the last epoch, and from the own one."""

    def make(model: nn.Module, samples: int, counts: Tensor) -> Loss:
        classes = len(counts)
        usual = torch.full((classes, classes), 1 / classes, device=counts.device)
        total, seen = torch.zeros_like(usual), torch.zeros(classes, device=counts.device)

        def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
            u = model(x)
            q, p = hot(y, u), u.detach().softmax(1)
            value = cross_entropy(u, q + share * ((1 - own) * usual[y] + own * p - q))
            counted = (u.detach().argmax(1) == y).to(p.dtype) if right_only else torch.ones_like(p[:, 0])
            total.index_add_(0, y, p * counted[:, None])
            seen.index_add_(0, y, counted)
            return value

        return loss

    return make


def label_relaxation(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        q = hot(y, u)
        way = 2 * q - 1
        moved = (way * (u - q)).relu()
        size = sum(weight.square().sum() for weight in model.parameters())
        return (u - q - way * moved).square().sum(1).mean() + size

    return loss


def confidence_penalty(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        logs = u.log_softmax(1)
        entropy = -(logs.exp() * logs).sum(1)
        return cross_entropy(u, y) + 0.1 * (math.log(u.shape[1]) - entropy).relu().mean()

    return loss


def mbls(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        u = model(x)
        behind = (u.amax(1, keepdim=True) - u - 10).relu()
        return cross_entropy(u, y) + 0.1 * behind.mean()

    return loss


def knowledge_distillation(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    share, heat, teacher = 0.9, 4.0, deepcopy(model).eval()

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        with torch.no_grad():
            taught = (teacher(x) / heat).softmax(1)
        u = model(x)
        apart = (taught * (taught.log() - (u / heat).log_softmax(1))).sum(1).mean()
        return (1 - share) * cross_entropy(u, y) + share * heat**2 * apart

    return loss


def vs_loss(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    shrink, shift = (counts / counts.amax()) ** 0.3, (counts / counts.sum()).log()
    return lambda x, y, index: cross_entropy(model(x) * shrink + shift, y)


def with_cosines(scale: float, change: Callable[[Tensor, Tensor], Tensor]) -> Maker:
    """The cross entropy of scaled cosines, those of the labels changed."""

    def make(model: nn.Module, samples: int, counts: Tensor) -> Loss:
        assert isinstance(model, nn.Sequential)
        head = model[-1]
        assert isinstance(head, nn.Linear)
        model[-1] = CosineHead(head, scale)

        def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
            u, label = model(x), y[:, None]
            own = u.gather(1, label)
            return cross_entropy(u.scatter(1, label, change(own / scale, counts[label]) * scale), y)

        return loss

    return make


def wider(cosine: Tensor, counts: Tensor) -> Tensor:
    margin, bound = 0.5, 1 - torch.finfo(cosine.dtype).eps
    angle = cosine.clamp(-bound, bound).acos()
    return torch.where(angle <= math.pi - margin, (angle + margin).cos(), cosine - margin * math.sin(margin))


def isda(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    """The authors' way: the differences of all class vectors from each sample's own, [B, C, D]."""
    assert isinstance(model, nn.Sequential)
    body, head = model[:-1], model[-1]
    assert isinstance(head, nn.Linear)
    classes, width = head.weight.shape
    seen = torch.zeros(classes, device=counts.device)
    means = torch.zeros(classes, width, device=counts.device)
    spread = torch.zeros(classes, width, width, device=counts.device)

    @torch.no_grad()
    def take_in(z: Tensor, y: Tensor) -> None:
        for label in y.unique().tolist():
            rows = z[y == label]
            old, new = seen[label].clone(), len(rows)
            share, off = new / (old + new), rows.mean(0) - means[label]
            own = (rows - rows.mean(0)).T @ (rows - rows.mean(0)) / new
            mixed = share * (1 - share) * off.outer(off)
            spread[label] = (1 - share) * spread[label] + share * own + mixed
            means[label] += share * off
            seen[label] = old + new

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        z = body(x)
        take_in(z.detach(), y)
        apart = head.weight - head.weight[y][:, None]
        lengths = ((apart @ spread[y]) * apart).sum(-1)
        return cross_entropy(head(z) + 0.5 * PROGRESS / 2 * lengths, y)

    return loss


ON_VALUES: dict[str, Maker] = {
    "soft_bootstrapping": of_labels(lambda u, q: q + 0.05 * (u.detach().softmax(1) - q)),
    "hard_bootstrapping": of_labels(lambda u, q: q + 0.2 * (hot(u.argmax(1), u) - q)),
    "mixbootstrapping": of_means(0.3, 0.5, right_only=False),
    "online_label_smoothing": of_means(0.5, 0.0, right_only=True),
    "adversarial_label_smoothing": of_labels(lambda u, q: q + 0.1 * (hot(u.argmin(1), u) - q)),
    "label_relaxation": label_relaxation,
    "confidence_penalty": confidence_penalty,
    "mbls": mbls,
    "knowledge_distillation": knowledge_distillation,
    "vs_loss": vs_loss,
    "ldam": with_cosines(30, lambda cosine, counts: cosine - 0.5 * (counts.amin() / counts) ** 0.25),
    "arcface": with_cosines(64, wider),
    "cosface": with_cosines(64, lambda cosine, counts: cosine - 0.35),
    "isda": isda,
}
