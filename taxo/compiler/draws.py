"""Draws as program text: what is drawn, in which shape, and when."""

from __future__ import annotations

from taxo.compiler.expressions import Writer
from taxo.compiler.names import identifier
from taxo.compiler.spots import EARLY, Spot
from taxo.compiler.text import quoted
from taxo.language.method import Draw
from taxo.language.scope import Scope
from taxo.language.syntax import Expression, Name
from taxo.language.vocabulary import VALUES, Place, Shape

BATCH_AT = {"x": "x", "y": "self.soft(y, x)"}


def is_early_draw(draw: Draw, scope: Scope) -> bool:
    """Whether a draw can be made before any pass: it is like what is given, and reads nothing else."""
    seen, waiting = {draw.name.text}, [draw]
    while waiting:
        one = waiting.pop()
        like = one.like.text if isinstance(one.like, Name) else ""
        if one.like is not None and like not in ("x", "y", "w"):
            return False
        parts = (argument.value for argument in one.distribution.arguments)
        read = {name for part in parts for name in scope.reads(part)} - seen
        if not all(_is_early(name, scope) for name in read):
            return False
        waiting += [scope.draws[name] for name in read if name in scope.draws]
        seen |= read
    return True


def _is_early(name: str, scope: Scope) -> bool:
    """Whether a name has its value before any pass; of a draw that is asked by itself."""
    if name in scope.declared:
        return name not in scope.states
    return name not in scope.branches and _is_given(name)


def _is_given(name: str) -> bool:
    row = VALUES.get(name)
    return row is None or (row.place == Place.DATA and row.shape != Shape.PASS)


def draw_line(draw: Draw, writer: Writer, spot: Spot = EARLY, once: bool = False) -> str:
    """The line that draws; `once` where several hooks may ask for the same numbers."""
    name = identifier(draw.name.text)
    if not once:
        return f"{name} = {_drawn(draw, writer, spot, _like(draw, writer, spot))}"
    drawn = _drawn(draw, writer, spot, "like")
    return f"{name} = self.once({quoted(name)}, lambda like: {drawn}, {_like(draw, writer, spot)})"


def _drawn(draw: Draw, writer: Writer, spot: Spot, like: str) -> str:
    word = draw.distribution.name.text
    if word == "module":
        pattern = writer.scope.word(draw.distribution.arguments[0].value) or "*"
        return f"self.draws.module(self.layers({quoted(pattern)}))"
    if word == "permutation":
        return "self.draws.permutation(x)"
    numbers = [writer.code(argument.value, spot) for argument in draw.distribution.arguments]
    sample = f"self.{'noise' if draw.per.text == 'sample' else 'draws'}.{word}"
    if draw.like is not None and _is_weights(draw, writer, spot):
        return f"{{name: {sample}({', '.join([*numbers, 'w'])}) for name, w in self.weights().items()}}"
    whole = [f"whole={draw.per.text != 'sample'}"] if word in ("sphere", "rectangle") else []
    return f"{sample}({', '.join([*numbers, like, *whole])})"


def _is_weights(draw: Draw, writer: Writer, spot: Spot) -> bool:
    assert draw.like is not None
    return (
        isinstance(draw.like, Name)
        and draw.like.text == "w"
        and writer.shape(draw.like, spot) in (Shape.W, Shape.SCALAR)
    )


def _is_one(like: Expression, writer: Writer, spot: Spot) -> bool:
    """Whether a draw is like one number."""
    return writer.shapes.of(like, spot.reader) == Shape.SCALAR


def _like(draw: Draw, writer: Writer, spot: Spot) -> str:
    """The tensor whose shape the numbers take: of the whole batch, or of one sample for all."""
    per_sample = draw.per.text == "sample"
    if draw.like is None or (not _is_weights(draw, writer, spot) and _is_one(draw.like, writer, spot)):
        return "self.draws.per_sample(x)" if per_sample else "self.draws.one(x)"
    known = draw.like.text if isinstance(draw.like, Name) else ""
    given = "" if known in spot.own else BATCH_AT.get(known, "")
    like = given or writer.code(draw.like, spot)
    shape = writer.shape(draw.like, spot) if known != "x" else Shape.X
    return like if per_sample or not shape.per_sample else f"{like}[0]"
