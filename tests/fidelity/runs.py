"""A compiled step beside a reference over epochs, where a method may ask for views, outputs or a teacher."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

import taxo
from taxo.laws.subject import outputs, views
from taxo.runtime.step import Step
from tests.fidelity.nets import CLASSES, LR, NETS, SAMPLES, batch, beside, mlp, same_values, weights
from tests.fidelity.references import SEED, Result

Inputs = Tensor | tuple[Tensor, ...]


@dataclass
class Given:
    """What a reference is told besides the batch: how far the run is, and who teaches."""

    epoch: int = 0
    epochs: int = 1
    teacher: nn.Module = field(default_factory=lambda: mlp(seed=5).double().eval())


LongReference = Callable[[nn.Module, Inputs, Tensor, Tensor, Given], Result]


def viewed(x: Tensor, count: int) -> Inputs:
    """The images, or several views of them."""
    return x if count == 1 else tuple(x.roll(number, -1) for number in range(count))


def compiled(spec: str, model: nn.Module, given: Given, classes: int = CLASSES) -> Step:
    """The step of a method."""
    taught = any(call.name.text == "teacher" for call in taxo.load(spec).needs)
    more: dict[str, Any] = {"teacher": given.teacher} if taught else {}
    step = taxo.compile(spec, model, classes=classes, samples=SAMPLES, seed=SEED, **more)
    step.attach(torch.optim.SGD(model.parameters(), lr=LR))
    return step


def batches(rows: int = 8, classes: int = CLASSES, epochs: int = 3) -> list[list[tuple[Tensor, ...]]]:
    """Two batches an epoch; samples come again, and not every class is in every batch."""
    return [[batch(rows, classes, seed=5 * epoch + number) for number in range(2)] for epoch in range(epochs)]


def agree(
    spec: str,
    reference: LongReference,
    net: str = "mlp",
    data: Sequence[Sequence[tuple[Tensor, ...]]] = (),
    classes: int = CLASSES,
) -> Step:
    """The compiled step and the reference give the same losses, gradients, weights and statistics."""
    data, method = data or batches(classes=classes), taxo.load(spec)
    model = NETS[net](outputs(method, classes)).double()
    given = Given(0, len(data), mlp(classes, seed=5).double().eval())
    twin, step = deepcopy(model), compiled(spec, model, given, classes)
    for epoch in step.epochs(len(data)):
        given.epoch = epoch
        for x, y, index in data[epoch]:
            inputs = viewed(x, views(method))
            loss = step(inputs, y, index)
            slopes = torch.autograd.grad(loss, weights(model), materialize_grads=True)
            expected = reference(twin, inputs, y, index, given)
            beside(model, twin, (loss, slopes), expected)
    same_values(model, twin)
    return step
