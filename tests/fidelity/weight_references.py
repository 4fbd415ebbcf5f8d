"""The methods on weights and on the last features, written from their papers in plain torch, in place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.fidelity.loss_references import image
from tests.fidelity.nets import untouched
from tests.fidelity.references import Result, attacked, dice, differentiated
from tests.fidelity.runs import Given, Inputs, LongReference


@contextmanager
def moved(model: nn.Module, values: Mapping[str, Tensor]) -> Iterator[None]:
    """The model with other weights for a while."""
    kept = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(values.get(name, weight))
    yield
    with torch.no_grad():
        for name, weight in model.named_parameters():
            weight.copy_(kept[name])


def slopes_of(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, Tensor]:
    """The gradient of the mean cross entropy, by name."""
    _, slopes = differentiated(functional.cross_entropy(model(x), y), model)
    return {name: slope for (name, _), slope in zip(model.named_parameters(), slopes, strict=True)}


def at(model: nn.Module, values: Mapping[str, Tensor], x: Tensor, y: Tensor) -> Result:
    """Loss and gradient at other weights, the gradient as it is."""
    with moved(model, values):
        return differentiated(functional.cross_entropy(model(x), y), model)


def asam(rho: float, eta: float) -> LongReference:
    """Kwon et al. 2021, Algorithm 1: epsilon = rho T^2 g / |T g| with T = |w| + eta, and T = 1 for biases."""

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        slopes = slopes_of(model, image(x), y)
        size = {
            name: torch.ones_like(weight) if name.endswith("bias") else weight.detach().abs() + eta
            for name, weight in model.named_parameters()
        }
        length = sum(float(((size[name] * slope) ** 2).sum()) for name, slope in slopes.items()) ** 0.5
        climbed = {
            name: weight.detach() + rho * size[name] ** 2 * slopes[name] / length
            for name, weight in model.named_parameters()
        }
        with untouched(model):
            return at(model, climbed, image(x), y)

    return reference


def noisy(noise: str, amount: float, parts: int = 1, sites: str = "*") -> LongReference:
    """Trinh et al. 2024: gradients at random weights, averaged over parts of the batch.

    `additive` noise is w + sigma xi; `dropped` weights are w m / (1 - p), m one with probability 1 - p.
    """
    generator = dice()

    def drawn(weight: Tensor) -> Tensor:
        if noise == "additive":
            return weight + amount * torch.empty_like(weight).normal_(generator=generator)
        kept = torch.empty_like(weight).uniform_(generator=generator) < 1 - amount
        return weight * kept / (1 - amount)

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        losses: list[Tensor] = []
        totals = [torch.zeros_like(weight) for weight in model.parameters()]
        for part, labels in zip(image(x).chunk(parts), y.chunk(parts), strict=True):
            values = {name: drawn(weight.detach()) for name, weight in model.named_parameters()}
            fitting = {name: value for name, value in values.items() if fnmatchcase(name, sites)}
            loss, slopes = at(model, fitting, part, labels)
            losses.append(loss)
            totals = [total + slope / parts for total, slope in zip(totals, slopes, strict=True)]
        return torch.stack(losses).mean(), tuple(totals)

    return reference


def dropout(p: float) -> LongReference:
    """Srivastava et al. 2014, inverted: z m / (1 - p) before the last layer, m Bernoulli with 1 - p."""
    generator = dice()

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        assert isinstance(model, nn.Sequential)
        z = model[:-1](x)
        kept = torch.empty_like(z).uniform_(generator=generator) < 1 - p
        return differentiated(functional.cross_entropy(model[-1](z * kept / (1 - p)), y), model)

    return reference


def awp(
    eps: float = 8 / 255, gamma: float = 0.005, steps: int = 10, step: float = 2 / 255, sites: str = "*"
) -> LongReference:
    """Wu et al. 2020, Eq. 10: at adversarial images every tensor moves by gamma |w| g / |g|."""
    noise = dice()

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        start = torch.empty_like(image(x)).uniform_(-eps, eps, generator=noise) if eps else 0 * image(x)
        worse = attacked(model, image(x), y, eps, steps, step, start)
        slopes = slopes_of(model, worse, y)
        climbed = {
            name: weight.detach() + gamma * weight.detach().norm() * slopes[name] / slopes[name].norm()
            for name, weight in model.named_parameters()
            if fnmatchcase(name, sites)
        }
        with untouched(model):
            return at(model, climbed, worse, y)

    return reference


def class_center(share: float) -> LongReference:
    """Y&W Section 4.2.1: from the second epoch on z moves a share of the way to its class's mean.

    The mean is that of the last epoch's features as the last layer had them; a class that an epoch does not
    show keeps the one it has.
    """
    means: dict[int, Tensor] = {}
    seen: dict[int, list[Tensor]] = {}
    epochs = [0]

    def reference(model: nn.Module, x: Inputs, y: Tensor, index: Tensor, given: Given) -> Result:
        assert isinstance(model, nn.Sequential)
        if given.epoch > epochs[0]:
            means.update({label: torch.stack(rows).mean(0) for label, rows in seen.items()})
            seen.clear()
            epochs[0] = given.epoch
        z = model[:-1](x)
        if given.epoch >= 1:
            centres = torch.stack([means.get(label, torch.zeros_like(z[0])) for label in y.tolist()])
            z = z + share * (centres - z)
        for row, label in zip(z.detach(), y.tolist(), strict=True):
            seen.setdefault(label, []).append(row)
        return differentiated(functional.cross_entropy(model[-1](z), y), model)

    return reference
