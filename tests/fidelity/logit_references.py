"""The methods on logits and on the loss's weight, written from their papers in plain torch.

Each function takes the method's parameters and gives, for a clock, a reference as in `references`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.fidelity.clock import Clock, Timed, prior_of
from tests.fidelity.nets import LR
from tests.fidelity.references import Reference, Result, attacked, dice, differentiated

Counts = Sequence[int]


def softmax_loss(u: Tensor, y: Tensor) -> Tensor:
    """-log e^(u_y) / sum_c e^(u_c) of each sample."""
    return torch.stack([torch.logsumexp(row, 0) - row[label] for row, label in zip(u, y, strict=True)])


def timeless(reference: Reference) -> Timed:
    """A reference that the clock does not matter to."""
    return lambda clock: reference


def features_and_vectors(model: nn.Module, x: Tensor) -> tuple[Tensor, Tensor]:
    """What enters the last layer, and its weight."""
    assert isinstance(model, nn.Sequential)
    head = model[-1]
    assert isinstance(head, nn.Linear)
    return model[:-1](x), head.weight


def bias_of(model: nn.Module) -> Tensor:
    """The bias of the last layer."""
    assert isinstance(model, nn.Sequential)
    head = model[-1]
    assert isinstance(head, nn.Linear)
    return head.bias


def cosines(model: nn.Module, x: Tensor) -> Tensor:
    """z . w_c / |z| |w_c|."""
    z, vectors = features_and_vectors(model, x)
    return (z @ vectors.T) / z.pow(2).sum(1, keepdim=True).sqrt() / vectors.pow(2).sum(1).sqrt()


def with_own(values: Tensor, y: Tensor, own: Tensor) -> Tensor:
    """The values with others at the labels."""
    mask = functional.one_hot(y, values.shape[1]).bool()
    return torch.where(mask, own[:, None], values)


def vs_loss(gamma: float, tau: float, counts: Counts) -> Timed:
    """Kini et al. 2021: the softmax loss of Delta_c u_c + iota_c, (n_c / n_max)^gamma and tau log pi_c."""
    delta = (torch.tensor(counts, dtype=torch.float64) / max(counts)) ** gamma
    iota = tau * prior_of(counts).log()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        return differentiated(softmax_loss(delta * model(x) + iota, y).mean(), model)

    return timeless(reference)


def zla(gamma: float, counts: Counts) -> Timed:
    """Chen et al. 2022: the softmax loss of u_c + gamma log prior_c, a factor prior_c^gamma of e^(u_c)."""
    factors = prior_of(counts) ** gamma

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        scores = factors * model(x).exp()
        own = scores[torch.arange(len(y)), y]
        return differentiated(-(own / scores.sum(1)).log().mean(), model)

    return timeless(reference)


def posthoc() -> Timed:
    """Menon et al. 2021: training is plain."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        return differentiated(softmax_loss(model(x), y).mean(), model)

    return timeless(reference)


def ldam(most: float, s: float, counts: Counts) -> Timed:
    """Cao et al. 2019, Eq. 13: the softmax loss of s (cos_c - [c = y] C / n_c^(1/4)), the widest `most`."""
    shape = [1 / count**0.25 for count in counts]
    margins = torch.tensor([most * one / max(shape) for one in shape], dtype=torch.float64)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        cosine = cosines(model, x)
        own = cosine[torch.arange(len(y)), y] - margins[y]
        return differentiated(softmax_loss(s * with_own(cosine, y, own), y).mean(), model)

    return timeless(reference)


def deferred_reweighting(b: float, start: float, counts: Counts) -> Timed:
    """Cao et al. 2019 with Cui et al. 2019, Eq. 7: from a time on (1 - b) / (1 - b^n_y), C of them in all."""
    rarity = torch.tensor([(1 - b) / (1 - b**count) for count in counts], dtype=torch.float64)
    weights = rarity * len(counts) / rarity.sum()

    def timed(clock: Clock) -> Reference:
        def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
            losses = softmax_loss(model(x), y)
            late = clock.progress >= start
            return differentiated((weights[y] * losses if late else losses).mean(), model)

        return reference

    return timed


def isda(lam: float, diagonal: bool = False) -> Timed:
    """Wang et al. 2019, Eq. 9: u_c + lam t / 2 (w_c - w_y) Sigma_y (w_c - w_y), and all features so far."""

    def timed(clock: Clock) -> Reference:
        seen: dict[int, list[Tensor]] = {}

        def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
            z, w = features_and_vectors(model, x)
            for row, label in zip(z.detach(), y.tolist(), strict=True):
                seen.setdefault(label, []).append(row)
            u, rows = z @ w.T + bias_of(model), list[Tensor]()
            for row, label in zip(u, y.tolist(), strict=True):
                cloud = torch.stack(seen[label])
                sigma = (cloud - cloud.mean(0)).T @ (cloud - cloud.mean(0)) / len(cloud)
                sigma = torch.diag(sigma.diag()) if diagonal else sigma
                apart = w - w[label]
                extra = torch.stack([one @ sigma @ one for one in apart])
                rows.append(row + lam * clock.progress / 2 * extra)
            return differentiated(softmax_loss(torch.stack(rows), y).mean(), model)

        return reference

    return timed


def arcface(m: float, s: float) -> Timed:
    """Deng et al. 2019, Eq. 3: cos(theta + m) at the label; past pi - m, cos theta - m sin m."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        cosine = cosines(model, x)
        own = cosine[torch.arange(len(y)), y]
        sine = (1 - own**2).sqrt()
        wider = torch.where(
            own >= math.cos(math.pi - m), own * math.cos(m) - sine * math.sin(m), own - m * math.sin(m)
        )
        return differentiated(softmax_loss(s * with_own(cosine, y, wider), y).mean(), model)

    return timeless(reference)


def cosface(m: float, s: float) -> Timed:
    """Wang et al. 2018, Eq. 4: the softmax loss of s (cos_c - [c = y] m)."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        cosine = cosines(model, x)
        own = cosine[torch.arange(len(y)), y] - m
        return differentiated(softmax_loss(s * with_own(cosine, y, own), y).mean(), model)

    return timeless(reference)


# cos(m theta) as a polynomial of cos theta
CHEBYSHEV = {
    1: lambda c: c,
    2: lambda c: 2 * c**2 - 1,
    3: lambda c: 4 * c**3 - 3 * c,
    4: lambda c: 8 * c**4 - 8 * c**2 + 1,
}


def sphereface(m: int, s: float) -> Timed:
    """Liu et al. 2017, Eq. 7: (-1)^k cos(m theta) - 2k at the label, theta from k pi/m on."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        cosine = cosines(model, x)
        own = cosine[torch.arange(len(y)), y]
        k = sum((own <= math.cos(turn * math.pi / m)).double() for turn in range(1, m + 1))
        steep = (1 - 2 * (k % 2)) * CHEBYSHEV[m](own) - 2 * k
        return differentiated(softmax_loss(s * with_own(cosine, y, steep), y).mean(), model)

    return timeless(reference)


def adaptive_face(lam: float, s: float, classes: int = 5) -> Timed:
    """Liu et al. 2019, Eq. 5 and 6: CosFace with a margin per class, minus lam times their mean.

    The margins are one parameter of torch's SGD beside the weights, and fall no lower than zero.
    """
    m = nn.Parameter(torch.full((classes,), 0.4, dtype=torch.float64))
    optimizer = torch.optim.SGD([m], lr=LR, momentum=0.9)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        cosine = cosines(model, x)
        own = cosine[torch.arange(len(y)), y] - m[y]
        loss = softmax_loss(s * with_own(cosine, y, own), y).mean() - lam * m.mean()
        *slopes, m.grad = torch.autograd.grad(loss, [*model.parameters(), m])
        optimizer.step()
        with torch.no_grad():
            m.clamp_(min=0)
        return loss.detach(), tuple(slopes)

    return timeless(reference)


def selfpaced_logpert(start: float, growth: float) -> Timed:
    """Y&W Eq. 56 and 65: from a loss on, the label up and the others down by twice the longest row."""

    def timed(clock: Clock) -> Reference:
        def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
            u = model(x)
            room = 2 * max(float(row.norm()) for row in u.detach())
            hard = softmax_loss(u.detach(), y) >= start * growth**clock.epoch
            sign = 2 * functional.one_hot(y, u.shape[1]).double() - 1
            return differentiated(softmax_loss(u + hard.double()[:, None] * room * sign, y).mean(), model)

        return reference

    return timed


def category_logpert(lam: float, eta: float, classes: int = 5) -> Timed:
    """Y&W Section 5.1: Eq. 53 with one v for each class; that of a class outside the batch rests."""
    table = [nn.Parameter(torch.zeros(classes, dtype=torch.float64)) for _ in range(classes)]
    optimizer = torch.optim.SGD(table, lr=eta, momentum=0.9)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        v = torch.stack([table[label] for label in y.tolist()])
        loss = (softmax_loss(model(x) + v, y) + lam * v.abs().sum(1)).mean()
        weights = list(model.parameters())
        slopes = torch.autograd.grad(loss, [*weights, *table], allow_unused=True)
        for row, slope in zip(table, slopes[len(weights) :], strict=True):
            row.grad = slope
        optimizer.step()
        return loss.detach(), slopes[: len(weights)]

    return timeless(reference)


def mixpert_adaptive(eta: float = 3, eps: float = 0, pro: float = 0.15, scale: float = 1) -> Timed:
    """Y&W Eq. 66: MixPert whose radii grow with the distance of a sample's loss from the threshold.

    At a scale of one they are eta l / tau and eps (2 - l / tau); at zero, those of MixPert.
    """
    noise = dice()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        with torch.no_grad():
            clean = softmax_loss(deepcopy(model)(x), y)
        ranked = sorted(range(len(x)), key=lambda i: -float(clean[i])) if pro else list(range(len(x)))
        hard, easy = ranked[: round(pro * len(x) + 1e-9)], ranked[round(pro * len(x) + 1e-9) :]
        tau = numpy.quantile(clean.numpy(), 1 - pro)
        moved = x.clone()
        if eps:
            radius = per_image(eps * (1 - scale + scale * (2 - clean[easy] / tau)))
            start = (2 * torch.rand(x[easy].shape, generator=noise, dtype=x.dtype) - 1) * radius
            moved[easy] = attacked(model, x[easy], y[easy], radius, 5, radius / 4, start)
        u = model(moved)
        v = torch.zeros_like(u)
        for i in hard:
            v[i] = -u[i].detach().softmax(0)
            v[i, y[i]] += 1
            v[i] *= eta * (1 - scale + scale * clean[i] / tau)
        return differentiated(softmax_loss(u + v, y).mean(), model)

    return timeless(reference)


def per_image(values: Tensor) -> Tensor:
    """A number for each image."""
    return values[:, None, None, None]
