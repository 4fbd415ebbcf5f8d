"""The implicit gradient: how a held-out loss depends on what settled weights were trained with."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from taxo.ops.backward import slopes_along, slopes_of
from taxo.ops.inverse import Solution
from taxo.ops.lookahead import Losses, Slopes, Unknown, Weights, finite, parts_of, shaped
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
        return averaged_all(slopes_along(slopes, now, way))

    solved = hessian(products, side, **options).parts
    through = slopes_along(slopes, parts, solved)
    return shaped(unknowns, finite([one - other for one, other in zip(own, through, strict=True)]))
