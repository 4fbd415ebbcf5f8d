"""How flat the loss is around the weights: the radius at which it has risen, in random directions.

A filter of a direction has the length of the model's own filter (Li et al. 2018), so that weights which
only differ in scale are equally flat. The mean radius over directions is a Monte Carlo estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional

from taxo.ops.forms import per_sample
from taxo.ops.norms import norm_per_sample
from taxo.training.subject import Subject

MOST_SAMPLES = 2_000
FIRST, LAST = 2.0**-10, 2.0**6  # of the filters' own lengths: what is nearer is sharp, what is farther flat
HALVINGS = 8


def radii(subject: Subject, directions: int, rise: float) -> list[float]:
    """In each of some random directions, how far the training loss is from having risen by so much."""
    train, dice = subject.data.train, subject.dice("flatness")
    x, y = train.inputs[:MOST_SAMPLES], train.y[:MOST_SAMPLES]
    weights = [weight for weight in subject.step.model.parameters() if weight.requires_grad]

    def loss() -> float:
        return float(functional.cross_entropy(subject.logits_of(x).double(), y))

    limit = loss() + rise
    return [_radius(weights, direction(weights, dice), loss, limit) for _ in range(directions)]


def direction(weights: Sequence[Tensor], generator: Generator) -> list[Tensor]:
    """A random direction, each filter as long as the weights' own; none along biases and scales."""
    return [_filters(weight.detach(), generator) for weight in weights]


def _filters(weight: Tensor, generator: Generator) -> Tensor:
    if weight.dim() < 2:
        return torch.zeros_like(weight)
    drawn = torch.randn(weight.shape, generator=generator, device=weight.device, dtype=weight.dtype)
    own, random = (norm_per_sample(part) for part in (weight, drawn))
    return drawn * per_sample(own / random, drawn)


@torch.no_grad()
def _radius(
    weights: Sequence[Tensor], along: Sequence[Tensor], loss: Callable[[], float], limit: float
) -> float:
    """Where along a direction the loss passes a limit: doubled until it does, then halved in between."""
    start = [weight.clone() for weight in weights]

    def beyond(radius: float) -> bool:
        for weight, own, step in zip(weights, start, along, strict=True):
            weight.copy_(own + radius * step)
        return not loss() <= limit

    try:
        high = FIRST
        while high < LAST and not beyond(high):
            high *= 2
        low = high / 2
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if beyond(middle) else (middle, high)
        return (low + high) / 2
    finally:
        for weight, own in zip(weights, start, strict=True):
            weight.copy_(own)
