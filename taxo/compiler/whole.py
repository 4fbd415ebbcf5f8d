"""Where an expression is read as a whole, not entry by entry: there one number is not as good as many."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import replace

from taxo.language.findings import Findings
from taxo.language.method import Perturbation
from taxo.language.scope import Scope, acts_at
from taxo.language.shapes import ANYWHERE, Shapes
from taxo.language.syntax import Call, Expression, Index, Member, names, rebuilt, walk
from taxo.language.vocabulary import Shape

ShapeOf = Callable[[Expression], Shape | None]
# What does the same with one number as with many equal ones; a sum does so of two values.
ENTRYWISE = frozenset(
    {"exp", "log", "sqrt", "abs", "sign", "floor", "relu", "sigmoid", "sin", "cos", "acos", "stop"}
    | {"mean", "max", "min", "reach"}
)


class Rewriting(ABC):
    """A change of expressions that keeps the shapes of what is read as a whole.

    Without a way to find shapes it keeps none. A part that is read twice is changed once.
    """

    def __init__(self, shape: ShapeOf | None = None) -> None:
        self._shape = shape
        self._changed: dict[int, tuple[Expression, Expression]] = {}
        self._kept: dict[int, tuple[Expression, Expression]] = {}

    def __call__(self, node: Expression) -> Expression:
        """The expression, changed."""
        return _once(self._changed, node, self.change)

    @abstractmethod
    def change(self, node: Expression) -> Expression:
        """What takes the place of an expression; what is below it goes through `below`, or is called."""

    def below(self, node: Expression) -> Expression:
        """The expression with what is directly below it changed."""
        match node:
            case Index() if self._shape is not None and self._shape(node.index) != Shape.ROW:
                return replace(node, value=self.kept(node.value), index=self(node.index))
            case Index() | Member():
                return rebuilt(node, self.kept)
            case Call() if not is_entrywise(node):
                return rebuilt(node, self.kept)
            case _:
                return rebuilt(node, self)

    def kept(self, node: Expression) -> Expression:
        """The expression, changed as far as its shape stays."""
        return _once(self._kept, node, self._keep)

    def _keep(self, node: Expression) -> Expression:
        new = self(node)
        if self._shape is None or new == node or self._shape(new) == self._shape(node):
            return new
        return rebuilt(node, self.kept)


def _once(
    done: dict[int, tuple[Expression, Expression]],
    node: Expression,
    change: Callable[[Expression], Expression],
) -> Expression:
    """A change made once; the node is held, so that no other one has its place in memory."""
    if id(node) not in done:
        done[id(node)] = node, change(node)
    return done[id(node)][1]


def is_entrywise(call: Call) -> bool:
    """Whether a call does the same with one number as with many equal ones."""
    return call.name.text in ENTRYWISE or (call.name.text == "sum" and len(call.arguments) > 1)


def names_read_whole(node: Expression) -> Iterator[str]:
    """The names that parts of an expression read as a whole."""
    for part in walk(node):
        match part:
            case Index() | Member():
                yield from (name.text for name in names(part))
            case Call() if not is_entrywise(part):
                yield from (name.text for name in names(part))
            case _:
                pass


def shapes_in(scope: Scope, item: Perturbation | None = None) -> ShapeOf:
    """The shapes of expressions wherever they are read; of a perturbation's, with its unknown in hand."""
    shapes, reader = Shapes(scope, Findings()), ANYWHERE
    spot = None if item is None else acts_at(item)
    if item is not None and spot is not None:
        reader = replace(ANYWHERE, unknown=scope.unknown(item), shape=spot.shape)
    return lambda node: shapes.of(node, reader)
