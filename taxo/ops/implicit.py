"""The implicit gradient: how a held-out loss depends on what settled weights were trained with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from taxo.ops.inverse import Solution
from taxo.ops.lookahead import Losses, Slopes, Unknown, Weights, finite, parts_of, shaped, slopes_of
from taxo.ops.ranks import averaged_all

Solve = Callable[..., Solution]


def implicit(
    trained: Losses,
    held: Losses,
    weights: Weights,
    unknowns: Mapping[str, Unknown],
    hessian: Solve,
    **options: float | Tensor,
) -> dict[str, Slopes]:
    """The slope of a held-out loss in each unknown, where the weights are at a minimum of the training loss.

    There a small change of an unknown λ moves the weights by -H⁻¹ ∂²L/∂w∂λ, with H = ∂²L/∂w². `hessian`
    solves H s = ∇ held by products with H alone, and takes the options.
    """
    now, parts = [*weights.values()], [part for one in unknowns.values() for part in parts_of(one)]
    found = slopes_of(held(weights).mean(), [*now, *parts])
    side, own = averaged_all(found[: len(weights)]), found[len(weights) :]
    slopes = slopes_of(trained(weights).mean(), now, live=True)

    def products(way: list[Tensor]) -> list[Tensor]:
        return averaged_all(_along(slopes, now, way))

    solved = hessian(products, side, **options).parts
    through = _along(slopes, parts, solved)
    return shaped(unknowns, finite([one - other for one, other in zip(own, through, strict=True)]))


def _along(slopes: Sequence[Tensor], of: Sequence[Tensor], way: Sequence[Tensor]) -> list[Tensor]:
    """How slopes change along a way, seen from what they are slopes of: ∂/∂of <slopes, way>."""
    live = [(slope, to) for slope, to in zip(slopes, way, strict=True) if slope.requires_grad]
    if not live:
        return [torch.zeros_like(one) for one in of]
    outputs, seeds = zip(*live, strict=True)
    return list(torch.autograd.grad(outputs, of, seeds, retain_graph=True, materialize_grads=True))
