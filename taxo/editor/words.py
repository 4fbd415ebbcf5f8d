"""The vocabulary's words and the grammar's own, with what an editor says of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from functools import cache
from typing import cast

from taxo.language import vocabulary
from taxo.language.spelling import phrase
from taxo.language.vocabulary import Function, Option, Region, Shape, Solver, Target, Value

Options = Mapping[str, Option]
Row = Target | Value | Function | Solver | Region | Options | Enum | str

# What a word of each table is called; a table that is not here is called by its own name.
KINDS = {
    "GRAINS": "granularity",
    "SCOPES": "scope of a draw",
    "REGIONS": "set",
}
# The tables that a name must come from, by the terminal it depends on, where the two are named apart:
# `direction` and DIRECTIONS find each other.
AFTER = {
    "PERTURB": "TARGETS",
    "INFER": "MANNERS",
    "GRANULARITY": "GRAINS",
    "PER": "SCOPES",
    "WITHIN": "REGIONS",
    "VIA": "SOLVERS",
    "TILDE": "DISTRIBUTIONS",
    "IN": "GROUPS",
}
_NO_WORDS = {"CONSTANTS", "LATER"}


@cache
def tables() -> dict[str, dict[str, Row]]:
    """Every table of the vocabulary, by its name."""
    found = cast("dict[str, object]", vars(vocabulary))
    return {
        name: cast("dict[str, Row]", table)
        for name, table in found.items()
        if isinstance(table, dict) and name.isupper() and name[0] != "_" and name not in _NO_WORDS
    }


def kind(table: str) -> str:
    """What a word of a table is called."""
    return KINDS.get(table) or table.lower().removesuffix("s")


def table_after(terminal: str) -> dict[str, Row]:
    """The words that a name must be one of where it depends on a terminal."""
    return tables().get(table_name_after(terminal), {})


def table_name_after(terminal: str) -> str:
    """The name of the table that `table_after` gives."""
    return AFTER.get(terminal) or (terminal if terminal in tables() else f"{terminal}S")


def found(word: str, table: str | None = None) -> Iterator[tuple[str, Row]]:
    """The tables that have a word, with its row in each; a preferred table comes alone."""
    if table in tables() and word in tables()[table]:
        yield table, tables()[table][word]
        return
    yield from ((name, rows[word]) for name, rows in tables().items() if word in rows)


def options_of(row: Row | None) -> Options:
    """The options that a solver, set or distribution takes."""
    if isinstance(row, Mapping):
        return row
    return row.options if isinstance(row, (Solver, Region)) else {}


def meaning(word: str, row: Row) -> str:
    """One phrase on what a word means."""
    match row:
        case str():
            return row
        case Enum():
            return f"one value per {word}"
        case Mapping():
            return ""
        case _:
            return row.meaning


def signature(word: str, row: Row) -> str:
    """A word as it is written, with what it takes."""
    options = options_of(row)
    if isinstance(row, Function):
        return f"{word}({', '.join('e' for _ in row.shapes)})"
    if not options:
        return word
    return f"{word}({', '.join(map(_option_shown, options, options.values()))})"


def _option_shown(name: str, option: Option) -> str:
    return name if option.default is None else f"{name}: {_plain(option.default)}"


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def details(row: Row) -> list[str]:
    """What else there is to know of a word, a line each."""
    match row:
        case Target():
            return [f"changes `{row.value}`: {row.shape.value}"]
        case Value():
            clean = ["also in `clean`, of the unperturbed pass"] if row.clean else []
            return [] if row.shape == Shape.PASS else [row.shape.value, *clean]
        case Function():
            taken = [_shapes(shape) for shape in row.shapes]
            given = row.result.value if row.result else "a value like it"
            return [f"takes {phrase(taken, 'and')}", f"gives {given}"] if taken else [f"gives {given}"]
        case _:
            return [option_line(name, option) for name, option in options_of(row).items()] + _where(row)


def _shapes(shape: Shape | tuple[Shape, ...] | None) -> str:
    match shape:
        case None:
            return "any value"
        case tuple():
            return phrase([one.value for one in shape])
        case _:
            return shape.value


def _where(row: Row) -> list[str]:
    targets = row.targets if isinstance(row, (Solver, Region)) else ()
    return [f"for {phrase([f'`{target}`' for target in targets], 'and')}"] if targets else []


def option_line(name: str, option: Option) -> str:
    """An option with its meaning, what it takes and its default."""
    taken = phrase([f"`{word}`" for word in option.words]) if option.words else _range(option)
    default = "required" if option.default is None else f"`{_plain(option.default)}` if not given"
    return f"`{name}`: {option.meaning}; {taken}; {default}"


def _range(option: Option) -> str:
    kind = "a whole number" if option.whole else "a number"
    low = f" from {option.least:,g}" if option.least > float("-inf") else ""
    high = f" to {option.most:,g}" if option.most < float("inf") else ""
    return f"{kind}{low}{high}"
