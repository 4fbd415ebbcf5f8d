"""What the tests of this folder share: every shipped method on a small model, one step with its gradients."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import taxo
from taxo.runtime.step import Step
from tests.covering import covering
from tests.fidelity.nets import METHODS, batch, descend, made, weights

SPECS = (*covering(METHODS), "mixpert(eps: 8/255, clean_share: 40%)", "damp(parts: 2)")
each_spec = pytest.mark.parametrize("spec", SPECS)


def compiled(spec: str | taxo.Method, model: Any, **given: Any) -> Step:
    """The step of a method, given all that a method may ask for."""
    return made(spec, model, **given)


def trained(step: Step, steps: int = 2, rows: int = 8, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    """The losses and gradients of a few steps of plain gradient descent, and the weights after them."""
    found: list[Tensor] = []
    for seed in range(steps):
        loss = step(*batch(rows, seed=seed, dtype=dtype))
        slopes = torch.autograd.grad(loss, weights(step.model))
        descend(step.model, slopes)
        found += [loss.detach(), *slopes]
    return [*found, *(weight.detach().clone() for weight in weights(step.model))]


def statistics(model: nn.Module) -> list[Tensor]:
    """The running statistics of a model's norms."""
    return [buffer.clone() for buffer in model.buffers()]


def hooks_of(model: nn.Module) -> int:
    """How many hooks of any kind hang on a model's modules."""
    kinds = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return sum(len(getattr(module, kind)) for module in model.modules() for kind in kinds)
