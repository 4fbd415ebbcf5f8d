"""The methods on labels, written from their papers in plain torch; as in `logit_references`."""

from __future__ import annotations

import numpy
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.fidelity.clock import Clock, Timed
from tests.fidelity.logit_references import bias_of, features_and_vectors, timeless
from tests.fidelity.references import Reference, Result, differentiated


def cross(q: Tensor, u: Tensor) -> Tensor:
    """-sum_c q_c log p_c of each sample."""
    return -(q * (u - torch.logsumexp(u, 1, keepdim=True))).sum(1)


def hot(y: Tensor, like: Tensor) -> Tensor:
    """The labels as rows of zeros and ones."""
    return functional.one_hot(y, like.shape[1]).to(like.dtype)


def soft_bootstrapping(beta: float, live: bool = False) -> Timed:
    """Reed et al. 2015, Eq. 6: -sum_c (beta t_c + (1 - beta) q_c) log q_c."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        u = model(x)
        q = u.softmax(1) if live else u.detach().softmax(1)
        return differentiated(cross(beta * hot(y, u) + (1 - beta) * q, u).mean(), model)

    return timeless(reference)


def hard_bootstrapping(beta: float) -> Timed:
    """Reed et al. 2015, Eq. 7: -sum_c (beta t_c + (1 - beta) z_c) log q_c, z the likeliest class."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        u = model(x)
        losses = [
            beta * (torch.logsumexp(row, 0) - row[label])
            + (1 - beta) * (torch.logsumexp(row, 0) - row[int(row.argmax())])
            for row, label in zip(u, y, strict=True)
        ]
        return differentiated(torch.stack(losses).mean(), model)

    return timeless(reference)


class Usual:
    """The mean prediction for each class in the last epoch in which there was one; uniform before."""

    def __init__(self, clock: Clock, correct: bool) -> None:
        self.clock, self.correct, self.epoch = clock, correct, 0
        self.rows: dict[int, Tensor] = {}
        self.gathered: dict[int, list[Tensor]] = {}

    def of(self, y: Tensor, like: Tensor) -> Tensor:
        """The rows of some classes."""
        if self.clock.epoch != self.epoch:
            self.epoch = self.clock.epoch
            self.rows |= {label: torch.stack(rows).mean(0) for label, rows in self.gathered.items()}
            self.gathered = {}
        uniform = torch.full_like(like[0], 1 / like.shape[1])
        return torch.stack([self.rows.get(label, uniform) for label in y.tolist()])

    def gather(self, p: Tensor, y: Tensor) -> None:
        """Take in a batch."""
        for row, label in zip(p, y.tolist(), strict=True):
            if not self.correct or int(row.argmax()) == label:
                self.gathered.setdefault(label, []).append(row)


def mixbootstrapping(alpha: float, beta: float, confidence: bool = False) -> Timed:
    """Y&W Eq. 67-69: (1 - alpha) y + alpha (beta S_y + (1 - beta) p)."""

    def timed(clock: Clock) -> Reference:
        usual = Usual(clock, confidence)

        def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
            u = model(x)
            p = u.detach().softmax(1)
            mixed = beta * usual.of(y, p) + (1 - beta) * p
            usual.gather(p, y)
            return differentiated(cross((1 - alpha) * hot(y, u) + alpha * mixed, u).mean(), model)

        return reference

    return timed


def online_label_smoothing(alpha: float) -> Timed:
    """Zhang et al. 2021, Eq. 4 and 6: the loss of the hard label, and of last epoch's soft one."""

    def timed(clock: Clock) -> Reference:
        usual = Usual(clock, correct=True)

        def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
            u = model(x)
            p = u.detach().softmax(1)
            soft = usual.of(y, p)
            usual.gather(p, y)
            return differentiated(((1 - alpha) * cross(hot(y, u), u) + alpha * cross(soft, u)).mean(), model)

        return reference

    return timed


def adversarial_label_smoothing(lam: float) -> Timed:
    """Goibert & Dohmatob 2019: (1 - lam) onehot + lam at the class of the smallest logit."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        u = model(x)
        q = (1 - lam) * hot(y, u)
        for row, least in enumerate(u.argmin(1).tolist()):
            q[row, least] += lam
        return differentiated(cross(q, u).mean(), model)

    return timeless(reference)


def proselflc(b: float, transit: float) -> Timed:
    """Wang et al. 2021: eps = 1 / (1 + e^(-b (t - transit))) (1 - H(p) / log C), a constant; p is live."""

    def timed(clock: Clock) -> Reference:
        def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
            u = model(x)
            p = u.softmax(1)
            entropy = -(p * p.log()).sum(1).detach()
            trust = (1 - entropy / numpy.log(u.shape[1])) / (1 + numpy.exp(-b * (clock.progress - transit)))
            q = (1 - trust[:, None]) * hot(y, u) + trust[:, None] * p
            return differentiated(cross(q, u).mean(), model)

        return reference

    return timed


def dimension(z: Tensor, k: int) -> float:
    """Amsaleg et al.: minus the inverse of the mean log ratio of distances, averaged over the samples."""
    found: list[float] = []
    for row in range(len(z)):
        apart = sorted(float((z[row] - z[other]).norm()) for other in range(len(z)) if other != row)
        near = apart[: min(k, len(apart))]
        found.append(-1 / float(numpy.mean(numpy.log(numpy.array(near) / near[-1]))))
    return float(numpy.mean(found))


def d2l(k: int, window: int) -> Timed:
    """Ma et al. 2018, Algorithm 1 and Eq. 6, its turn as in the authors' code."""

    def timed(clock: Clock) -> Reference:
        dimensions: list[float] = []
        gathered: list[float] = []
        seen, turned = [0], [False]

        def end_epoch() -> None:
            dimensions.append(float(numpy.mean(gathered)))
            gathered.clear()
            if len(dimensions) > window:
                before = dimensions[-window - 1 : -1]
                turned[0] |= bool(dimensions[-1] - numpy.mean(before) > 2 * numpy.std(before))

        def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
            if clock.epoch != seen[0]:
                seen[0] = clock.epoch
                end_epoch()
            z, vectors = features_and_vectors(model, x)
            u = z @ vectors.T + bias_of(model)
            gathered.append(dimension(z.detach(), k))
            alpha = 1.0
            if turned[0]:
                alpha = float(numpy.exp(-clock.progress * dimensions[-1] / min(dimensions)))
            q = alpha * hot(y, u) + (1 - alpha) * hot(u.argmax(1), u)
            return differentiated(cross(q, u).mean(), model)

        return reference

    return timed


def typical(rows: list[Tensor], count: int) -> list[Tensor]:
    """Han et al. 2019, Eq. 4 to 6: the densest rows that are not much alike to a denser one."""
    unit = [row / row.norm() for row in rows]
    similar = [[float(a @ b) for b in unit] for a in unit]
    ascending = sorted(value for row in similar for value in row)
    limit = ascending[int(0.4 * (len(ascending) - 1))]
    density = [sum(value > limit for value in row) for row in similar]
    order = sorted(range(len(rows)), key=lambda i: -density[i])
    rank = {row: place for place, row in enumerate(order)}
    alike = [any(similar[i][j] >= 0.95 for j in order[: rank[i]]) for i in range(len(rows))]
    best = [i for i in order if not alike[i]] + [i for i in order if alike[i]]
    return [rows[best[number % len(best)]] for number in range(count)]


def deep_self_learning(alpha: float, count: int) -> Timed:
    """Han et al. 2019, Eq. 8: (1 - alpha) of the label's loss, alpha of that of the class most alike."""

    def timed(clock: Clock) -> Reference:
        prototypes: dict[int, list[Tensor]] = {}
        gathered: dict[int, list[Tensor]] = {}
        seen = [0]

        def alike(z: Tensor, classes: int) -> Tensor:
            scores = torch.zeros(len(z), classes, dtype=z.dtype)
            for label, rows in prototypes.items():
                ways = torch.stack([row / row.norm() for row in rows])
                scores[:, label] = (z / z.norm(dim=1, keepdim=True) @ ways.T).mean(1)
            return scores.argmax(1)

        def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
            if clock.epoch != seen[0]:
                seen[0] = clock.epoch
                prototypes.update({label: typical(rows, count) for label, rows in gathered.items()})
                gathered.clear()
            z, vectors = features_and_vectors(model, x)
            u = z @ vectors.T + bias_of(model)
            q = hot(y, u)
            if clock.epoch >= 1:
                q = (1 - alpha) * q + alpha * hot(alike(z.detach(), u.shape[1]), u)
            for row, label in zip(z.detach(), y.tolist(), strict=True):
                gathered.setdefault(label, []).append(row)
            return differentiated(cross(q, u).mean(), model)

        return reference

    return timed


def huber(r: Tensor, lam: float) -> Tensor:
    """min_e (r - e)^2 + lam |e|, summed over the outputs."""
    small = r.abs() <= lam / 2
    return torch.where(small, r**2, lam * r.abs() - lam**2 / 4).sum(1)


def robust_regression(lam: float, mu: float = 0) -> Timed:
    """She & Owen 2011 and Nguyen & Tran 2013: squares, less a sparse error; sparse weights beside."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        u = model(x)
        sparse = sum((weight.abs().sum() for weight in model.parameters()), torch.zeros(()))
        return differentiated(huber(u - hot(y, u), lam).mean() + mu * sparse, model)

    return timeless(reference)


def label_relaxation(lam: float) -> Timed:
    """Fang et al. 2018, Eq. 4: outputs above one at the label, and below zero elsewhere, cost nothing."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        u = model(x)
        short = torch.where(hot(y, u) == 1, (1 - u).relu(), u.relu())
        ridge = sum(((weight**2).sum() for weight in model.parameters()), torch.zeros(()))
        return differentiated((short**2).sum(1).mean() + lam * ridge, model)

    return timeless(reference)


def label_svm(price: float, samples: int) -> Timed:
    """The squared hinge of each class against the rest, and |W|^2 / 2 over the price and the data's size."""

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        u = model(x)
        hinges = (1 - (2 * hot(y, u) - 1) * u).relu() ** 2
        assert isinstance(model, nn.Sequential)
        ridge = (next(model[-1].parameters()) ** 2).sum() / 2
        return differentiated(hinges.sum(1).mean() + ridge / (price * samples), model)

    return timeless(reference)
