"""The solvers: how an unknown is found, given what it should raise or lower and the sets it keeps to.

An unknown is a tensor whose first axis has the granules, or for the weights one tensor per parameter. A
gradient that is not finite is taken as zero: for its granule, or for all weights. `skipped`, where it is
given, is called once with the number of gradients so taken, a tensor without axes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar, cast

import torch
from torch import Tensor

from taxo.ops.forms import per_sample
from taxo.ops.granules import Number, length, lengths, of_each
from taxo.ops.sets import Ball, Edged, Region, Simplex, is_bounded, project_all

Unknown = TypeVar("Unknown", Tensor, dict[str, Tensor])
Direction = Literal["steepest", "sign", "gradient"]
Skipped = Callable[[Tensor], None] | None


def _parts(value: Tensor | dict[str, Tensor]) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else list(value.values())


def _like(parts: list[Tensor], value: Unknown) -> Unknown:
    if isinstance(value, Tensor):
        return parts[0]
    return dict(zip(value, parts, strict=True))


def slope(value: Tensor, of: Unknown) -> Unknown:
    """The gradient of a value, and nothing added to anybody's `.grad`."""
    if not value.requires_grad:  # what nothing moves is as good everywhere
        return _like([torch.zeros_like(part) for part in _parts(of)], of)
    gradients = torch.autograd.grad(value, _parts(of), materialize_grads=True)
    return _like(list(gradients), of)


def leaf(value: Unknown) -> Unknown:
    """The value as a leaf that gradients reach."""
    return _like([part.detach().requires_grad_() for part in _parts(value)], value)


@torch.no_grad()
def first_guess(kind: str, like: Unknown, within: Sequence[Region], generator: torch.Generator) -> Unknown:
    """The first guess: zero, or a random point of the first set; brought into all sets."""
    parts = _parts(like)
    if kind == "zero":
        zeros = [torch.zeros_like(part) for part in parts]
        outside = any(isinstance(region, Simplex) for region in within)
        return _like(project_all(zeros, within) if outside else zeros, like)
    return _like(_settled(_ball(within).uniform(parts, generator), within), like)


@torch.no_grad()
def inside(value: Unknown, within: Sequence[Region]) -> Unknown:
    """A start that is given, brought into all sets."""
    return _like(project_all([part.detach() for part in _parts(value)], within), value)


def carried(found: Tensor, start: Tensor) -> Tensor:
    """What a search has found, moving as its start does: to first order, and where no set stops it."""
    return found.detach() + (start - start.detach())


def pgd(
    objective: Callable[[Unknown], Tensor],
    first: Unknown,
    within: Sequence[Region],
    steps: float,
    step: Number,
    maximize: bool,
    skipped: Skipped = None,
) -> Unknown:
    """Steps along the steepest direction of the first set, each brought back into all sets."""
    return _iterated(objective, first, within, steps, step, maximize, "steepest", skipped)


def gradient(
    objective: Callable[[Unknown], Tensor],
    first: Unknown,
    within: Sequence[Region],
    steps: float,
    step: Number,
    maximize: bool,
    skipped: Skipped = None,
) -> Unknown:
    """Plain gradient steps, each brought back into all sets."""
    return _iterated(objective, first, within, steps, step, maximize, "gradient", skipped)


def sign(
    objective: Callable[[Unknown], Tensor],
    first: Unknown,
    within: Sequence[Region],
    step: Number,
    maximize: bool,
    skipped: Skipped = None,
) -> Unknown:
    """One step along the sign of the gradient, whatever the sets, brought back into all of them."""
    return _iterated(objective, first, within, 1, step, maximize, "sign", skipped)


def linearized(
    gradient: Unknown, within: Sequence[Region | Edged], maximize: bool, skipped: Skipped = None
) -> Unknown:
    """The first set's best point of the first-order expansion, brought into the other sets."""
    slopes, finite = _finite(gradient)
    _report([finite], skipped)
    best = cast(Edged, within[0]).furthest(slopes if maximize else [-part for part in slopes])
    return _like(_settled(best, within), gradient)


def linearized_steps(
    objective: Callable[[Unknown], Tensor],
    first: Unknown,
    within: Sequence[Region | Edged],
    steps: float,
    maximize: bool,
    skipped: Skipped = None,
) -> Unknown:
    """The best point of the expansion at the present one, `steps` times."""
    if _is_empty(first):
        return first
    counts: list[Tensor] = []
    point = first
    for _ in range(int(steps)):
        here = leaf(point)
        with torch.enable_grad():
            found = slope(objective(here), here)
        point = linearized(found, within, maximize, counts.append if skipped else None)
    if skipped and counts:
        skipped(torch.stack(counts).sum())
    return point


def stepped(
    value: Unknown,
    slope: Unknown,
    within: Sequence[Region],
    step: Number,
    maximize: bool,
    direction: Direction = "steepest",
    skipped: Skipped = None,
) -> Unknown:
    """One step from a value whose slope is known, brought back into all sets."""
    found, finite = _stepped(value, slope, within, step, maximize, direction)
    _report([finite], skipped)
    return found


def _iterated(
    objective: Callable[[Unknown], Tensor],
    first: Unknown,
    within: Sequence[Region],
    steps: float,
    step: Number,
    maximize: bool,
    direction: Direction,
    skipped: Skipped,
) -> Unknown:
    if _is_empty(first):
        return first
    point, masks = first, list[Tensor]()
    for _ in range(int(steps)):
        point = leaf(point)
        with torch.enable_grad():
            found = slope(objective(point), point)
        point, finite = _stepped(point, found, within, step, maximize, direction)
        masks.append(finite)
    _report(masks, skipped)
    return point


@torch.no_grad()
def _stepped(
    value: Unknown,
    slope: Unknown,
    within: Sequence[Region],
    step: Number,
    maximize: bool,
    direction: Direction,
) -> tuple[Unknown, Tensor]:
    slopes, finite = _finite(slope)
    if direction == "steepest":
        slopes = _ball(within).steepest(slopes)
    elif direction == "sign":
        slopes = [part.sign() for part in slopes]
    signed = step if maximize else -step
    moved = [_moved(part.detach(), way, signed) for part, way in zip(_parts(value), slopes, strict=True)]
    return _like(project_all(moved, within), value), finite


def _moved(part: Tensor, way: Tensor, step: Number) -> Tensor:
    if isinstance(step, Tensor):
        return (part + of_each(step, part) * way).to(part.dtype)
    return torch.add(part, way, alpha=step)


def _finite(slope: Tensor | dict[str, Tensor]) -> tuple[list[Tensor], Tensor]:
    """The slopes with zero for what is not finite, and which granules, or whether all weights, are finite."""
    if isinstance(slope, Tensor):
        finite = length(slope, 2, rows=True).flatten() < torch.inf  # one reduction; a NaN is not below either
        return [torch.where(per_sample(finite, slope), slope, 0.0)], finite
    parts = list(slope.values())
    finite = torch.stack(lengths(parts)).sum() < torch.inf
    return [torch.where(finite, part, 0.0) for part in parts], finite


def _report(masks: list[Tensor], skipped: Skipped) -> None:
    if skipped and masks:
        skipped((~torch.stack(masks)).sum())


def _is_empty(value: Tensor | dict[str, Tensor]) -> bool:
    """Whether no row was selected: there is nothing to search, and a model need not accept an empty batch."""
    return _parts(value)[0].shape[:1] == (0,)


def _settled(point: list[Tensor], within: Sequence[Region | Edged]) -> list[Tensor]:
    """A point of the first set, brought into the others."""
    alone = sum(map(is_bounded, within)) == 1
    # of sets without a way back the language allows one, the first
    return project_all(point, cast("Sequence[Region]", within[1:] if alone else within))


def _ball(within: Sequence[Region]) -> Ball:
    return cast(Ball, within[0])  # the program puts the bounded sets first
