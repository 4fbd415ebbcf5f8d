"""The shipped methods that search in the features, written from their papers in plain torch."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.fidelity.references import Reference, Result, attacked, dice, differentiated

Goal = Callable[[Tensor], Tensor]


def entropies(u: Tensor, y: Tensor) -> Tensor:
    """The cross entropy of each sample."""
    return functional.cross_entropy(u, y, reduction="none")


def slope(goal: Goal, at: Tensor) -> Tensor:
    """The gradient of a goal."""
    leaf = at.detach().requires_grad_()
    return torch.autograd.grad(goal(leaf), leaf)[0]


def lengths(d: Tensor, p: float = 2) -> Tensor:
    """The norm of each row, whose gradient at zero is zero."""
    rows = d.flatten(1)
    moved = rows.detach().abs().amax(1) > 0
    return torch.where(moved, torch.where(moved[:, None], rows, 1.0).norm(p, dim=1), 0.0)


def fgsm(eps: float = 8 / 255) -> Reference:
    """Goodfellow et al. 2015, Eq. 3: x + eps sign(grad of the loss)."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        moved = attacked(model, x, y, eps, 1, eps, torch.zeros_like(x))
        return differentiated(functional.cross_entropy(model(moved), y), model)

    return reference


def fgsm_random_start(eps: float = 8 / 255, step: float = 10 / 255) -> Reference:
    """Wong et al. 2020, Algorithm 3: from a uniform point one step of 1.25 eps, back into the ball."""
    noise = dice()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        start = torch.empty_like(x).uniform_(-eps, eps, generator=noise)
        moved = attacked(model, x, y, eps, 1, step, start)
        return differentiated(functional.cross_entropy(model(moved), y), model)

    return reference


def descended(
    frozen: nn.Module, x: Tensor, y: Tensor, eps: float, steps: int, step: float, start: Tensor
) -> Tensor:
    """Projected steps down the loss of some labels."""
    moved = (x + start).clamp(0, 1)
    for _ in range(steps):
        down = slope(lambda at: functional.cross_entropy(frozen(at), y), moved).sign()
        moved = torch.minimum(torch.maximum(moved - step * down, x - eps), x + eps).clamp(0, 1)
    return moved


def pgd_targeted(
    eps: float = 8 / 255, steps: int = 10, step: float = 2 / 255, start: str = "uniform"
) -> Reference:
    """Kurakin et al. 2017: steps towards the likeliest wrong label, trained with the right one."""
    noise = dice()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        with torch.no_grad():
            wrong = deepcopy(model)(x).scatter(1, y[:, None], -torch.inf).argmax(1)
        first = torch.zeros_like(x)
        if start == "uniform":
            first = torch.empty_like(x).uniform_(-eps, eps, generator=noise)
        moved = descended(deepcopy(model).eval(), x, wrong, eps, steps, step, first)
        return differentiated(functional.cross_entropy(model(moved), y), model)

    return reference


def friendly_examples(eps: float = 8 / 255, steps: int = 10, step: float = 2 / 255) -> Reference:
    """Y&W Eq. 32: min over the ball of the loss, by projected steps from the image."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        moved = descended(deepcopy(model).eval(), x, y, eps, steps, step, torch.zeros_like(x))
        return differentiated(functional.cross_entropy(model(moved), y), model)

    return reference


def free_at(eps: float = 8 / 255) -> Reference:
    """Shafahi et al. 2019, Algorithm 1: one backward for the weights and for each place's delta."""
    kept: list[Tensor] = []

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        delta = kept.pop() if kept else torch.zeros_like(x)
        delta.requires_grad_()
        loss = functional.cross_entropy(model((x + delta).clamp(0, 1)), y)
        *slopes, upward = torch.autograd.grad(loss, [*model.parameters(), delta])
        kept.append((delta.detach() + eps * upward.sign()).clamp(-eps, eps))
        return loss.detach(), tuple(slopes)

    return reference


def uat(eps: float = 8 / 255, beta: float = 9, simultaneous: bool = True, classes: bool = False) -> Reference:
    """Shafahi et al. 2020: one delta climbs the mean of min(loss, beta); Benz et al. 2021: one per class.

    The slopes of one backward are weighed by rows: those of losses above beta count nothing.
    """
    kept: list[Tensor] = []

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        with torch.no_grad():
            count = deepcopy(model)(x).shape[1] if classes else 1
        delta = kept.pop() if kept else torch.zeros(count, *x.shape[1:], dtype=x.dtype)
        rows = y if classes else torch.zeros_like(y)

        def losses(net: nn.Module, at: Tensor) -> Tensor:
            return entropies(net((x + at).clamp(0, 1)), y)

        searched = deepcopy(model) if simultaneous else deepcopy(model).eval()
        upward = slope(lambda at: losses(searched, at).sum(), delta[rows])
        bounded = (losses(deepcopy(searched), delta[rows]) < beta).view(-1, 1, 1, 1)
        shared = torch.zeros_like(delta).index_add(0, rows, upward * bounded)
        moved = (delta + eps * shared.sign()).clamp(-eps, eps)
        kept.append(moved)
        return differentiated(losses(model, (delta if simultaneous else moved)[rows]).mean(), model)

    return reference


def mixed_adversarial(eps: float = 4 / 255, eps_sample: float = 4 / 255) -> Reference:
    """Y&W Eq. 47: a pattern for all climbs first, then each image takes its own step on top of it."""
    kept: list[Tensor] = []

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        frozen = deepcopy(model).eval()
        shared = kept.pop() if kept else torch.zeros_like(x[:1])
        upward = slope(lambda at: functional.cross_entropy(frozen((x + at).clamp(0, 1)), y), shared)
        shared = (shared + eps * upward.sign()).clamp(-eps, eps)
        kept.append(shared)
        common = (x + shared).clamp(0, 1)
        own = slope(lambda at: functional.cross_entropy(frozen(at), y), common).sign()
        moved = (common + eps_sample * own).clamp(0, 1)
        return differentiated(functional.cross_entropy(model(moved), y), model)

    return reference


def pd_ua(lam: float = 0.1, step: float = 0.1) -> Reference:
    """Ascent of the mean entropy less lam times the length of the pattern."""
    kept: list[Tensor] = []

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        frozen = deepcopy(model).eval()
        d = kept.pop() if kept else torch.zeros_like(x[:1])

        def goal(at: Tensor) -> Tensor:
            logp = frozen((x + at).clamp(0, 1)).log_softmax(1)
            return -(logp.exp() * logp).sum(1).mean() - lam * lengths(at).sum()

        d = d + step * slope(goal, d)
        kept.append(d)
        return differentiated(functional.cross_entropy(model((x + d).clamp(0, 1)), y), model)

    return reference


def reg_pert(p: float = 2, lam: float = 1, steps: int = 10, step: float = 0.1) -> Reference:
    """max over d of loss - lam |d|_p by gradient ascent in the box; the penalty counts in the loss."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        frozen, d = deepcopy(model).eval(), torch.zeros_like(x)

        def goal(at: Tensor) -> Tensor:
            return (entropies(frozen(x + at), y) - lam * lengths(at, p)).sum()

        for _ in range(steps):
            d = (x + d + step * slope(goal, d)).clamp(0, 1) - x
        return differentiated((entropies(model(x + d), y) - lam * lengths(d, p)).mean(), model)

    return reference


def defended(frozen: nn.Module, x: Tensor, seen: Tensor, lam: float, steps: int, step: float) -> Tensor:
    """min over d of CE(u, seen) + lam |d|^2 by gradient descent in the box."""
    moved = x
    for _ in range(steps):
        down = slope(lambda at: functional.cross_entropy(frozen(at), seen, reduction="sum"), moved)
        moved = (moved - step * (down + 2 * lam * (moved - x))).clamp(0, 1)
    return moved


def defense_gen(lam: float = 1, steps: int = 10, step: float = 0.1) -> Reference:
    """Train on images moved towards the class that the model sees in them."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        with torch.no_grad():
            seen = deepcopy(model)(x).argmax(1)
        moved = defended(deepcopy(model).eval(), x, seen, lam, steps, step)
        return differentiated(functional.cross_entropy(model(moved), y), model)

    return reference


def smoothed_at(eps: float = 8 / 255, lam: float = 0.1) -> Reference:
    """PGD on the given labels, then the loss to the smoothed ones."""
    noise = dice()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        start = torch.empty_like(x).uniform_(-eps, eps, generator=noise)
        moved = attacked(model, x, y, eps, 10, 2 / 255, start)
        return differentiated(functional.cross_entropy(model(moved), y, label_smoothing=lam), model)

    return reference


def advprop(eps: float = 1 / 255, steps: int = 1, step: float = 1 / 255) -> Reference:
    """Xie et al. 2020, Algorithm 1: clean and attacked losses, the latter through norms of their own."""
    second: list[dict[str, nn.Module]] = []

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        own = {name: one for name, one in model.named_modules() if isinstance(one, nn.BatchNorm2d)}
        weights = list(model.parameters())
        second.append(second.pop() if second else {name: deepcopy(one) for name, one in own.items()})
        natural = functional.cross_entropy(model(x), y)
        for name, norm in second[0].items():
            setattr(model, name, norm)
        moved = attacked(model, x, y, eps, steps, step, torch.zeros_like(x))
        loss = (natural + functional.cross_entropy(model(moved), y)) / 2
        for name, norm in own.items():
            setattr(model, name, norm)
        return loss.detach(), torch.autograd.grad(loss, weights)

    return reference


CASES: dict[str, Callable[[], Reference]] = {
    "fgsm": fgsm,
    "fgsm(eps: 2/255)": lambda: fgsm(2 / 255),
    "fgsm_random_start": fgsm_random_start,
    "fgsm_random_start(eps: 4/255)": lambda: fgsm_random_start(4 / 255, 5 / 255),
    "pgd_targeted": pgd_targeted,
    "pgd_targeted(eps: 12/255, steps: 3, step: 5/255, start: zero)": lambda: pgd_targeted(
        12 / 255, 3, 5 / 255, "zero"
    ),
    "free_at": free_at,
    "free_at(eps: 40/255, replays: 3)": lambda: free_at(40 / 255),
    "advprop": advprop,
    "advprop(eps: 4/255, steps: 5)": lambda: advprop(4 / 255, 5),
    "uat": uat,
    "uat(eps: 40/255, beta: 1.6)": lambda: uat(40 / 255, 1.6),
    "uat(simultaneous: false, beta: 1.6)": lambda: uat(beta=1.6, simultaneous=False),
    "class_uat": lambda: uat(classes=True),
    "class_uat(eps: 40/255, beta: 1.6)": lambda: uat(40 / 255, 1.6, classes=True),
    "class_uat(simultaneous: false)": lambda: uat(simultaneous=False, classes=True),
    "mixed_adversarial": mixed_adversarial,
    "mixed_adversarial(eps: 8/255, eps_sample: 2/255)": lambda: mixed_adversarial(8 / 255, 2 / 255),
    "pd_ua": pd_ua,
    "pd_ua(lam: 0.01, step: 5)": lambda: pd_ua(0.01, 5),
    "reg_pert": reg_pert,
    "reg_pert(p: 3, lam: 0.05, steps: 4, step: 2)": lambda: reg_pert(3, 0.05, 4, 2),
    "defense_gen": defense_gen,
    "defense_gen(lam: 0.1, steps: 3, step: 1)": lambda: defense_gen(0.1, 3, 1),
    "friendly_examples": friendly_examples,
    "friendly_examples(eps: 2/255, steps: 3)": lambda: friendly_examples(2 / 255, 3),
    "adversarial_label_smoothing_at": smoothed_at,
    "adversarial_label_smoothing_at(eps: 4/255, lam: 0.3)": lambda: smoothed_at(4 / 255, 0.3),
}
