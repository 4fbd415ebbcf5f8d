"""What training on a sample does to the risk on others: curvature of the loss, and a sample's influence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from taxo.ops.inverse import Products


def slopes_of(value: Tensor, weights: Sequence[Tensor]) -> list[Tensor]:
    """The gradient of one number; of one that nothing moves, zero."""
    if not value.requires_grad:
        return [torch.zeros_like(weight) for weight in weights]
    return list(torch.autograd.grad(value, weights, materialize_grads=True))


def hessian(losses: Tensor, weights: Sequence[Tensor]) -> Products:
    """Products with the second derivatives of the mean of some losses; the graph of one pass serves all."""
    first = torch.autograd.grad(losses.mean(), weights, create_graph=True, materialize_grads=True)
    return lambda parts: _back(first, weights, parts)


def gauss_newton(u: Tensor, losses: Tensor, weights: Sequence[Tensor]) -> Products:
    """Products with Jᵀ H J: the second derivatives of the losses in the logits, seen from the weights.

    It is the Hessian without the curvature of the model itself, and has no negative eigenvalue where the loss
    is convex in the logits.
    """
    back = torch.zeros_like(u).requires_grad_()  # what is linear in it is differentiated, so any will do
    through = torch.autograd.grad(u, weights, back, create_graph=True, materialize_grads=True)
    (first,) = torch.autograd.grad(losses.mean(), u, create_graph=True)

    def products(parts: list[Tensor]) -> list[Tensor]:
        (outward,) = _back(through, [back], parts)
        (bent,) = _back([first], [u], [outward])
        return _back([u], weights, [bent])

    return products


def influences(
    losses: Tensor, weights: Sequence[Tensor], along: Sequence[Tensor], x: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """⟨along, the slope of each sample's loss in the weights⟩, and how it changes with the inputs `x`.

    A backward that is weighted by one number per sample is differentiated in these numbers and in the inputs,
    so that nothing is as large as a gradient of the weights for each sample.
    """
    each = torch.ones_like(losses).requires_grad_()
    slopes = torch.autograd.grad(losses, weights, each, create_graph=True, materialize_grads=True)
    total = torch.stack([(slope * part).sum() for slope, part in zip(slopes, along, strict=True)]).sum()
    inputs = [each] if x is None else [each, x]
    found = torch.autograd.grad(total, inputs, materialize_grads=True)
    return found[0], found[-1]


def _back(of: Sequence[Tensor], to: Sequence[Tensor], given: Sequence[Tensor]) -> list[Tensor]:
    """A backward that leaves its graph; of what does not depend on anything, zero."""
    live = [(value, part) for value, part in zip(of, given, strict=True) if value.requires_grad]
    if not live:
        return [torch.zeros_like(one) for one in to]
    values, parts = zip(*live, strict=True)
    return list(torch.autograd.grad(values, to, parts, retain_graph=True, materialize_grads=True))
