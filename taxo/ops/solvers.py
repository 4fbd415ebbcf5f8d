"""The solvers: how an unknown is found, given what it should raise or lower and the sets it keeps to.

An unknown is a tensor, or for the weights one tensor per parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor

from taxo.ops.sets import Ball, Region

Unknown = TypeVar("Unknown", Tensor, dict[str, Tensor])


def _parts(value: Tensor | dict[str, Tensor]) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else list(value.values())


def _like(parts: list[Tensor], value: Unknown) -> Unknown:
    if isinstance(value, Tensor):
        return parts[0]
    return dict(zip(value, parts, strict=True))


def slope(value: Tensor, of: Unknown) -> Unknown:
    """The gradient of a value, and nothing added to anybody's `.grad`."""
    gradients = torch.autograd.grad(value, _parts(of), materialize_grads=True)
    return _like(list(gradients), of)


def leaf(value: Unknown) -> Unknown:
    """The value as a leaf that gradients reach."""
    return _like([part.detach().requires_grad_() for part in _parts(value)], value)


def first_guess(kind: str, like: Unknown, within: Sequence[Region], generator: torch.Generator) -> Unknown:
    """The first guess: zero, or a random point of the first set brought into the others."""
    parts = _parts(like)
    if kind == "zero":
        return _like([torch.zeros_like(part) for part in parts], like)
    ball, *others = within
    guess = _ball(ball).uniform(parts, generator)
    return _like(_projected(guess, others), like)


def pgd(
    objective: Callable[[Unknown], Tensor],
    first: Unknown,
    within: Sequence[Region],
    steps: float,
    step: float,
    maximize: bool,
) -> Unknown:
    """Steps along the steepest direction of the first set, each brought back into all sets in order."""
    ball = _ball(within[0])
    return _iterate(objective, first, within, steps, step if maximize else -step, ball.steepest)


def gradient(
    objective: Callable[[Unknown], Tensor],
    first: Unknown,
    within: Sequence[Region],
    steps: float,
    step: float,
    maximize: bool,
) -> Unknown:
    """Plain gradient steps, each brought back into all sets in order."""
    return _iterate(objective, first, within, steps, step if maximize else -step, lambda parts: parts)


def linearized(gradient: Unknown, within: Sequence[Region], maximize: bool) -> Unknown:
    """The first set's best point of the first-order expansion, brought into the other sets."""
    ball, *others = within
    best = _ball(ball).furthest(_parts(gradient))
    return _like(_projected(best if maximize else [-part for part in best], others), gradient)


def _iterate(
    objective: Callable[[Unknown], Tensor],
    first: Unknown,
    within: Sequence[Region],
    steps: float,
    step: float,
    direction: Callable[[list[Tensor]], list[Tensor]],
) -> Unknown:
    if _parts(first)[0].shape[:1] == (0,):
        return first  # no row was selected: nothing to search, and a model need not accept an empty batch
    delta = _parts(first)
    for _ in range(int(steps)):
        leaves = leaf(_like(delta, first))
        with torch.enable_grad():
            slopes = _parts(slope(objective(leaves), leaves))
        moved = [
            part.detach() + step * way for part, way in zip(_parts(leaves), direction(slopes), strict=True)
        ]
        delta = _projected(moved, within)
    return _like(delta, first)


def _projected(delta: list[Tensor], within: Sequence[Region]) -> list[Tensor]:
    for region in within:
        delta = region.project(delta)
    return delta


def _ball(region: Region) -> Ball:
    return cast(Ball, region)  # the program puts the bounded set first
