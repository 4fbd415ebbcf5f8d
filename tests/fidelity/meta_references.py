"""The methods that learn on held-out data, written from their papers in plain torch.

A virtual step is a graph of autograd's that the held-out loss is traced back through. What is learned is a
parameter of one of torch's own optimizers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from itertools import cycle
from math import pi

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from taxo.ops.draws import Draws
from tests.fidelity.clock import LR, Clock, Timed, prior_of
from tests.fidelity.logit_references import cosines, softmax_loss, with_own
from tests.fidelity.nets import untouched
from tests.fidelity.references import (
    SEED,
    Reference,
    Result,
    attacked,
    dice,
    differentiated,
)

Held = Sequence[tuple[Tensor, Tensor]]
Net = Callable[[Tensor], Tensor]
Network = Sequence[Tensor]  # the weights and biases of two layers


class Standing:
    """A model of layers at some weights."""

    def __init__(self, model: nn.Module, at: dict[str, Tensor]) -> None:
        self.model, self.at = model, at

    def __call__(self, x: Tensor) -> Tensor:
        return functional_call(self.model, self.at, (x,))

    def features(self, x: Tensor) -> Tensor:
        """What enters the head."""
        assert isinstance(self.model, nn.Sequential)
        last = len(self.model) - 1
        body = {name: one for name, one in self.at.items() if not name.startswith(f"{last}.")}
        return functional_call(self.model[:-1], body, (x,))

    @property
    def head(self) -> tuple[Tensor, Tensor]:
        """The head's weight and bias."""
        weight, bias = [*self.at.values()][-2:]
        return weight, bias


def ahead(
    model: nn.Module, trained: Callable[[Standing], Tensor], held: tuple[Tensor, Tensor], of: Iterable[Tensor]
) -> tuple[Tensor, ...]:
    """Shu et al. 2019, Eq. 3-5: the slope of the held-out loss at w - lr grad L(w) in what L is made of."""
    weights = {name: one.detach().requires_grad_() for name, one in model.named_parameters()}
    with untouched(model):
        loss = trained(Standing(model, weights))
        slopes = torch.autograd.grad(loss, list(weights.values()), create_graph=True)
        moved = {name: one - LR * slope for (name, one), slope in zip(weights.items(), slopes, strict=True)}
        x, y = held
        return torch.autograd.grad(softmax_loss(Standing(model, moved)(x), y).mean(), list(of))


def stepped(optimizer: torch.optim.Optimizer, parts: Sequence[Tensor], slopes: Sequence[Tensor]) -> None:
    """One step of one of torch's optimizers."""
    for part, slope in zip(parts, slopes, strict=True):
        part.grad = slope
    optimizer.step()


def meta_logit_adjustment(counts: Sequence[int], held: Held) -> Reference:
    """Y&W Eq. 39-41: the loss with u + tau_y log pi, and tau by the held-out loss one step ahead."""
    prior, batches = prior_of(counts), cycle(held)
    tau = nn.Parameter(torch.ones(len(counts), dtype=torch.float64))
    adam = torch.optim.Adam([tau], lr=0.001)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        def loss(net: Net) -> Tensor:
            return softmax_loss(net(x) + tau[y][:, None] * prior.log(), y).mean()

        stepped(adam, [tau], ahead(model, loss, next(batches), [tau]))
        return differentiated(loss(model), model)

    return reference


class Cosines(nn.Module):
    """A model whose logits are scaled cosines."""

    def __init__(self, model: nn.Module, s: float) -> None:
        super().__init__()
        self.model, self.s = model, s

    def forward(self, x: Tensor) -> Tensor:
        return self.s * cosines(self.model, x)


def autobalance(dy: float, ly: float, counts: Sequence[int], held: Held) -> Reference:
    """Li et al. 2021, Eq. 3-4, on the batch: the loss with sigmoid(dy) u + ly, and a balanced held-out one.

    By the implicit function theorem dy and ly have the slope -d²L/(dv dw) H⁻¹ grad L_held. H⁻¹ is the sum of
    (1 - (H + 0.01) / 25)^k / 25 over the first six k.
    """
    prior, batches = prior_of(counts), cycle(held)
    scale, shift = (nn.Parameter(torch.full_like(prior, one)) for one in (dy, ly))
    descent = torch.optim.SGD([scale, shift], lr=LR)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        def loss(net: nn.Module) -> Tensor:
            return softmax_loss(scale.sigmoid() * net(x) + shift, y).mean()

        weights = list(model.parameters())
        with untouched(model):
            x_held, y_held = next(batches)
            balanced = softmax_loss(model(x_held), y_held) / (len(counts) * prior[y_held])
            side = joined(torch.autograd.grad(balanced.mean(), weights))
            slope = joined(torch.autograd.grad(loss(model), weights, create_graph=True))
            terms = [side / 25]
            for _ in range(5):
                product = joined(torch.autograd.grad(slope @ terms[-1], weights, retain_graph=True))
                terms.append(terms[-1] - (product + 0.01 * terms[-1]) / 25)
        slopes = torch.autograd.grad(-(slope @ torch.stack(terms).sum(0)), [scale, shift])
        stepped(descent, [scale, shift], slopes)
        return differentiated(loss(model), model)

    return reference


def joined(parts: Iterable[Tensor]) -> Tensor:
    """All entries in one row."""
    return torch.cat([part.flatten() for part in parts])


def balanced_margin(s: float, classes: int, held: Held) -> Reference:
    """Y&W Eq. 49-50: ArcFace whose margin is the class's own, and learned one step ahead."""
    batches, m = cycle(held), nn.Parameter(torch.full((classes,), 0.5, dtype=torch.float64))
    adam = torch.optim.Adam([m], lr=0.001)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        def loss(net: Net) -> Tensor:
            cosine = net(x) / s
            own = cosine[torch.arange(len(y)), y]
            wide = own * torch.cos(m[y]) - (1 - own**2).sqrt() * torch.sin(m[y])
            wider = torch.where(own >= torch.cos(pi - m[y]), wide, own - m[y] * torch.sin(m[y]))
            return softmax_loss(s * with_own(cosine, y, wider), y).mean()

        scaled = Cosines(model, s)
        stepped(adam, [m], ahead(scaled, loss, next(batches), [m]))
        return differentiated(loss(scaled), model)

    return reference


def metasaug(lam: float, rate: float, classes: int, held: Held) -> Timed:
    """Li et al. 2021, Algorithm 1: ISDA's loss with Sigma - rate grad, of the held-out loss one step ahead.

    Sigma is of all features before this batch; those of the batch are taken in behind it.
    """
    batches, seen = cycle(held), dict[int, list[Tensor]]()

    def timed(clock: Clock) -> Reference:
        def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
            clouds = [torch.stack(seen[one]) if one in seen else None for one in range(classes)]
            wide = Standing(model, dict(model.named_parameters())).head[0].shape[1]
            none = torch.zeros(wide, wide, dtype=torch.float64)
            spread = [none if one is None else torch.cov(one.T, correction=0) for one in clouds]
            sigma = torch.stack(spread).requires_grad_()
            brought: list[Tensor] = []

            def loss(net: Standing, sigma: Tensor) -> Tensor:
                z, (w, bias) = net.features(x), net.head
                brought.append(z.detach())
                apart = w - w[y][:, None]
                extra = torch.einsum("bcd,bde,bce->bc", apart, sigma[y], apart)
                return softmax_loss(z @ w.T + bias + lam * clock.progress / 2 * extra, y).mean()

            (slope,) = ahead(model, lambda net: loss(net, sigma), next(batches), [sigma])
            moved = (sigma - rate * slope).detach()
            found = differentiated(loss(Standing(model, dict(model.named_parameters())), moved), model)
            for row, label in zip(brought[-1], y.tolist(), strict=True):
                seen.setdefault(label, []).append(row)
            return found

        return reference

    return timed


def meta_logpert(eta: float, samples: int, classes: int, held: Held) -> Reference:
    """Y&W 5.1: an offset of every sample's logits, moved down the held-out loss one step ahead."""
    table, batches = torch.zeros(samples, classes, dtype=torch.float64), cycle(held)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        v = table[index].requires_grad_()

        def loss(net: Net) -> Tensor:
            return softmax_loss(net(x) + v, y).mean()

        (slope,) = ahead(model, loss, next(batches), [v])
        v = (v - eta * slope).detach()
        table[index] = v
        return differentiated(loss(model), model)

    return reference


def metamixup(held: Held) -> Reference:
    """Mai et al. 2021, Algorithm 1: shares of the partners start at a half and take one step of length 1."""
    draws, batches = Draws(SEED), cycle(held)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        pair = draws.permutation(x)
        share = torch.full((len(x),), 0.5, dtype=torch.float64).requires_grad_()

        def loss(net: Net) -> Tensor:
            wide = share[:, None, None, None]
            u = net((1 - wide) * x + wide * x[pair])
            return ((1 - share) * softmax_loss(u, y) + share * softmax_loss(u, y[pair])).mean()

        (slope,) = ahead(model, loss, next(batches), [share])
        share = (share - slope).clamp(0, 1).detach()
        return differentiated(loss(model), model)

    return reference


def meta_universal_patch(area: float, step: float, held: Held) -> Reference:
    """Y&W 5.1, Table 1: a patch that climbs the held-out loss by one sign step a batch, statistics frozen."""
    draws, batches, kept = Draws(SEED), cycle(held), list[Tensor]()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        spot = draws.rectangle(area, x[0], whole=True)
        patch = kept.pop() if kept else torch.zeros_like(x[0])
        frozen, (x_held, y_held) = deepcopy(model).eval(), next(batches)
        at = patch.clone().requires_grad_()
        held_loss = softmax_loss(frozen(((1 - spot) * x_held + spot * at).clamp(0, 1)), y_held).mean()
        patch = patch + step * torch.autograd.grad(held_loss, at)[0].sign()
        kept.append(patch)
        patched = ((1 - spot) * x + spot * patch).clamp(0, 1)
        return differentiated(softmax_loss(model(patched), y).mean(), model)

    return reference


def meta_adversarial(eps: float, step: float, classes: int, held: Held) -> Reference:
    """Tsai et al. 2021, Algorithm 1, to first order: a start per class, from which one step does most harm.

    The starts climb the held-out loss at the end of that step, by the sign of its slope there.
    """
    batches, kept = cycle(held), list[Tensor]()

    def climbed(frozen: nn.Module, start: Tensor, x: Tensor, y: Tensor) -> Tensor:
        begin = (x + start.clamp(-eps, eps)).clamp(0, 1)
        at = begin.requires_grad_()
        (slope,) = torch.autograd.grad(softmax_loss(frozen(at), y).sum(), at)
        moved = torch.minimum(torch.maximum(at + step * slope.sign(), x - eps), x + eps)
        return moved.clamp(0, 1).detach()

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        bank = kept.pop() if kept else torch.zeros(classes, *x.shape[1:], dtype=x.dtype)
        frozen, (x_held, y_held) = deepcopy(model).eval(), next(batches)
        end = climbed(frozen, bank[y_held], x_held, y_held).requires_grad_()
        (slope,) = torch.autograd.grad(softmax_loss(frozen(end), y_held).mean(), end)
        harm = torch.zeros_like(bank).index_add(0, y_held, slope)
        bank = (bank + step * harm.sign()).clamp(-eps, eps)
        kept.append(bank)
        return differentiated(softmax_loss(model(climbed(frozen, bank[y], x, y)), y).mean(), model)

    return reference


def perceptron(weights: Network, inputs: Tensor) -> Tensor:
    """sigmoid(W2 relu(W1 x + b1) + b2)."""
    first, shift, second, last = weights
    return torch.sigmoid(functional.relu(inputs @ first.T + shift) @ second.T + last)[:, 0]


def meta_mixpert(eta: float, eps: float, used: Sequence[int], network: Network, held: Held) -> Reference:
    """Y&W Eq. 62: alpha of the loss of the pulled sample, the rest of the pushed one's.

    alpha is a network's of the loss, |p - y| and u_y - max of the others, of which `used` are given.
    """
    batches, noise, weights = cycle(held), dice(), [nn.Parameter(one) for one in network]
    adam = torch.optim.Adam(weights, lr=0.001)

    def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
        start = torch.empty_like(x).uniform_(-eps, eps, generator=noise)
        moved = attacked(model, x, y, eps, 5, eps / 4, start)
        target = functional.one_hot(y, 5).double()

        def loss(net: Net) -> Tensor:
            with untouched(model):
                u = net(x)
            clean = u.detach()
            others = clean.masked_fill(target.bool(), -torch.inf).amax(1)
            sides = softmax_loss(clean, y), (clean.softmax(1) - target).norm(dim=1), pick(clean, y) - others
            given = [side if number in used else torch.zeros_like(side) for number, side in enumerate(sides)]
            alpha = perceptron(weights, torch.stack(given, 1))
            pulled = softmax_loss(u + eta * (target - clean.softmax(1)), y)
            return (alpha * pulled + (1 - alpha) * softmax_loss(net(moved), y)).mean()

        stepped(adam, weights, ahead(model, loss, next(batches), weights))
        return differentiated(loss(model), model)

    return reference


def pick(u: Tensor, y: Tensor) -> Tensor:
    """The entry of each row at its label."""
    return u[torch.arange(len(y)), y]


def mslc(warmup: int, soft: bool, networks: Sequence[Network], held: Held) -> Timed:
    """Wu et al. 2021, Eq. 3-4: alpha y + (1 - alpha) (beta y_before + (1 - beta) y_now).

    Two networks give alpha, of the loss with y, and beta, of the loss with what the model said before.
    """
    batches, table = cycle(held), {}
    weights = [nn.Parameter(one) for network in networks for one in network]
    adam = torch.optim.Adam(weights, lr=0.001)
    first, second = weights[:4], weights[4:]

    def timed(clock: Clock) -> Reference:
        def reference(model: nn.Module, x: Tensor, y: Tensor, index: Tensor) -> Result:
            target = functional.one_hot(y, 5).double()
            said = torch.stack([table.get(int(i), row) for i, row in zip(index, target, strict=True)])
            before = said if soft else functional.one_hot(said.argmax(1), 5).double()
            logits: list[Tensor] = []

            def loss(net: Net) -> Tensor:
                u = net(x)
                logits.append(u.detach())
                q = u.detach().softmax(1)
                now = q if soft else functional.one_hot(q.argmax(1), 5).double()
                alpha = perceptron(first, softmax_loss(u.detach(), y)[:, None])[:, None]
                entropy = -(before * u.detach().log_softmax(1)).sum(1)
                beta = perceptron(second, entropy[:, None])[:, None]
                mixed = alpha * target + (1 - alpha) * (beta * before + (1 - beta) * now)
                return -((mixed if clock.epoch >= warmup else target) * u.log_softmax(1)).sum(1).mean()

            if clock.epoch >= warmup:
                stepped(adam, weights, ahead(model, loss, next(batches), weights))
            found = differentiated(loss(model), model)
            table.update({int(i): row for i, row in zip(index, logits[-1].softmax(1), strict=True)})
            return found

        return reference

    return timed
