"""Which way a perturbation moves the loss, measured: the step with it and without it, on the same draws."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from copy import deepcopy
from dataclasses import dataclass

from torch import Tensor

from taxo.ops.norms import norm_per_sample
from taxo.runtime.meters import Delta
from taxo.runtime.step import Inputs, Step

NOTHING = 1e-6  # of the loss: what rounding alone may move


@dataclass(frozen=True, slots=True)
class Movement:
    """What a perturbation did to the losses: the share it raised of those it moved, and the mean change.

    The share is NaN where it moved none; `error` is the standard error of the mean.
    """

    risen: float
    mean: float
    error: float


def movement(
    step: Step, x: Inputs, y: Tensor, index: Tensor | None, name: str, apart: Collection[str] = ()
) -> Movement:
    """What a perturbation does to the losses of a batch, beside all others but those `apart`.

    The step is left as it was.
    """
    with_it, without = replayed(step, x, y, index, [tuple(apart), (name, *apart)])
    return compared(with_it.losses, without.losses, with_it.deltas.get(name))


@dataclass(frozen=True, slots=True, eq=False)
class Replay:
    """The losses of a batch, prices left out, and the perturbations that acted on it."""

    losses: Tensor
    deltas: dict[str, Delta]


def replayed(
    step: Step, x: Inputs, y: Tensor, index: Tensor | None, muted: Sequence[Collection[str]]
) -> list[Replay]:
    """The step on one batch and the same draws, once for each set of perturbations to leave out.

    The step is left as it was.
    """
    before, kept = deepcopy(step.state_dict()), (step.losses, step.deltas)
    found: list[Replay] = []
    try:
        for names in muted:
            losses = _losses(step, x, y, index, names)
            found.append(Replay(losses, step.deltas))
            step.load_state_dict(before)
    finally:
        step.load_state_dict(before)
        step.losses, step.deltas = kept
    return found


def compared(with_it: Tensor, without: Tensor, delta: Delta | None) -> Movement:
    """What a perturbation did to losses, of those samples that it moved."""
    change = with_it - without
    counted = change.abs() > NOTHING * without.abs().clamp(min=1)
    if isinstance(delta, Tensor) and len(delta) == len(change):  # what is carried on may be of another batch
        counted = counted & (norm_per_sample(delta) > 0)
    risen = float(((change > 0) & counted).sum().double() / counted.sum())
    error = float(change.std(correction=0)) / len(change) ** 0.5
    return Movement(risen, float(change.mean()), error)


def _losses(step: Step, x: Inputs, y: Tensor, index: Tensor | None, muted: Collection[str]) -> Tensor:
    """The losses of a batch, some perturbations left out, and the prices of all."""
    before = step.muted
    step.muted, step.priced = {*before, *muted}, False
    try:
        step(x, y, index)
    finally:
        step.muted, step.priced = before, True
    return step.losses.double()
