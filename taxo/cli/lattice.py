"""The survey's table: which methods have which target, manner and granularity, and which places are free."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from taxo.cli.columns import columns
from taxo.cli.entries import Entry
from taxo.language.vocabulary import GRAINS, MANNERS, TARGETS

FREE = "·"
GAP = 2
INDENT = 2


@dataclass(frozen=True, slots=True)
class Cell:
    """One place of the table and the methods that have a perturbation there."""

    target: str
    manner: str
    granularity: str
    methods: tuple[str, ...]

    def to_json(self) -> dict[str, str | list[str]]:
        """The cell as plain values."""
        return {
            "target": self.target,
            "manner": self.manner,
            "granularity": self.granularity,
            "methods": list(self.methods),
        }


def lattice(entries: Sequence[Entry], wanted: Mapping[str, str | None]) -> list[Cell]:
    """Every cell in the vocabulary's order, the free ones too; where a word is wanted, only its cells."""
    axes = {"target": TARGETS, "manner": MANNERS, "granularity": GRAINS}
    words = {key: [word] if (word := wanted.get(key)) else list(axis) for key, axis in axes.items()}
    return [
        Cell(target, manner, grain, tuple(_at(entries, target, manner, grain)))
        for target in words["target"]
        for manner in words["manner"]
        for grain in words["granularity"]
    ]


def _at(entries: Sequence[Entry], target: str, manner: str, grain: str) -> Iterator[str]:
    for one in entries:
        places = [place for place in one.perturbations if (place.target, place.manner) == (target, manner)]
        if any(grain in place.granularity for place in places):
            yield one.name


def lattice_text(cells: Sequence[Cell], entries: Sequence[Entry], width: int) -> str:
    """The cells as a table: a block for each target, a row for each manner, a column for each granularity."""
    grains = list(dict.fromkeys(cell.granularity for cell in cells))
    manners = list(dict.fromkeys(cell.manner for cell in cells))
    first = INDENT + max(map(len, manners))
    widths = _widths(cells, grains, width - first - GAP * len(grains))
    rows = [["", *(f"{grain:<{wide}}" for grain, wide in zip(grains, widths, strict=True))]]
    for number in range(0, len(cells), len(grains)):
        row = cells[number : number + len(grains)]
        if row[0].manner == manners[0]:
            rows.append([row[0].target, *[""] * len(grains)])
        rows += _row(row, widths)
    return "\n".join([*columns(rows, " " * GAP), *_nowhere(entries, width)])


def _row(row: Sequence[Cell], widths: Sequence[int]) -> Iterator[list[str]]:
    """The lines of a manner's row; cells of many methods take several."""
    wrapped = [_wrapped(cell, wide) for cell, wide in zip(row, widths, strict=True)]
    heads = [f"{'':{INDENT}}{row[0].manner}"]
    for head, *parts in zip_longest(heads, *wrapped, fillvalue=""):
        yield [head, *parts]


def _wrapped(cell: Cell, width: int) -> list[str]:
    """The names of a cell's methods as lines; a name is broken, after a `_`, only where it does not fit."""
    tight = any(len(name) >= width for name in cell.methods)
    # no name has a hyphen, and hyphens are where a text may be broken
    text = ", ".join(cell.methods).replace("_", "-")
    return [line.replace("-", "_") for line in textwrap.wrap(text, width, break_on_hyphens=tight)] or [FREE]


def _widths(cells: Sequence[Cell], grains: Sequence[str], room: int) -> list[int]:
    """A width for each granularity: its longest name, and a share of what is left by how much it holds."""
    held = {grain: [cell for cell in cells if cell.granularity == grain] for grain in grains}
    whole = [max(len(grain), *(len(", ".join(cell.methods)) for cell in held[grain])) for grain in grains]
    if sum(whole) <= room:
        return whole
    names = {grain: [name for cell in held[grain] for name in cell.methods] for grain in grains}
    least = [max([len(grain), *(len(name) + 1 for name in names[grain])]) for grain in grains]
    if sum(least) > room:
        return [max(len(max(grains, key=len)), room // len(grains))] * len(grains)
    filled = [sum(map(len, names[grain])) for grain in grains]
    spare = room - sum(least)
    return [low + spare * full // sum(filled) for low, full in zip(least, filled, strict=True)]


def _nowhere(entries: Sequence[Entry], width: int) -> list[str]:
    """The methods that perturb nothing, and so have no place."""
    names = [one.name for one in entries if not one.perturbations]
    if not names:
        return []
    return ["", *textwrap.wrap(f"in no place, as nothing is perturbed: {', '.join(names)}", width)]
