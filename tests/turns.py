"""A run in which no step is like the last: each has another rate, and an epoch ends with a smaller batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

import taxo
from taxo.laws.subject import LR, Subject
from taxo.runtime.step import Step

EVERY = ("corruption_training", "manifold_mixup")  # the host does something anew in every step
REPLAYED = [spec for spec in taxo.methods() if spec not in EVERY]
EPOCHS, BATCHES = 2, 6


def turns(
    step: Step, subject: Subject, sent: Callable[[Any], Any]
) -> Iterator[tuple[torch.optim.SGD, tuple[Any, Tensor, Tensor], bool]]:
    """The optimizer and the batch of each step, sent to where the step is, and whether it ends an epoch."""
    optimizer = torch.optim.SGD(step.parameter_groups(LR), lr=LR, momentum=0.9)
    step.attach(optimizer)
    for epoch in step.epochs(EPOCHS):
        for number in range(BATCHES):
            optimizer.param_groups[0]["lr"] = LR / (1 + epoch + number / BATCHES)
            x, y, index, *_ = subject.batch(10 * epoch + number)
            last = number == BATCHES - 1
            rows = slice(12) if last else slice(None)
            x = x[rows] if isinstance(x, Tensor) else [view[rows] for view in x]
            yield optimizer, (sent(x), sent(y[rows]), sent(index[rows])), last
