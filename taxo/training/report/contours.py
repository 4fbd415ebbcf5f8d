"""Where numbers on a grid are above zero: outlines and areas, straight within a cell; no torch here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Point = tuple[float, float]


class Field:
    """Numbers at the places of a square grid, row by row; coordinates count its places."""

    def __init__(self, values: Sequence[float], side: int) -> None:
        self.values, self.side = values, side

    def segments(self) -> Iterator[tuple[Point, Point]]:
        """The line along which the numbers are zero, cell by cell."""
        for column, row in self._cells():
            found = [point for point, crossing in self._around(column, row) if crossing]
            if not self._above(column, row):  # begin where the line leaves the area, as the areas do
                found = [*found[1:], *found[:1]]
            yield from zip(found[::2], found[1::2], strict=True)

    def areas(self) -> Iterator[list[Point]]:
        """Where the numbers are above zero: a polygon for each cell, and one for whole cells in a row."""
        for row in range(self.side - 1):
            begun: int | None = None
            for column in range(self.side):
                inside = column + 1 < self.side and all(
                    self._above(*corner) for corner in _corners(column, row)
                )
                if inside and begun is None:
                    begun = column
                if not inside and begun is not None:
                    yield [(begun, row), (column, row), (column, row + 1), (begun, row + 1)]
                    begun = None
                if not inside and column + 1 < self.side:
                    part = [point for point, _ in self._around(column, row)]
                    if part:
                        yield part

    def _cells(self) -> Iterator[tuple[int, int]]:
        for row in range(self.side - 1):
            for column in range(self.side - 1):
                yield column, row

    def _around(self, column: int, row: int) -> Iterator[tuple[Point, bool]]:
        """Along a cell's edge: corners above zero, and the places where the edge crosses zero."""
        corners = _corners(column, row)
        for here, there in zip(corners, (*corners[1:], corners[0]), strict=True):
            if self._above(*here):
                yield here, False
            if self._above(*here) != self._above(*there):
                yield self._crossing(here, there), True

    def _above(self, column: int, row: int) -> bool:
        return self.values[row * self.side + column] > 0

    def _crossing(self, here: tuple[int, int], there: tuple[int, int]) -> Point:
        # always from the smaller corner, so that two cells find the same place on their common edge
        (a, b), (c, d) = sorted((here, there))
        one, other = self.values[b * self.side + a], self.values[d * self.side + c]
        share = one / (one - other)
        return a + share * (c - a), b + share * (d - b)


def _corners(column: int, row: int) -> tuple[tuple[int, int], ...]:
    return (column, row), (column + 1, row), (column + 1, row + 1), (column, row + 1)
