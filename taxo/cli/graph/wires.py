"""Wires as lines from corner to corner, and the dots where several of one value part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

from taxo.cli.graph.geometry import Point, Wire


def without_stops(points: Iterable[Point]) -> tuple[Point, ...]:
    """The corners alone, without points that repeat one or lie on the way."""
    corners: list[Point] = []
    for point in points:
        if corners and _near(corners[-1], point):
            continue
        if len(corners) > 1 and _on_the_way(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    return tuple(corners)


def dots(wires: Sequence[Wire]) -> list[Point]:
    """The corners of wires at which another wire from the same box goes another way."""
    found: list[Point] = []
    for wire in wires:
        twins = [other for other in wires if other.edge.tail == wire.edge.tail and other is not wire]
        for before, corner, after in zip(wire.points, wire.points[1:], wire.points[2:], strict=False):
            others = [
                twin for twin in twins if _passes(twin, corner) and not _turns(twin, before, corner, after)
            ]
            if others and corner not in found:
                found.append(corner)
    return found


def _turns(wire: Wire, before: Point, corner: Point, after: Point) -> bool:
    """Whether a wire takes a corner the way another does."""
    turns = zip(wire.points, wire.points[1:], wire.points[2:], strict=False)
    return any(
        middle == corner and _same_way(corner, first, before) and _same_way(corner, last, after)
        for first, middle, last in turns
    )


def _same_way(corner: Point, one: Point, other: Point) -> bool:
    return all(_sign(a - c) == _sign(b - c) for a, b, c in zip(one, other, corner, strict=True))


def _sign(number: float) -> int:
    return (number > 0.5) - (number < -0.5)


def _passes(wire: Wire, point: Point) -> bool:
    return any(_on_the_way(start, point, end) for start, end in segments(wire))


def segments(wire: Wire) -> Iterator[tuple[Point, Point]]:
    """The straight parts of a wire."""
    return pairwise(wire.points)


def _near(one: Point, other: Point) -> bool:
    return all(abs(a - b) < 0.5 for a, b in zip(one, other, strict=True))


def _on_the_way(start: Point, point: Point, end: Point) -> bool:
    """Whether a point lies on a straight part, which is level or upright."""
    across = [axis for axis in (0, 1) if abs(start[axis] - end[axis]) < 0.5]
    return (
        all(abs(point[axis] - start[axis]) < 0.5 for axis in across)
        and all(
            min(start[axis], end[axis]) - 0.5 <= point[axis] <= max(start[axis], end[axis]) + 0.5
            for axis in (0, 1)
        )
        and bool(across)
    )
