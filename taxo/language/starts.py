"""The check of where a search starts: a value of the shape of what it looks for."""

from __future__ import annotations

from taxo.language.axes import joined, per_grain
from taxo.language.calling import given
from taxo.language.lookup import Reader
from taxo.language.printer import expression_text
from taxo.language.shapes import Shapes
from taxo.language.spelling import shortened
from taxo.language.syntax import Call
from taxo.language.vocabulary import SOLVERS, Grain, Shape


def check_start(via: Call, grain: Grain | None, found: Reader, shapes: Shapes) -> None:
    """Note a value to start from that the unknown, one for each granule, cannot be added to."""
    start = given(via, SOLVERS[via.name.text].options).get("start")
    if start is None or grain is None or found.unknown is None or shapes.scope.word(start) is not None:
        return
    of_weights = found.shape == Shape.W
    whole = found.shape if of_weights else per_grain(found.shape, grain)
    shape = shapes.quietly(start)
    if whole is None or shape is None or joined(shape, whole) == whole:
        return
    message = (
        f"`{shortened(expression_text(start))}` is {shape.value}, and `{found.unknown}` is {whole.value}"
    )
    hint = "start from a number, or from a value like what is looked for"
    shapes.findings.error("T207", message, start.span, hint)
