"""What the reference says of one word: its meaning, its shape, its options and their bounds."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.language.spelling import listed, phrase
from taxo.language.vocabulary import (
    FAMILIES,
    TARGETS,
    Distribution,
    Function,
    Need,
    Objective,
    Option,
    Place,
    Region,
    Result,
    Shape,
    Site,
    Solver,
    Target,
    Value,
    Word,
)

INFINITY = float("inf")
PLACES = {row.place: word for word, row in TARGETS.items()} | {Place.INNER: "an inner layer"}


def entry(row: object) -> list[str]:
    """The lines of a word's entry: what it means, then what else there is to know of it."""
    meaning = row if isinstance(row, str) else str(getattr(row, "meaning", ""))
    return [_sentence(meaning), *(f"- {fact}" for fact in _facts(row))]


def _sentence(text: str) -> str:
    """A meaning as a sentence: one that begins with a formula or a name keeps its first letter."""
    first = text.split(maxsplit=1)[0]
    begun = text[0].upper() + text[1:] if first.strip(",;").isalpha() else text
    return begun if begun.endswith(".") else f"{begun}."


def _facts(row: object) -> Iterator[str]:
    match row:
        case Target() | Site():
            yield from _of_place(row)
        case Value():
            yield from _of_value(row)
        case Function():
            yield from _of_function(row)
        case Word():
            yield from (option_text(name, option) for name, option in row.options.items())
            yield from _of_word(row)
        case _:
            return


def _of_place(row: Target | Site) -> Iterator[str]:
    if isinstance(row, Site):
        yield f"a site of `{row.target}`"
    yield f"its value is `{row.value}`: {row.shape.value}"


def _of_value(row: Value) -> Iterator[str]:
    yield row.shape.value
    yield from _read_where(row.place)
    if row.clean:
        yield "of the unperturbed pass with `clean.` before it"
    if row.needs:
        yield f"has to be asked for: `needs {row.needs}`"


def _of_function(row: Function) -> Iterator[str]:
    free = len(row.shapes) - len(row.limits)
    limits = [""] * free + [_between(low, high) for low, high in row.limits]
    takes = [alternatives(shapes) + limit for shapes, limit in zip(row.shapes, limits, strict=True)]
    optional = takes[row.fewest :]
    yield "takes " + "; then ".join(takes[: row.fewest]) + "".join(f"; perhaps {text}" for text in optional)
    if row.shorter is None:
        yield f"gives {_result(row.result)}"
    else:
        yield f"gives {_result(row.shorter)}; with all its arguments {_result(row.result)}"
    yield from _read_where(row.place, row.only)
    if row.needs:
        yield f"has to be asked for: `needs {row.needs}`"


def _read_where(place: Place, only: str = "") -> Iterator[str]:
    """From which place of the line on there is something to read."""
    if only:
        yield f"in `{only}` only"
    elif place is not Place.DATA:
        yield f"there from {PLACES[place] if place is Place.INNER else f'`{PLACES[place]}`'} on"


def _result(result: Shape | Result) -> str:
    words = {
        Result.SAME: "the same shape",
        Result.REDUCED: "one number per sample, or one where there is no batch",
        Result.CLASSLESS: "one number for each row of class values",
        Result.POOLED: "what is left without the batch",
    }
    return result.value if isinstance(result, Shape) else words[result]


def alternatives(shapes: tuple[Shape, ...] | None) -> str:
    """The shapes that an argument may have.

    >>> alternatives((Shape.SAMPLE, Shape.SCALAR))
    'one number per sample or a number'
    """
    few = shapes is not None and len(shapes) <= 4
    return phrase([shape.value for shape in shapes]) if shapes and few else "numbers of any shape"


def _of_word(row: Word) -> Iterator[str]:
    match row:
        case Need():
            yield from _of_need(row)
        case Objective(compares=True):
            yield "compares distributions, so that labels have to stay distributions"
        case Distribution():
            yield from _of_distribution(row)
        case Solver():
            yield from _of_solver(row)
        case Region():
            yield from _of_region(row)
        case _:
            return


def _of_need(row: Need) -> Iterator[str]:
    if row.owns:
        yield f"there is one owner of the {row.owns}"
    if row.module:
        yield "can be learned: `infer meta over ...`"


def _of_distribution(row: Distribution) -> Iterator[str]:
    if row.result is not None:
        yield f"drawn `per batch`; it is {row.result.value}"
    if row.whole_row:
        yield "all entries are drawn at once: say `like x` or of what else it is"


def _of_solver(row: Solver) -> Iterator[str]:
    if row.needs_set:
        yield "needs a set that bounds the unknown"
    if row.learned:
        yield "keeps a table of its own beside the weights, so that it is not for `weights`"
    if row.held:
        yield "needs held-out data: `on validation` or `on guide(5%)`"


def _of_region(row: Region) -> Iterator[str]:
    if not row.bounded:
        yield "does not bound by itself"
    if row.targets:
        yield f"for {listed(row.targets, 'and')}"
    if row.shape is not None:
        yield f"the unknown is {row.shape.value}"


def option_text(name: str, option: Option) -> str:
    """What there is to know of an option.

    >>> option_text("steps", Option("how many steps", least=1, whole=True))
    '`steps`: how many steps (a whole number of 1 or more)'
    """
    return f"`{name}`: {option.meaning} ({_kind(option)}{_left_out(option.default)})"


def _left_out(default: str | float | None) -> str:
    """What an option is where it is not given: an empty default stands for nothing."""
    if default is None:
        return ""
    return (
        f"; `{default if isinstance(default, str) else f'{default:g}'}` if left out"
        if default != ""
        else "; or nothing"
    )


def _kind(option: Option) -> str:
    if option.family:
        return listed(FAMILIES[option.family])
    if option.words:
        return listed(option.words) + (", or a value of the unknown's shape" if option.value else "")
    if option.free or option.condition:
        return "a word or a text" if option.free else "a condition"
    return _range(option) + (", which may differ from sample to sample" if option.per_sample else "")


def _range(option: Option) -> str:
    return ("a whole number" if option.whole else "a number") + _between(option.least, option.most)


def _between(low: float, high: float) -> str:
    """The bounds of a number, as they follow its name."""
    if low == -INFINITY:
        return ""
    return f" of {low:g} or more" if high == INFINITY else f" from {low:,g} to {high:,g}"
