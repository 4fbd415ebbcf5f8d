"""Where expressions stand and what can be read there; the shapes with which functions give a shape."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from taxo.language import vocabulary
from taxo.language.axes import joined, pooled, reduced
from taxo.language.vocabulary import FUNCTIONS, Function, Option, Place, Result, Shape


@dataclass(frozen=True)
class Spot:
    """Where an expression stands: what can be read there."""

    place: Place
    target: str = ""
    own: str = ""
    predicting: bool = False
    rounds: bool = False
    anywhere: bool = False
    fixed: bool = False
    unknown: tuple[str, Shape] | None = None
    above: tuple[str, ...] = ()


DATA = Spot(Place.DATA)
FIXED = Spot(Place.DATA, fixed=True)
ANYWHERE = Spot(Place.LOSS, rounds=True, anywhere=True)


@dataclass(frozen=True)
class Known:
    """A name that the method declares, and where it has a value."""

    name: str
    shape: Shape
    place: Place = Place.DATA
    labelled: bool = False
    weights: bool = False


# Shapes that only a function gives.
RESULTS = {row.result for row in FUNCTIONS.values() if isinstance(row.result, Shape)}
MADE = sorted((shape for shape in RESULTS if shape.numeric), key=str)
MEANT = {word for table in vocabulary.TABLES.values() for word in table} | {
    word
    for table in vocabulary.TABLES.values()
    for row in table.values()
    if isinstance(row, vocabulary.Word)
    for option in row.options.values()
    for word in option.words
}


def fits(value: float, option: Option) -> bool:
    """Whether a number is one that an option takes."""
    return option.least <= value <= option.most and (not option.whole or value == value // 1)


def arguments(row: Function, shape: Shape, there: Sequence[Shape]) -> Iterable[list[list[Shape]]]:
    """For each way in which a function gives a shape, the shapes that each of its arguments may have."""
    for count in range(row.fewest, len(row.shapes) + 1):
        result = row.shorter if row.shorter is not None and count < len(row.shapes) else row.result
        sound = [
            [one for one in (*there, Shape.WORD) if _takes(allowed, one)] for allowed in row.shapes[:count]
        ]
        for first in sound[0]:
            rest = sound[1:]
            if result is Result.SAME:
                rest = [[other for other in part if joined(other, first) == first] for part in rest]
            if all(rest) and _gives(result, first, shape):
                yield [[first], *rest]


def _takes(allowed: tuple[Shape, ...] | None, shape: Shape) -> bool:
    return shape.numeric if allowed is None else shape in allowed


def _gives(result: Shape | Result, first: Shape, shape: Shape) -> bool:
    match result:
        case Result.SAME:
            return first is shape
        case Result.REDUCED:
            return reduced(first) is shape
        case Result.POOLED:
            return pooled(first) is shape
        case _:
            return result is shape
