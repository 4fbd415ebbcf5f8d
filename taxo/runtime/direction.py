"""Which way a perturbation moves the loss, measured: the step with it and without it, on the same draws."""

from __future__ import annotations

from copy import deepcopy

import torch
from torch import Tensor

from taxo.ops.norms import norm_per_sample
from taxo.runtime.step import Step

NOTHING = 1e-6  # of the loss: what rounding alone may move


@torch.no_grad()
def risen_share(step: Step, x: Tensor, y: Tensor, index: Tensor | None, name: str) -> float:
    """The share of the samples that a perturbation moved whose loss it raised; NaN where it moved none.

    What is found below a perturbation is found anew without it. The step is left as it was.
    """
    with_it, without, delta = _losses(step, x, y, index, name)
    change = with_it - without
    counted = change.abs() > NOTHING * without.abs().clamp(min=1)
    if isinstance(delta, Tensor):
        counted = counted & (norm_per_sample(delta) > 0)
    return float(((change > 0) & counted).sum() / counted.sum())


def _losses(
    step: Step, x: Tensor, y: Tensor, index: Tensor | None, name: str
) -> tuple[Tensor, Tensor, Tensor | dict[str, Tensor] | None]:
    """The losses with a perturbation and without it, and the perturbation."""
    before, kept = deepcopy(step.state_dict()), (step.losses, step.deltas)
    try:
        step(x, y, index)
        with_it, delta = step.losses.double(), step.deltas.get(name)
        step.load_state_dict(before)
        step.muted.add(name)
        step(x, y, index)
        return with_it, step.losses.double(), delta
    finally:
        step.muted.discard(name)
        step.load_state_dict(before)
        step.losses, step.deltas = kept
