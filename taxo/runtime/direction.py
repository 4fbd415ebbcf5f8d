"""Which way a perturbation moves the loss, measured: the step with it and without it, on the same draws."""

from __future__ import annotations

from collections.abc import Collection
from copy import deepcopy

from torch import Tensor

from taxo.ops.norms import norm_per_sample
from taxo.runtime.step import Step

NOTHING = 1e-6  # of the loss: what rounding alone may move


def risen_share(
    step: Step, x: Tensor, y: Tensor, index: Tensor | None, name: str, apart: Collection[str] = ()
) -> float:
    """The share of the samples that a perturbation moved whose loss it raised; NaN where it moved none.

    The perturbations `apart` are left out of both losses. The step is left as it was.
    """
    before, kept = deepcopy(step.state_dict()), (step.losses, step.deltas)
    try:
        with_it, delta = _losses(step, x, y, index, apart), step.deltas.get(name)
        step.load_state_dict(before)
        without = _losses(step, x, y, index, {name, *apart})
    finally:
        step.load_state_dict(before)
        step.losses, step.deltas = kept
    change = with_it - without
    counted = change.abs() > NOTHING * without.abs().clamp(min=1)
    if isinstance(delta, Tensor):
        counted = counted & (norm_per_sample(delta) > 0)
    return float(((change > 0) & counted).sum().double() / counted.sum())


def _losses(step: Step, x: Tensor, y: Tensor, index: Tensor | None, muted: Collection[str]) -> Tensor:
    """The losses of a batch, some perturbations left out."""
    before = step.muted
    step.muted = {*before, *muted}
    try:
        step(x, y, index)
    finally:
        step.muted = before
    return step.losses.double()
