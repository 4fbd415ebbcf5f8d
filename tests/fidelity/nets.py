"""Small models and batches that the tests of fidelity, laws, runtime and compiler share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

import taxo
from taxo.catalog import whole
from taxo.language.objectives import objective_of
from taxo.laws.subject import given_for, views
from taxo.laws.toys import MLP
from taxo.runtime.step import Step

torch.set_num_threads(1)  # the nets are too small to gain from more, and the machine is shared

CLASSES = 5
SAMPLES = 40
COUNTS = (16, 10, 8, 4, 2)
SIDE = 6
LR = 0.1

# The parts of these nets are not called layers; this is one of each.
NAMED = {"manifold_mixup": 'manifold_mixup(layers: "*[1t]")'}


def conv(classes: int = CLASSES, seed: int = 0) -> nn.Module:
    """A convolutional net with batch norm, for images of one channel."""
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1, bias=False),
        nn.BatchNorm2d(3),
        nn.ReLU(),
        nn.Conv2d(3, 4, 3, stride=2),
        nn.BatchNorm2d(4),
        nn.Tanh(),
        nn.Flatten(),
        nn.Linear(16, classes),
    )


def mlp(classes: int = CLASSES, seed: int = 0) -> nn.Module:
    """A net of two layers without batch norm, for the same images."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(SIDE**2, 7), nn.Tanh(), nn.Linear(7, classes))


def _trains_on_images(name: str) -> bool:
    """Whether a method takes one view of each image, and its class."""
    method = whole(taxo.load(name))
    asked = {call.name.text for call in method.needs}
    return views(method) == 1 and objective_of(method).compares and not asked & {"outputs", "teacher"}


METHODS = tuple(NAMED.get(name, name) for name in taxo.methods() if _trains_on_images(name))


def made(spec: str | taxo.Method, model: Any, **given: Any) -> Step:
    """The step of a method, given all that it asks for."""
    method = taxo.load(spec) if isinstance(spec, str) else spec
    asked: dict[str, Any] = given_for(method, MLP)
    if "teacher" in asked:
        asked["teacher"] = mlp(seed=9).to(next(model.parameters()).dtype)
    usual: dict[str, Any] = {"classes": CLASSES, "samples": SAMPLES, "class_counts": COUNTS, "seed": 3}
    step = taxo.compile(method, model, **(asked | usual | given))
    if weights(model):
        step.attach(torch.optim.SGD(weights(model), lr=LR))
    return step


NETS = {"conv": conv, "mlp": mlp}


def batch(
    rows: int = 8, classes: int = CLASSES, seed: int = 1, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor]:
    """Images in [0, 1], labels and places in a data set of `SAMPLES`."""
    dice = torch.Generator().manual_seed(seed)
    x = torch.rand(rows, 1, SIDE, SIDE, generator=dice, dtype=dtype)
    y = torch.randint(classes, (rows,), generator=dice)
    return x, y, torch.randperm(SAMPLES, generator=dice)[:rows]


def weights(model: nn.Module) -> list[Tensor]:
    """The trainable parameters."""
    return [weight for weight in model.parameters() if weight.requires_grad]


def close(found: Tensor | Sequence[Tensor], expected: Tensor | Sequence[Tensor], atol: float = 1e-8) -> None:
    """Equal within a small absolute error, whatever the size of the numbers."""
    torch.testing.assert_close(found, expected, atol=atol, rtol=0.0)


def beside(
    model: nn.Module,
    twin: nn.Module,
    found: tuple[Tensor, Sequence[Tensor]],
    expected: tuple[Tensor, Sequence[Tensor]],
) -> None:
    """The loss and the gradients of a step are those of its reference; both models go on by their own."""
    loss, slopes = found
    close(loss.detach(), expected[0])
    for slope, other in zip(slopes, expected[1], strict=True):
        close(slope, other)
    descend(model, slopes)
    descend(twin, expected[1])


def same_values(model: nn.Module, twin: nn.Module) -> None:
    """The weights and the statistics of two models are the same."""
    for name, value in model.state_dict().items():
        if "num_batches" not in name:
            close(value, twin.state_dict()[name])


@torch.no_grad()
def descend(model: nn.Module, slopes: Sequence[Tensor], lr: float = LR) -> None:
    """One plain gradient step."""
    for weight, slope in zip(weights(model), slopes, strict=True):
        weight -= lr * slope


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Batch statistics that leave the running ones where they are, as in the usual SAM code: momentum 0."""
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
    yield
    for norm, momentum in zip(norms, before, strict=True):
        norm.momentum = momentum


class Wrapped(nn.Module):
    """A model whose logits are inside something."""

    def __init__(self, inner: nn.Module, wrap: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.inner = inner
        self.wrap = wrap

    def forward(self, x: Tensor) -> object:
        return self.wrap(self.inner(x))
