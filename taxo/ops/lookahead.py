"""Looking ahead: how a held-out loss depends on what a few virtual steps of the weights are made with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from taxo.ops.backward import slopes_along, slopes_of
from taxo.ops.networks import Leaf
from taxo.ops.norms import norm_of_all
from taxo.ops.ranks import averaged_all

Weights = dict[str, Tensor]
Losses = Callable[[Weights], Tensor]
Unknown = Tensor | Leaf
Slopes = Tensor | dict[str, Tensor]
REACH = 0.01  # how long the way is to either side at which differences are taken


def lookahead(
    trained: Losses,
    held: Losses,
    weights: Weights,
    unknowns: Mapping[str, Unknown],
    lr: float | Tensor,
    steps: float = 1,
    order: str = "second",
) -> dict[str, Slopes]:
    """The slope of a held-out loss in each unknown, through plain gradient steps down the training loss.

    `trained` and `held` are the losses at some weights. Of the `first` order no derivative is differentiated:
    what that would give is taken from the slopes a little to both sides of the weights.
    """
    parts = [part for one in unknowns.values() for part in parts_of(one)]
    through = _by_derivatives if order == "second" else _by_differences
    return shaped(unknowns, finite(through(trained, held, weights, parts, lr, int(steps))))


def shaped(unknowns: Mapping[str, Unknown], slopes: Sequence[Tensor]) -> dict[str, Slopes]:
    """The slopes of all parts as those of each unknown."""
    found = iter(slopes)
    return {
        name: next(found) if isinstance(one, Tensor) else {key: next(found) for key in one.weights}
        for name, one in unknowns.items()
    }


def _by_derivatives(
    trained: Losses, held: Losses, weights: Weights, parts: list[Tensor], lr: float | Tensor, steps: int
) -> list[Tensor]:
    now = weights
    for _ in range(steps):
        slopes = averaged_all(slopes_of(trained(now).mean(), [*now.values()], live=True))
        now = _moved(now, slopes, lr)
    # the held-out passes are over, and forgotten, before the virtual steps are traced back
    last = _leaves(now)
    found = slopes_of(held(last).mean(), [*last.values(), *parts])
    way, own = found[: len(last)], found[len(last) :]
    return [old + new for old, new in zip(own, slopes_along([*now.values()], parts, way), strict=True)]


def _by_differences(
    trained: Losses, held: Losses, weights: Weights, parts: list[Tensor], lr: float | Tensor, steps: int
) -> list[Tensor]:
    path = [weights]
    for _ in range(steps):
        slopes = averaged_all(slopes_of(trained(path[-1]).mean(), [*path[-1].values()]))
        path.append(_leaves(_moved(path[-1], slopes, lr)))
    last = path.pop()
    found = slopes_of(held(last).mean(), [*last.values(), *parts])
    way, own = averaged_all(found[: len(last)]), found[len(last) :]
    while path:
        at = path.pop()
        wanted = len(at) if path else 0  # behind the first step nobody asks for the weights' slopes
        change = _change(trained, at, way, parts, bool(path))
        way = [old - lr * new for old, new in zip(way, averaged_all(change[:wanted]), strict=False)]
        own = [old - lr * new for old, new in zip(own, change[wanted:], strict=True)]
    return own


def _change(
    trained: Losses, at: Weights, way: Sequence[Tensor], parts: list[Tensor], in_weights: bool
) -> list[Tensor]:
    """How the slopes of the training loss, in the weights and in the unknowns, change along a way."""
    length = norm_of_all([part.float() for part in way]).clamp(min=torch.finfo(torch.float32).tiny)
    reach = REACH / length
    sides: list[list[Tensor]] = []
    for sign in (1, -1):
        there = _moved(at, way, -sign * reach)
        there = _leaves(there) if in_weights else {name: one.detach() for name, one in there.items()}
        wanted = [*(there.values() if in_weights else ()), *parts]
        sides.append(slopes_of(trained(there).mean(), wanted))
    return [(up - down) / (2 * reach).to(up.dtype) for up, down in zip(*sides, strict=True)]


def _moved(weights: Weights, slopes: Sequence[Tensor], lr: float | Tensor) -> Weights:
    return {
        name: (weight - lr * slope).to(weight.dtype)
        for (name, weight), slope in zip(weights.items(), slopes, strict=True)
    }


def _leaves(weights: Weights) -> Weights:
    return {name: weight.detach().requires_grad_() for name, weight in weights.items()}


def parts_of(unknown: Unknown) -> list[Tensor]:
    """The tensors that an unknown is made of."""
    return [unknown] if isinstance(unknown, Tensor) else list(unknown.weights.values())


def finite(slopes: list[Tensor]) -> list[Tensor]:
    """The slopes, all of them zero where one is not finite."""
    sound = torch.stack([slope.isfinite().all() for slope in slopes]).all()
    return [torch.where(sound, slope, 0.0) for slope in slopes]
