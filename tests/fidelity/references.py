"""Every shipped method written from its paper in plain torch: a batch to its loss and all gradients.

Each function takes the method's parameters and gives a reference `(model, x, y, index) -> (loss, gradients)`;
what a method remembers between steps lives in the reference. Nothing here uses taxo.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from fnmatch import fnmatchcase
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.fidelity.nets import untouched

Result = tuple[Tensor, tuple[Tensor, ...]]
Reference = Callable[[nn.Module, Tensor, Tensor, Tensor], Result]
SEED = 7


def dice() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


def differentiated(loss: Tensor, model: nn.Module) -> Result:
    return loss.detach(), torch.autograd.grad(loss, list(model.parameters()))


def plain() -> Reference:
    """mean_i -log p_i[y_i]."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        u = model(x)
        losses = [torch.logsumexp(row, 0) - row[label] for row, label in zip(u, y, strict=True)]
        return differentiated(torch.stack(losses).mean(), model)

    return reference


def label_smoothing(lam: float) -> Reference:
    """Szegedy et al. 2016: the cross entropy with q = (1 - lam) onehot + lam / K."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        u = model(x)
        logp = u - torch.logsumexp(u, 1, keepdim=True)
        own = logp[torch.arange(len(y)), y]
        return differentiated(-((1 - lam) * own + lam * logp.mean(1)).mean(), model)

    return reference


def logit_adjustment(tau: float, counts: tuple[int, ...]) -> Reference:
    """Menon et al. 2021, Eq. 10: -log(e^(f_y + tau log pi_y) / sum_c e^(f_c + tau log pi_c))."""
    prior = torch.tensor(counts, dtype=torch.float64) / sum(counts)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        u = model(x)
        # e^(f + tau log pi) = pi^tau e^f
        scores = prior**tau * (u - u.detach().amax(1, keepdim=True)).exp()
        own = scores[torch.arange(len(y)), y]
        return differentiated(-(own / scores.sum(1)).log().mean(), model)

    return reference


def polyloss(eps: float) -> Reference:
    """Leng et al. 2022, Eq. 4: -log p_t + eps (1 - p_t)."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        scores = model(x).exp()
        p = scores[torch.arange(len(y)), y] / scores.sum(1)
        return differentiated((-p.log() + eps * (1 - p)).mean(), model)

    return reference


def logpert(
    lam: float, eta: float, samples: int, schedule: Callable[[int], float] = lambda step: 1.0
) -> Reference:
    """Y&W Eq. 53: min over w and v of mean_i loss(u_i + v_i, y_i) + lam |v_i|_1.

    Every v_i is a parameter of its own of torch's SGD with momentum 0.9: those outside the batch rest.
    """
    table: list[nn.Parameter] = []
    optimizers: list[torch.optim.SGD] = []
    steps = count()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        u = model(x)
        if not table:
            table.extend(nn.Parameter(torch.zeros_like(u[0])) for _ in range(samples))
            optimizers.append(torch.optim.SGD(table, lr=eta, momentum=0.9))
        v = torch.stack([table[i] for i in index.tolist()])
        penalised = functional.cross_entropy(u + v, y, reduction="none") + lam * v.abs().sum(1)
        loss = penalised.mean()
        optimizers[0].zero_grad()
        slopes = torch.autograd.grad(loss, [*model.parameters(), *table], allow_unused=True)
        split = len(slopes) - samples
        for row, slope in zip(table, slopes[split:], strict=True):
            row.grad = slope
        step = next(steps)
        for group in optimizers[0].param_groups:
            group["lr"] = eta * schedule(step)
        optimizers[0].step()
        return loss.detach(), slopes[:split]

    return reference


def attacked(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    eps: float | Tensor,
    steps: int,
    step: float | Tensor,
    start: Tensor,
) -> Tensor:
    """Madry et al. 2018: x <- clip(x + step sign(grad)) to the ball, then to the box; statistics frozen."""
    frozen = deepcopy(model).eval()
    moved = (x + start).clamp(0, 1)
    for _ in range(steps):
        moved = moved.detach().requires_grad_()
        (slope,) = torch.autograd.grad(functional.cross_entropy(frozen(moved), y), moved)
        moved = moved.detach() + step * slope.sign()
        moved = torch.minimum(torch.maximum(moved, x - eps), x + eps).clamp(0, 1)
    return moved.detach()


def pgd_at(eps: float = 8 / 255, steps: int = 10, step: float = 2 / 255, start: str = "uniform") -> Reference:
    """Madry et al. 2018, Eq. 2.1: the loss at the worst point that projected gradient ascent finds."""
    noise = dice()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        first = torch.zeros_like(x)
        if start == "uniform":
            first = torch.empty_like(x).uniform_(-eps, eps, generator=noise)
        moved = attacked(model, x, y, eps, steps, step, first)
        return differentiated(functional.cross_entropy(model(moved), y), model)

    return reference


def sam(rho: float) -> Reference:
    """Foret et al. 2021, Algorithm 1: climb by rho g / |g| in place, differentiate there, climb back."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        kept = [weight.detach().clone() for weight in model.parameters()]
        _, slopes = differentiated(functional.cross_entropy(model(x), y), model)
        length = sum(float((slope**2).sum()) for slope in slopes) ** 0.5
        with torch.no_grad():
            for weight, slope in zip(model.parameters(), slopes, strict=True):
                weight += rho * slope / (length + 1e-12)
        with untouched(model):
            result = differentiated(functional.cross_entropy(model(x), y), model)
        with torch.no_grad():
            for weight, old in zip(model.parameters(), kept, strict=True):
                weight.copy_(old)
        return result

    return reference


def damp(sigma: float, parts: int = 1, sites: str = "*") -> Reference:
    """Trinh et al. 2024, Algorithm 1: gradients at w * xi, xi ~ N(1, sigma^2), averaged over the parts.

    The gradient at w * xi is taken as it is, without the factor xi of the chain rule.
    """
    noise = dice()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        kept = [weight.detach().clone() for weight in model.parameters()]
        losses: list[Tensor] = []
        totals = [torch.zeros_like(weight) for weight in kept]
        for part_x, part_y in zip(x.chunk(parts), y.chunk(parts), strict=True):
            with torch.no_grad():
                for name, weight in model.named_parameters():
                    xi = 1 + sigma * torch.empty_like(weight).normal_(generator=noise)
                    if fnmatchcase(name, sites):
                        weight *= xi
            loss, slopes = differentiated(functional.cross_entropy(model(part_x), part_y), model)
            losses.append(loss)
            totals = [total + slope / parts for total, slope in zip(totals, slopes, strict=True)]
            with torch.no_grad():
                for weight, old in zip(model.parameters(), kept, strict=True):
                    weight.copy_(old)
        return torch.stack(losses).mean(), tuple(totals)

    return reference


def mixpert(eta: float = 3, eps: float = 0, pro: float = 0.15, clean_share: float = 0) -> Reference:
    """Y&W Eq. 57-61: the `pro` share with the highest loss is pulled, the others are pushed.

    Pulled (Eq. 60): v = eta (onehot - p), one step at the logits of the pass it is part of.
    Pushed (Eq. 59): five steps of eps / 4 within linf(eps) and the box, from a uniform start.
    The noise of the start is drawn for the pushed in the order of their losses, highest first.
    The pushed count with `clean_share` of their loss as they are, from the pass that tells the losses; the
    pushed batch is the training pass, the one that moves the running statistics.
    """
    noise = dice()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        with torch.no_grad():
            clean = functional.cross_entropy(deepcopy(model)(x), y, reduction="none")
        ranked = sorted(range(len(x)), key=lambda i: -float(clean[i])) if pro else list(range(len(x)))
        hard = round(pro * len(x) + 1e-9)
        pulled, pushed = ranked[:hard], ranked[hard:]

        def losses(inputs: Tensor) -> Tensor:
            u = model(inputs)
            v = torch.zeros_like(u)
            for i in pulled:
                v[i] = -eta * u[i].detach().softmax(0)
                v[i, y[i]] += eta
            return functional.cross_entropy(u + v, y, reduction="none")

        with untouched(model):
            unpushed = functional.cross_entropy(model(x), y, reduction="none")
        moved = x.clone()
        if eps and pushed:
            first = torch.empty_like(x[pushed]).uniform_(-eps, eps, generator=noise)
            moved[pushed] = attacked(model, x[pushed], y[pushed], eps, 5, eps / 4, first)
        shares = torch.full_like(clean, clean_share)
        shares[pulled] = 0
        return differentiated((shares * unpushed + (1 - shares) * losses(moved)).mean(), model)

    return reference
