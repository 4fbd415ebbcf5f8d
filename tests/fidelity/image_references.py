"""The shipped methods on features, written from their papers in plain torch.

Random numbers are those of `Draws`, whose distributions `tests/ops` holds; nothing else here uses taxo.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from fnmatch import fnmatchcase
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from taxo.ops.draws import Draws
from tests.fidelity.references import SEED, Reference, Result, attacked, dice, differentiated
from tests.fidelity.references import no_running_statistics as still

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


def blended(value: Tensor, lam: Tensor, pair: Tensor) -> Tensor:
    """lam v_i + (1 - lam) v_j."""
    return lam * value + (1 - lam) * value[pair]


def mixed_loss(u: Tensor, y: Tensor, lam: Tensor, pair: Tensor) -> Tensor:
    """The cross entropy to a blend of labels, as mixup's authors compute it."""
    return lam * functional.cross_entropy(u, y) + (1 - lam) * functional.cross_entropy(u, y[pair])


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
            handle = module.register_forward_hook(lambda _, __, h: blended(h, lam, pair))
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
    "interpolated_at": interpolated_at,
    "interpolated_at(alpha: 0.3, steps: 2, eps: 4/255)": lambda: interpolated_at(0.3, 4 / 255, 2),
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
    "robust_clustering": robust_clustering,
    "robust_clustering(lam: 0.02)": lambda: robust_clustering(0.02),
    "robust_icp": robust_icp,
    "robust_icp(lam: 0.05)": lambda: robust_icp(0.05),
    "multiview_robust": multiview_robust,
    "multiview_robust(lam: 0.001, step: 3)": lambda: multiview_robust(0.001, 3),
}
