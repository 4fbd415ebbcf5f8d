"""The hooks at the ends of a pass: notes of values, and perturbations around the objective."""

from __future__ import annotations

from collections.abc import Generator, Sequence

import torch
from torch import Tensor, nn

from taxo.ops.forms import distribution
from taxo.runtime.checks import check_width
from taxo.runtime.hooks import Change, Hook, Pair, Triple
from taxo.runtime.line import Line


def noting(line: Line, name: str) -> Change:
    """A change that changes nothing, and notes the value."""

    def note(value: Tensor) -> Tensor:
        if name == "x":
            line.x = value
            return value
        if name == "raw":
            check_width(value, len(line.x), line.stage.outputs)
        line.seen[name] = value
        return value

    return note


def objective_hooks(
    line: Line,
    objective: nn.Module,
    predictions: Sequence[Triple],
    labels: Sequence[Pair],
    loss: Sequence[Triple],
) -> Generator[Hook]:
    """The hooks of an objective: what changes the predicted and the given labels, and the losses."""

    def enter(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        u, y = inputs
        y = distribution(y, u.shape[-1], u)
        for change in predictions:
            u = change(u.softmax(-1), y, u).clamp_min(torch.finfo(u.dtype).tiny).log()
        for change in labels:
            y = change(y, u)
        line.seen["y"] = y
        return (u, y)

    def leave(inputs: tuple[Tensor, ...], losses: object) -> object:
        assert isinstance(losses, Tensor)
        line.seen["base"] = losses
        u, y = inputs
        for change in loss:
            losses = change(losses, u, y)
        return losses

    if predictions or labels or loss:
        yield Hook(objective, enter if predictions or labels else None, leave if loss else None)
