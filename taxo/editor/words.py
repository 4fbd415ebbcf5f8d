"""The vocabulary's words as an editor needs them: which fit where, and what to say of each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import cast

from taxo.language.spelling import phrase
from taxo.language.vocabulary import (
    FAMILIES,
    TABLES,
    Function,
    Option,
    Shape,
    Site,
    Target,
    Value,
    Word,
)

Options = Mapping[str, Option]
Row = Target | Site | Value | Function | Word | str

# The table that a name must come from, by the terminal it depends on, and by the item where that matters.
AFTER = {
    ("", "PERTURB"): "target",
    ("", "AT"): "site",
    ("", "DIRECTION"): "direction",
    ("", "INFER"): "manner",
    ("", "GRANULARITY"): "granularity",
    ("", "PER"): "granularity",
    ("DRAW", "PER"): "scope of a draw",
    ("", "WITHIN"): "set",
    ("", "VIA"): "solver",
    ("", "TILDE"): "distribution",
    ("", "IN"): "group",
    ("", "ON"): "held-out set",
    ("BRANCH", "ON"): "batch",
    ("", "DURING"): "phase",
    ("", "NORM"): "norm",
    ("", "NEEDS"): "need",
    ("", "EVERY"): "round",
    ("STATE", "EVERY"): "period",
}
# The table of a second word, which follows a finished one: `every round append`, `param ... [1, 9] log`.
SECOND = {"STATE": "order", "PERTURB": "amendment", "PARAM": "scale"}
# The table of words that are like values and functions in one kind of item.
LIKE_VALUES = {"STATE": "form of a state", "LOSS": "objective"}


@cache
def tables() -> dict[str, dict[str, Row]]:
    """The vocabulary's tables, by what a word of each is called."""
    return {kind: cast("dict[str, Row]", table) for kind, table in TABLES.items()}


def table(kind: str | None) -> dict[str, Row]:
    """The words of one kind."""
    return tables().get(kind or "", {})


def kind_after(item: str, terminal: str) -> str | None:
    """The kind of word that depends on a terminal within an item."""
    return AFTER.get((item, terminal)) or AFTER.get(("", terminal))


def family(option: Option | None) -> dict[str, Row]:
    """The calls of which an option's value is one."""
    return dict(FAMILIES.get(option.family, {})) if option else {}


def found(word: str, *preferred: str | None) -> Iterator[tuple[str, Row]]:
    """The kinds that a word is of, with its row in each; the first of those preferred comes alone."""
    for kind in preferred:
        if kind and word in table(kind):
            yield kind, table(kind)[word]
            return
    yield from ((kind, rows[word]) for kind, rows in tables().items() if word in rows)


def settable() -> dict[str, Row]:
    """The words that a parameter may stand for: those that options take, and how batch norms are taken."""
    words: dict[str, Row] = dict(table("norm"))
    for option in (
        one for rows in tables().values() for row in rows.values() for one in options_of(row).values()
    ):
        words |= {word: option.meaning for word in option.words if word not in words}
        words |= {word: row for word, row in family(option).items() if word not in words}
    return words


def options_of(row: Row | None) -> Options:
    """The options that a solver, set or other call takes."""
    return row.options if isinstance(row, Word) else {}


def meaning(row: Row) -> str:
    """One phrase on what a word means."""
    return row if isinstance(row, str) else row.meaning


def signature(word: str, row: Row) -> str:
    """A word as it is written, with what it takes."""
    if isinstance(row, Function):
        return f"{word}({', '.join('e' for _ in row.shapes)})"
    options = options_of(row)
    return f"{word}({', '.join(map(_option_shown, options, options.values()))})" if options else word


def _option_shown(name: str, option: Option) -> str:
    return name if option.default in (None, "") else f"{name}: {_plain(option.default)}"


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:g}"


def details(row: Row) -> list[str]:
    """What else there is to know of a word, a line each."""
    match row:
        case Target() | Site():
            return [f"changes `{row.value}`: {row.shape.value}"]
        case Value():
            clean = ["also in `clean`, of the unperturbed pass"] if row.clean else []
            shape = [] if row.shape is Shape.PASS else [row.shape.value]
            return [*shape, *clean, *_needed(row.needs)]
        case Function():
            return [*_signature_lines(row), *_needed(row.needs)]
        case _:
            return [option_line(name, option) for name, option in options_of(row).items()]


def _needed(need: str) -> list[str]:
    return [f"only with `needs {need}`"] if need else []


def _signature_lines(row: Function) -> Iterator[str]:
    taken = [_shapes(shape) for shape in row.shapes]
    least = f", {row.fewest} at least" if row.fewest < len(taken) else ""
    yield f"takes {phrase(taken, 'and')}{least}"
    yield f"gives {row.result.value}" if isinstance(row.result, Shape) else f"its shape: {row.result.value}"


def _shapes(shapes: tuple[Shape, ...] | None) -> str:
    """The shapes an argument may have; of many only that they are many."""
    if shapes is None or len(shapes) > 4:
        return "numbers"
    return phrase([one.value for one in shapes])


def option_line(name: str, option: Option) -> str:
    """An option with its meaning, what it takes and its default."""
    default = "required" if option.default is None else f"`{_plain(option.default)}` if not given"
    if option.default == "":
        default = "may be left out"
    return f"`{name}`: {option.meaning}; {_taken(option)}; {default}"


def _taken(option: Option) -> str:
    words = [*option.words, *family(option)]
    if words:
        return phrase([f"`{word}`" for word in words])
    if option.free or option.condition:
        return "a word or text" if option.free else "a condition"
    kind = "a whole number" if option.whole else "a number"
    low = f" from {option.least:,g}" if option.least > float("-inf") else ""
    return kind + low + (f" to {option.most:,g}" if option.most < float("inf") else "")
