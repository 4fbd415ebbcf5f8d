"""Where numbers on a grid are above zero, against areas and lines that geometry knows."""

from __future__ import annotations

from itertools import pairwise
from math import hypot, pi

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxo.training.report.contours import Field, Point

SIDE = 41


def disc(side: int, radius: float) -> Field:
    middle = (side - 1) / 2
    places = [(column, row) for row in range(side) for column in range(side)]
    return Field([radius - hypot(x - middle, y - middle) for x, y in places], side)


def size(area: list[Point]) -> float:
    ring = [*area, area[0]]
    return sum(a * d - b * c for (a, b), (c, d) in pairwise(ring)) / 2


def test_a_disc_has_the_area_and_the_edge_of_a_disc():
    field, radius = disc(SIDE, 13.0), 13.0
    assert sum(map(size, field.areas())) == pytest.approx(pi * radius**2, rel=2e-3)
    lines = list(field.segments())
    assert sum(hypot(c - a, d - b) for (a, b), (c, d) in lines) == pytest.approx(2 * pi * radius, rel=2e-3)
    assert all(hypot(a - 20, b - 20) == pytest.approx(radius, abs=0.02) for one in lines for a, b in one)


def test_a_field_of_one_sign_has_no_line():
    assert list(Field([1.0] * 9, 3).segments()) == []
    assert sum(map(size, Field([1.0] * 9, 3).areas())) == 4
    assert list(Field([-1.0] * 9, 3).areas()) == []


@settings(max_examples=50)
@given(st.lists(st.floats(-1, 1), min_size=16, max_size=16))
def test_areas_above_and_below_fill_the_square_and_lines_bound_them(values: list[float]):
    values = [value or 0.5 for value in values]
    above, below = (Field([sign * value for value in values], 4) for sign in (1.0, -1.0))
    whole = sum(size(area) for field in (above, below) for area in field.areas())
    saddles = sum(len(found) > 2 for found in corners_in_turn(values))
    assert whole == pytest.approx(9.0) if not saddles else whole >= 9.0 - 1e-9
    edges = {frozenset(pair) for area in above.areas() for pair in pairwise([*area, area[0]])}
    assert all(frozenset(line) in edges for line in above.segments() if line[0] != line[1])


def corners_in_turn(values: list[float]) -> list[list[int]]:
    """For each cell of a grid of four by four places, where along its edge the sign changes."""
    cells = [(column, row) for row in range(3) for column in range(3)]
    rings = [
        [values[row * 4 + column] > 0 for column, row in ((x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1))]
        for x, y in cells
    ]
    return [[n for n in range(4) if ring[n] != ring[n - 1]] for ring in rings]
