"""The catalogue as a table that fits the terminal."""

from __future__ import annotations

from taxo.cli.columns import clipped, columns
from taxo.cli.entries import Entry

HEAD = ["method", "target", "direction", "manner", "granularity", "what it is"]
GAP = 2
LEAST = 12  # a heading cut shorter than this says nothing


def catalogue(entries: list[Entry], width: int) -> str:
    """The table, at most `width` wide where its coordinates allow.

    Where a line for each method is too wide, each perturbation has one.
    """
    whole = columns([HEAD, *(_joined(one) for one in entries)])
    if max(map(len, whole)) <= width:
        return "\n".join(whole)
    rows = [HEAD, *(row for one in entries for row in _stacked(one))]
    return "\n".join(columns(_cut(rows, width)))


def _joined(one: Entry) -> list[str]:
    """A method on one line; the words of several perturbations are joined by `+`."""
    coordinates = ("target", "direction", "manner", "granularity")
    return [one.name, *(" + ".join(one.words(key)) or "-" for key in coordinates), one.heading]


def _stacked(one: Entry) -> list[list[str]]:
    """A line for each perturbation, or several; the method's name and what it is stand on the first."""
    cells = [row for place in one.perturbations for row in place.rows()] or [["-"] * 4]
    outer = [(one.name, one.heading), *[("", "")] * (len(cells) - 1)]
    return [[name, *row, heading] for (name, heading), row in zip(outer, cells, strict=True)]


def _cut(rows: list[list[str]], width: int) -> list[list[str]]:
    """The rows with headings cut to what the other columns leave, or without them."""
    taken = sum(max(map(len, column)) + GAP for column in list(zip(*rows, strict=True))[:-1])
    left = width - taken
    if left < LEAST:
        return [row[:-1] for row in rows]
    return [[*row[:-1], clipped(row[-1], left)] for row in rows]
