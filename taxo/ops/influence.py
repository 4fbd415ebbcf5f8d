"""What training on a sample does to the risk on others: curvature of the loss, and a sample's influence."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from taxo.ops.backward import slopes_along
from taxo.ops.inverse import Products


def hessian(losses: Tensor, weights: Sequence[Tensor]) -> Products:
    """Products with the second derivatives of the mean of some losses; the graph of one pass serves all."""
    first = torch.autograd.grad(losses.mean(), weights, create_graph=True, materialize_grads=True)
    return lambda parts: slopes_along(first, weights, parts)


def gauss_newton(u: Tensor, losses: Tensor, weights: Sequence[Tensor]) -> Products:
    """Products with Jᵀ H J: the second derivatives of the losses in the logits, seen from the weights.

    It is the Hessian without the curvature of the model itself, and has no negative eigenvalue where the loss
    is convex in the logits.
    """
    back = torch.zeros_like(u).requires_grad_()  # what is linear in it is differentiated, so any will do
    through = torch.autograd.grad(u, weights, back, create_graph=True, materialize_grads=True)
    (first,) = torch.autograd.grad(losses.mean(), u, create_graph=True)

    def products(parts: list[Tensor]) -> list[Tensor]:
        (outward,) = slopes_along(through, [back], parts)
        (bent,) = slopes_along([first], [u], [outward])
        return slopes_along([u], weights, [bent])

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
    found = slopes_along(slopes, [each] if x is None else [each, x], along, keep=False)
    return found[0], found[-1]
