"""Backward passes of what may depend on nothing: a gradient is then zero, and no error."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def slopes_of(value: Tensor, of: Sequence[Tensor], live: bool = False) -> list[Tensor]:
    """The gradient of a value; of one that nothing moves, zero. What it is made of stays for others."""
    if not value.requires_grad:
        return [torch.zeros_like(part) for part in of]
    found = torch.autograd.grad(value, of, create_graph=live, retain_graph=True, materialize_grads=True)
    return list(found)


def slopes_along(
    values: Sequence[Tensor], of: Sequence[Tensor], way: Sequence[Tensor], keep: bool = True
) -> list[Tensor]:
    """The gradient of the inner product of values and a way, part by part; the graph may stay for others."""
    live = [(value, part) for value, part in zip(values, way, strict=True) if value.requires_grad]
    if not live:
        return [torch.zeros_like(one) for one in of]
    outputs, seeds = zip(*live, strict=True)
    return list(torch.autograd.grad(outputs, of, seeds, retain_graph=keep, materialize_grads=True))
