"""How far a run is, for references that depend on it, and the two runs that are compared."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

import taxo
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, COUNTS, LR, SAMPLES, batch, beside, same_values, weights
from tests.fidelity.references import SEED, Reference


@dataclass
class Clock:
    """The number of finished epochs, and of how many."""

    epoch: int = 0
    epochs: int = 1

    @property
    def progress(self) -> float:
        """The finished share of the run."""
        return self.epoch / self.epochs


Timed = Callable[[Clock], Reference]
Batches = Sequence[Sequence[tuple[Tensor, Tensor, Tensor]]]


def prior_of(counts: Sequence[int]) -> Tensor:
    """Each class's share of the data set."""
    return torch.tensor(counts, dtype=torch.float64) / sum(counts)


def unbiased(model: nn.Module) -> nn.Module:
    """The model with a last layer that has a weight alone, as a cosine head has."""
    assert isinstance(model, nn.Sequential)
    model[-1].register_parameter("bias", None)
    return model


def compiled(spec: str, model: nn.Module, counts: Sequence[int] = COUNTS) -> Step:
    """The step of a method that may ask for counts, a prior and the learning rate."""
    needs = [call.name.text for call in taxo.load(spec).needs]
    prior = prior_of(counts) if "prior" in needs else None
    step = taxo.compile(
        spec, model, classes=len(counts), samples=SAMPLES, class_counts=counts, seed=SEED, prior=prior
    )
    step.attach(torch.optim.SGD(model.parameters(), lr=LR))
    return step


def epochs_of(epochs: int, size: int, classes: int = CLASSES) -> Batches:
    """A number of batches for each epoch."""
    seeds = [[10 * epoch + number for number in range(size)] for epoch in range(epochs)]
    return [[batch(8, classes, seed=seed) for seed in row] for row in seeds]


def agree(
    spec: str, timed: Timed, model: nn.Module, batches: Batches, counts: Sequence[int] = COUNTS
) -> Step:
    """The compiled step and the reference give the same losses, gradients, weights and statistics."""
    if any(call.name.text == "cosine_head" for call in taxo.load(spec).needs):
        model = unbiased(model)
    twin, clock = deepcopy(model), Clock(0, len(batches))
    step, reference = compiled(spec, model, counts), timed(clock)
    for epoch in step.epochs(len(batches)):
        clock.epoch = epoch
        for x, y, index in batches[epoch]:
            loss = step(x, y, index)
            slopes = torch.autograd.grad(loss, weights(model))
            expected = reference(twin, x, y, index)
            beside(model, twin, (loss, slopes), expected)
    same_values(model, twin)
    return step
