"""Calls of functions as Python: which function of torch or of the runtime, with which arguments."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import replace

from taxo.compiler.names import identifier
from taxo.compiler.spots import Spot
from taxo.compiler.text import quoted
from taxo.language.axes import joined
from taxo.language.constants import constant
from taxo.language.findings import Findings
from taxo.language.printer import ATOM, MINUS, PRODUCT
from taxo.language.scope import Scope
from taxo.language.shapes import Shapes
from taxo.language.syntax import Call, Expression, Name
from taxo.language.vocabulary import Shape
from taxo.plugins import source_of_op

TORCH = {"exp", "log", "sqrt", "abs", "sign", "relu", "sigmoid", "sin", "cos", "floor"}
# Of one value: over all axes but the batch; over all, where there is none; as torch's own method.
REDUCTIONS = {
    "sum": ("total", "sum"),
    "mean": ("average", "mean"),
    "max": ("largest", "amax"),
    "min": ("smallest", "amin"),
}
OF_TWO = {"max": "larger", "min": "smaller"}
NORMS = {"l1", "l2", "linf", "lp"}
NUMBERS = {
    "relu": "max({}, 0)",
    "sign": "(({0} > 0) - ({0} < 0))",
    "abs": "abs({})",
}


class CallWriter(ABC):
    """Writes the calls of one method's expressions, and remembers what they import."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        self.unknowns = {scope.unknown(item) for item in scope.method.perturbations()}
        self.shapes = Shapes(scope, Findings())
        self.imports: set[str] = set()
        self.modules: set[str] = set()
        self.times: dict[str, None] = {}  # conditions that the host decides by the time

    @abstractmethod
    def held(self, node: Expression, place: Spot, least: int) -> str:
        """The expression's code, in parentheses where it is weaker than its place."""

    @abstractmethod
    def expanded(self, node: Expression, place: Spot, target: Shape, least: int = 0) -> str:
        """The expression's code with the axes that `target` has and it lacks."""

    @abstractmethod
    def plain(self, node: Expression) -> bool:
        """Whether an expression is a Python number while the program runs, not a tensor."""

    def shape(self, node: Expression, place: Spot) -> Shape:
        """The shape of an expression that has been checked."""
        shape = self.shapes.of(node, place.reader)
        return Shape.SCALAR if shape is None else shape

    def use(self, name: str) -> str:
        """A function of the runtime, imported."""
        self.imports.add(name)
        return name

    def module(self, name: str) -> str:
        """A module, imported."""
        self.modules.add(name)
        return name

    def code(self, node: Expression, place: Spot) -> str:
        """The expression's code."""
        return self.held(node, place, 0)

    def call(self, node: Call, place: Spot) -> tuple[str, int]:
        """The code of a call, and how tightly it holds together."""
        name, arguments = node.name.text, [argument.value for argument in node.arguments]
        if self.scope.network(name) is not None:
            return self._network(name, arguments, place), ATOM
        if name in TORCH or name == "stop" or name == "acos":
            return self._elementwise(node, arguments[0], place)
        if name in REDUCTIONS:
            return self._reduction(name, arguments, place)
        if name in NORMS:
            return self._norm(name, arguments, place), ATOM
        return self._function(name, arguments, place), ATOM

    def _elementwise(self, node: Call, inner: Expression, place: Spot) -> tuple[str, int]:
        name = node.name.text
        if self.plain(inner):
            return self._number(node, inner, place)
        if name == "stop":
            return f"{self.held(inner, place, ATOM)}.detach()", ATOM
        function = self.use("acos") if name == "acos" else f"{self.module('torch')}.{name}"
        return f"{function}({self.code(inner, place)})", ATOM

    def _number(self, node: Call, inner: Expression, place: Spot) -> tuple[str, int]:
        """A function of a Python number."""
        name, value = node.name.text, constant(node, self.scope.constants())
        if name == "stop":
            return self.held(inner, place, ATOM), ATOM
        if value is not None and not math.isfinite(value):
            sign = "-" if value < 0 else ""
            return f"{sign}{self.module('math')}.{'nan' if value != value else 'inf'}", MINUS
        code = self.code(inner, place)
        if name == "acos":
            return f"{self.module('math')}.acos(max(-1, min(1, {code})))", ATOM
        if name == "sigmoid":
            return f"((1 + {self.module('math')}.tanh(({code}) / 2)) / 2)", ATOM
        if name in NUMBERS:
            return NUMBERS[name].format(code), ATOM
        return f"{self.module('math')}.{name}({code})", ATOM

    def _reduction(self, name: str, arguments: list[Expression], place: Spot) -> tuple[str, int]:
        if len(arguments) == 2:
            return self._of_two(name, arguments, place)
        shape, (batched, whole) = self.shape(arguments[0], place), REDUCTIONS[name]
        if shape in (Shape.SCALAR, Shape.SAMPLE):
            return self.held(arguments[0], place, ATOM), ATOM
        if shape.per_sample:
            return f"{self.use(batched)}({self.code(arguments[0], place)})", ATOM
        return f"{self.held(arguments[0], place, ATOM)}.{whole}()", ATOM

    def _of_two(self, name: str, arguments: list[Expression], place: Spot) -> tuple[str, int]:
        """Of two values, entry by entry."""
        shapes = [self.shape(one, place) for one in arguments]
        shape = joined(shapes[0], shapes[1]) or shapes[0]
        plain = all(self.plain(one) for one in arguments)
        least = 0 if name in OF_TWO else PRODUCT
        one, two = (self.expanded(argument, place, shape, least) for argument in arguments)
        if name == "sum":
            return f"({one} + {two})", ATOM
        if name == "mean":
            return f"({one} + {two}) / 2", PRODUCT
        return f"{name if plain else self.use(OF_TWO[name])}({one}, {two})", ATOM

    def _norm(self, name: str, arguments: list[Expression], place: Spot) -> str:
        """A norm of each sample's part; of all weights together; or of a whole table."""
        shape, value = self.shape(arguments[0], place), self.code(arguments[0], place)
        rest = "".join(f", {self.code(one, place)}" for one in arguments[1:])
        if shape == Shape.W and place.key:
            return f"{self.use(name)}({self.held(arguments[0], place, ATOM)}[None]{rest}).squeeze(0)"
        if shape == Shape.W and not isinstance(arguments[0], Name):
            each = self.code(arguments[0], replace(place, key="name"))
            value = f"{{name: {each} for name in {place.value('w')}}}"
        if shape == Shape.W:
            return f"{self.use(f'weights_{name}')}({value}{rest})"
        if shape.per_sample:
            return f"{self.use(name)}({value}{rest})"
        return f"{self.use(name)}({self.held(arguments[0], place, ATOM)}[None]{rest}).squeeze(0)"

    def _network(self, name: str, arguments: list[Expression], place: Spot) -> str:
        given = ", ".join(self.code(one, place) for one in arguments)
        return f"{identifier(name)}({given})"

    def _function(self, name: str, arguments: list[Expression], place: Spot) -> str:
        if name == "h":
            return f"{place.line}.h[{quoted(self.scope.word(arguments[0]) or '')}]"
        if name == "view":
            return f"self.view({self.code(arguments[0], place)})"
        if name == "named":
            return f"{self.use('named')}({place.key}, {quoted(self.scope.word(arguments[0]) or '')})"
        codes = [self.code(one, place) for one in arguments]
        if name == "onehot":
            like = place.like()
            if self.shape(arguments[0], place) == Shape.SCALAR:
                codes = [f"self.full({codes[0]}, len({like}), {like})"]
            codes += ["self.outputs", like]
        if name == "quadratic":
            return f"{self.use('quadratic_table')}({', '.join(codes)}{self.diagonal(arguments[1], place)})"
        added = source_of_op(name)
        return f"{self.use(name if added is None else added.attribute)}({', '.join(codes)})"

    def diagonal(self, matrices: Expression, place: Spot) -> str:
        """Whether the matrices of a quadratic form are given by their diagonals."""
        return f", diagonal={self.shape(matrices, place) == Shape.VECTORS}"
