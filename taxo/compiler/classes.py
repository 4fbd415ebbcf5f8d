"""The class numbers that a program reads: whether there are so many is known when a model is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taxo.compiler.graph import Graph
from taxo.language.constants import constant
from taxo.language.printer import expression_text
from taxo.language.source import Span
from taxo.language.spelling import shortened
from taxo.language.syntax import Call, Expression, Index


@dataclass(frozen=True, slots=True)
class Picked:
    """Something of one class: as it is written, and the class it asks for where there are `C`."""

    shown: str
    number: Expression
    values: dict[str, float]
    span: Span | None

    def place(self, classes: int) -> float | None:
        """The number of the class; None where it is known in the run only."""
        return constant(self.number, self.values | {"C": float(classes)})


def picked(graph: Graph) -> Iterator[Picked]:
    """Everything that a program reads of a class by its number."""
    scope = graph.scope
    for part in (part for node in graph.read() for part in scope.parts(node)):
        match part:
            case Index():
                number = part.index
            case Call() if part.name.text == "onehot":
                number = part.arguments[0].value
            case _:
                continue
        found = Picked(
            shortened(expression_text(part)), scope.written_out(number), scope.constants(), part.span
        )
        if found.place(1) is not None:
            yield found
