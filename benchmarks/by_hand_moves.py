"""Methods on inputs, inner values and weights as one would write them in plain torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from by_hand import Loss, Maker, attack, norms, start
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy, one_hot

Values = dict[str, Tensor]


def seeded(counts: Tensor) -> torch.Generator:
    return torch.Generator(counts.device).manual_seed(0)


def fgsm(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    eps = 8 / 255

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        d = attack(model, x, y, torch.zeros_like(x), eps, 1, eps)
        return cross_entropy(model(x + d), y)

    return loss


def fgsm_random_start(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    eps, dice = 8 / 255, seeded(counts)

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        d = attack(model, x, y, start(x, eps, dice), eps, 1, 1.25 * eps)
        return cross_entropy(model(x + d), y)

    return loss


def following(shared: bool, counted: Callable[[Tensor], Tensor]) -> Maker:
    """A perturbation that is kept, and moved by the same backward as the weights."""

    def make(model: nn.Module, samples: int, counts: Tensor) -> Loss:
        eps, kept = 8 / 255, list[Tensor]()

        def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
            d = kept.pop() if kept else torch.zeros_like(x[:1] if shared else x)
            if d.grad is not None:
                d = (d.detach() + eps * d.grad.sign()).clamp(-eps, eps)
            d = d.detach().requires_grad_()
            kept.append(d)
            rows = d.expand_as(x)
            losses = cross_entropy(model((x + rows).clamp(0, 1)), y, reduction="none")
            share = counted(losses.detach())
            rows.register_hook(lambda slope: slope * share.reshape(-1, *[1] * (x.dim() - 1)))
            return losses.mean()

        return loss

    return make


def mixed_adversarial(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    eps, kept = 4 / 255, list[Tensor]()

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        c = kept.pop() if kept else torch.zeros_like(x[:1])
        with norms(model, "training"):
            c.requires_grad_()
            (slope,) = torch.autograd.grad(cross_entropy(model((x + c).clamp(0, 1)), y), c)
            c = (c.detach() + eps * slope.sign()).clamp(-eps, eps)
        kept.append(c)
        moved = (x + c).clamp(0, 1)
        return cross_entropy(model(moved + attack(model, moved, y, torch.zeros_like(x), eps, 1, eps)), y)

    return loss


def log_gamma(dice: torch.Generator) -> Tensor:
    """The logarithm of a gamma number of shape 1."""
    drawn = torch._standard_gamma(torch.full((), 2.0, dtype=torch.float64), generator=dice)  # pyright: ignore[reportPrivateImportUsage]
    return drawn.log() - torch.empty_like(drawn).exponential_(generator=dice)


def pairs(x: Tensor, dice: torch.Generator) -> tuple[Tensor, Tensor]:
    """A uniform share, and an order of the batch."""
    share = (log_gamma(dice) - log_gamma(dice)).sigmoid().to(x.dtype)
    return 1 - share, torch.randperm(len(x), generator=dice, device=x.device)


def blended(values: Tensor, share: Tensor, pair: Tensor) -> Tensor:
    return values + share * (values[pair] - values)


def mixup(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    dice = seeded(counts)

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        share, pair = pairs(x, dice)
        q = one_hot(y, len(counts)).to(x.dtype)
        return cross_entropy(model(blended(x, share, pair)), blended(q, share, pair))

    return loss


def manifold_mixup(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    dice, choices = seeded(counts), torch.Generator().manual_seed(0x5DEECE66D)
    layers = [model[0], model[3]] if isinstance(model, nn.Sequential) else []

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        share, pair = pairs(x, dice)
        q = one_hot(y, len(counts)).to(x.dtype)
        chosen = int(torch.randint(len(layers) + 1, (), generator=choices))
        if not chosen:
            return cross_entropy(model(blended(x, share, pair)), blended(q, share, pair))
        handle = layers[chosen - 1].register_forward_hook(lambda *seen: blended(seen[2], share, pair))
        u = model(x)
        handle.remove()
        return cross_entropy(u, blended(q, share, pair))

    return loss


def cutmix(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    dice = seeded(counts)

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        share, pair = pairs(x, dice)
        middle = torch.rand(1, 2, generator=dice, device=x.device)[0]
        near = [
            ((torch.arange(side, device=x.device) + 0.5) / side - middle[axis]).abs() < share.sqrt() / 2
            for axis, side in enumerate(x.shape[-2:])
        ]
        hole = (near[0][:, None] & near[1]).to(x.dtype)
        q = one_hot(y, len(counts)).to(x.dtype)
        return cross_entropy(model(blended(x, hole, pair)), blended(q, hole.mean(), pair))

    return loss


def directions(x: Tensor, dice: torch.Generator) -> Tensor:
    drawn = torch.empty_like(x).normal_(generator=dice).flatten(1)
    return drawn / drawn.norm(dim=1, keepdim=True)


def reached(x: Tensor, way: Tensor, length: Tensor) -> Tensor:
    """Images moved along a way until, clipped to [0, 1], they are a length off."""
    first = x.flatten(1)
    room = torch.where(way > 0, 1 - first, first)
    stop, order = (room / way.abs()).sort(1)
    used = torch.nn.functional.pad(room.square().gather(1, order).cumsum(1), (1, 0))
    going = torch.nn.functional.pad(way.square().gather(1, order).flip(1).cumsum(1).flip(1), (0, 1))
    wanted = length.square()[:, None]
    passed = (used[:, 1:] + stop.square() * going[:, 1:] <= wanted).sum(1, keepdim=True)
    rest = going.gather(1, passed)
    scale = ((wanted - used.gather(1, passed)).clamp(min=0) / rest.clamp(min=1e-30)).sqrt()
    scale = torch.where(rest > 0, torch.minimum(scale, stop[:, -1:]), stop[:, -1:])
    return (first + scale * way).clamp(0, 1).reshape(x.shape)


def l2_noise(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    dice = seeded(counts)

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        return cross_entropy(model(reached(x, directions(x, dice), x.new_ones(len(x)))), y)

    return loss


def esp(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    eps, tau, gamma, dice = 1.0, 1.0, 10.0, seeded(counts)
    low, high = torch.special.ndtr(torch.tensor([-2.0, 2.0], dtype=torch.float64, device=counts.device))

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        way = directions(x, dice)
        share = torch.rand(len(x), generator=dice, dtype=torch.float64, device=x.device)
        length = eps + tau / 2 * torch.special.ndtri(low + share * (high - low))
        length = length.clamp(eps - tau, eps + tau).to(x.dtype)
        others = len(counts) - 1
        doubt = 1 - (1 + others / gamma) ** -((length - eps).relu() / tau)
        q = one_hot(y, len(counts)).to(x.dtype)
        return cross_entropy(model(reached(x, way, length)), q + doubt[:, None] * ((1 - q) / others - q))

    return loss


def moved(model: nn.Module, weights: Mapping[str, Tensor], steps: Values, x: Tensor, y: Tensor) -> Tensor:
    """The loss at other weights, whose gradient is taken for that at the model's own."""
    there = {name: weight + steps[name].detach() for name, weight in weights.items()}
    return cross_entropy(functional_call(model, there, (x,)), y)


def slopes(model: nn.Module, weights: Mapping[str, Tensor], x: Tensor, y: Tensor) -> Values:
    found = torch.autograd.grad(cross_entropy(model(x), y), list(weights.values()))
    return dict(zip(weights, found, strict=True))


def asam(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    weights = dict(model.named_parameters())

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        found = slopes(model, weights, x, y)
        with torch.no_grad():
            sizes = {
                name: torch.ones_like(weight) if name.endswith("bias") else weight.abs()
                for name, weight in weights.items()
            }
            steps = {name: sizes[name] * slope for name, slope in found.items()}
            length = torch.stack([step.norm() for step in steps.values()]).norm()
            steps = {name: sizes[name] * step / length for name, step in steps.items()}
        with norms(model, "track_running_stats"):
            return moved(model, weights, steps, x, y)

    return loss


def awp(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    eps, gamma, dice = 8 / 255, 0.005, seeded(counts)
    weights = dict(model.named_parameters())

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        near = x + attack(model, x, y, start(x, eps, dice), eps, 10, 2 / 255)
        found = slopes(model, weights, near, y)
        with torch.no_grad():
            steps = {
                name: gamma * weights[name].norm() * slope / slope.norm().clamp(min=1e-30)
                for name, slope in found.items()
            }
        with norms(model, "track_running_stats"):
            return moved(model, weights, steps, near, y)

    return loss


def dropconnect(model: nn.Module, samples: int, counts: Tensor) -> Loss:
    share, dice, weights = 0.9, seeded(counts), dict(model.named_parameters())

    def loss(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        with torch.no_grad():
            kept = {
                name: torch.rand(weight.shape, generator=dice, device=weight.device) < share
                for name, weight in weights.items()
            }
            steps = {name: (kept[name] / share - 1) * weight for name, weight in weights.items()}
        return moved(model, weights, steps, x, y)

    return loss


ON_THE_WAY: dict[str, Maker] = {
    "fgsm": fgsm,
    "fgsm_random_start": fgsm_random_start,
    "free_at": following(False, torch.ones_like),
    "uat": following(True, lambda losses: (losses < 9).to(losses.dtype)),
    "mixed_adversarial": mixed_adversarial,
    "mixup": mixup,
    'manifold_mixup(layers: "[03]")': manifold_mixup,
    "cutmix": cutmix,
    "l2_noise": l2_noise,
    "esp": esp,
    "asam": asam,
    "awp": awp,
    "dropconnect": dropconnect,
}
