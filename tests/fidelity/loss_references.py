"""The methods on the loss written from their papers in plain torch, loop by loop; nothing here uses taxo."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.fidelity.nets import LR, untouched
from tests.fidelity.references import Result, differentiated
from tests.fidelity.runs import Given, Inputs, LongReference


def image(x: Inputs) -> Tensor:
    """The only view of a batch."""
    assert isinstance(x, Tensor)
    return x


def shares(scores: Tensor) -> Tensor:
    """e^(u_c) / sum_k e^(u_k), row by row."""
    return torch.stack([(row - row.logsumexp(0)).exp() for row in scores])


def surprise(u: Tensor, y: Tensor) -> Tensor:
    """-log p_y of each sample."""
    return torch.stack([row.logsumexp(0) - row[label] for row, label in zip(u, y, strict=True)])


def divergence(q: Tensor, p: Tensor) -> Tensor:
    """sum_c q_c log(q_c / p_c) of each sample."""
    return (q * (q / p).log()).sum(1)


def head_weight(model: nn.Module) -> Tensor:
    """The weight of the last layer."""
    assert isinstance(model, nn.Sequential)
    head = model[-1]
    assert isinstance(head, nn.Linear)
    return head.weight


def knowledge_distillation(lam: float, temperature: float) -> LongReference:
    """Hinton et al. 2015: cross entropy with labels, and T^2 times that with softened targets of a teacher.

    The entropy of the targets, a constant, makes the second a divergence.
    """

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        u = model(image(x))
        q = shares(given.teacher(image(x)).detach() / temperature)
        far = divergence(q, shares(u / temperature))
        loss = (1 - lam) * surprise(u, y) + lam * temperature**2 * far
        return differentiated(loss.mean(), model)

    return reference


def confidence_penalty(beta: float, tau: float) -> LongReference:
    """Pereyra et al. 2017, Eq. 2 and 3: -log p_y + beta max(0, tau - H(p))."""

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        u = model(image(x))
        p = shares(u)
        entropy = -(p * p.log()).sum(1)
        return differentiated((surprise(u, y) + beta * (tau - entropy).clamp(min=0)).mean(), model)

    return reference


def mbls(lam: float, m: float) -> LongReference:
    """Liu et al. 2022, Eq. 9, with the mean over classes as in their code.

    -log p_y + lam mean_c max(0, max_k u_k - u_c - m).
    """

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        u = model(image(x))
        excess = torch.stack([(row[row.argmax()] - row - m).clamp(min=0).mean() for row in u])
        return differentiated((surprise(u, y) + lam * excess).mean(), model)

    return reference


def dlb(alpha: float, temperature: float) -> LongReference:
    """Shen et al. 2022, Eq. 4: cross entropy over this batch and the last, alpha T^2 times the divergence of
    the last one's softened predictions from those it had."""
    last: list[tuple[Tensor, Tensor, Tensor]] = []

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        now, later = x
        u = model(now)
        losses, penalty = [*surprise(u, y)], torch.zeros(())
        if last:
            again, labels, then = last.pop()
            with untouched(model):
                u_again = model(again)
            losses += [*surprise(u_again, labels)]
            penalty = divergence(shares(then / temperature), shares(u_again / temperature)).mean()
        last.append((later, y, u.detach()))
        return differentiated(torch.stack(losses).mean() + alpha * temperature**2 * penalty, model)

    return reference


def dac(learn_epochs: int, alpha_final: float) -> LongReference:
    """Thulasidasan et al. 2019, Eq. 1 and Algorithm 1 with rho = 64 and mu = 0.05."""
    state: dict[str, float] = {}

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        u = model(image(x))
        abstained, among = shares(u)[:, -1], surprise(u[:, :-1], y)
        known = (1 - abstained) * among
        if given.epoch < learn_epochs:
            price = float(known.detach().mean())
            state["mean"] = price if not state else 0.95 * state["mean"] + 0.05 * price
            return differentiated(surprise(u, y).mean(), model)
        if "alpha" not in state:
            state["alpha"], state["epoch"] = state["mean"] / 64, learn_epochs
            state["rise"] = (alpha_final - state["alpha"]) / (given.epochs - learn_epochs)
        if given.epoch > state["epoch"]:
            state["alpha"], state["epoch"] = state["alpha"] + state["rise"], given.epoch
        return differentiated((known - state["alpha"] * (1 - abstained).log()).mean(), model)

    return reference


def focal(gamma: float) -> LongReference:
    """Lin et al. 2017, Eq. 4: -(1 - p_t)^gamma log p_t."""

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        u = model(image(x))
        p = shares(u)[torch.arange(len(y)), y]
        return differentiated(-((1 - p) ** gamma * p.log()).mean(), model)

    return reference


def self_paced(start: float, growth: float) -> LongReference:
    """Kumar et al. 2010: v_i = 1 where the loss is below a threshold that grows, and sum_i v_i l_i."""

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        losses = surprise(model(image(x)), y)
        easy = [float(loss.detach()) < start * growth**given.epoch for loss in losses]
        chosen = [loss * taken for loss, taken in zip(losses, easy, strict=True)]
        return differentiated(torch.stack(chosen).mean(), model)

    return reference


def missed(u: Tensor, y: Tensor, margin: float | Tensor) -> Tensor:
    """max(0, margin - (u_y - max_{c != y} u_c)) of each sample."""
    slacks: list[Tensor] = []
    for row, label in zip(u, y.tolist(), strict=True):
        others = torch.cat([row[:label], row[label + 1 :]])
        slacks.append((margin - row[label] + others.max()).clamp(min=0))
    return torch.stack(slacks)


def svm(c: float, samples: int) -> LongReference:
    """Y&W Eq. 19 over N: (|w|^2 / 2 + C sum_i xi_i) / N with the least slacks, as a mean over the batch."""

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        slack = missed(model(image(x)), y, 1.0)
        return differentiated((head_weight(model) ** 2).sum() / 2 / samples + c * slack.mean(), model)

    return reference


def nu_svm(nu: float, rho: float) -> LongReference:
    """Schoelkopf et al. 2000: |w|^2 / 2 - nu rho + mean_i xi_i with rho >= 0, learned beside the weights."""
    margin = nn.Parameter(torch.tensor(rho, dtype=torch.float64))
    optimizer = torch.optim.SGD([margin], lr=LR, momentum=0.9)

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        slack = missed(model(image(x)), y, margin)
        loss = (head_weight(model) ** 2).sum() / 2 - nu * margin + slack.mean()
        *slopes, margin.grad = torch.autograd.grad(loss, [*model.parameters(), margin])
        optimizer.step()
        with torch.no_grad():
            margin.clamp_(min=0)
        return loss.detach(), tuple(slopes)

    return reference
