"""Expressions as Python: the same tree in torch's words, with axes added only where shapes ask for it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from taxo.compiler.names import identifier
from taxo.compiler.text import quoted
from taxo.language.constants import constant
from taxo.language.errors import fail
from taxo.language.printer import ATOM, COMPARISON, CONDITIONAL, MINUS, POWER, STRENGTH
from taxo.language.scope import Findings, Scope
from taxo.language.shapes import Reader, Shapes
from taxo.language.syntax import (
    Attribute,
    Binary,
    Call,
    Conditional,
    Expression,
    Index,
    Member,
    Name,
    Number,
    String,
    Unary,
)
from taxo.language.vocabulary import CONSTANTS, Place, Shape
from taxo.plugins import source_of_op

TORCH = {"exp", "log", "sqrt", "abs", "sign", "relu", "sigmoid"}
DERIVED = {"margin", "gradnorm", "correct"}
STEP_VALUES = {
    "C": "self.classes",
    "N": "self.samples",
    "epoch": "self.epochs_done",
    "epochs": "self.epochs_planned",
    "progress": "self.progress",
}


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in the program an expression is written: what each value is called there.

    The `let`s of `spelt` have no name there, and are written out.
    """

    reader: Reader
    x: str = "x"
    u: str = "u"
    y: str = "y"
    loss: str = "loss"
    soft: bool = False
    clean: str = "clean"
    unknown: str = ""
    key: str = ""
    spelt: frozenset[str] = frozenset()


@dataclass(slots=True)
class Writer:
    """Writes expressions of one method, and remembers which of the runtime's functions they call."""

    scope: Scope
    imports: set[str] = field(default_factory=set[str])
    modules: set[str] = field(default_factory=set[str])

    def shape(self, node: Expression, place: Spot) -> Shape:
        """The shape of an expression that has been checked."""
        shape = Shapes(self.scope, Findings()).of(node, place.reader)
        return Shape.SCALAR if shape is None else shape

    def use(self, name: str) -> str:
        """A function of the runtime, imported."""
        self.imports.add(name)
        return name

    def module(self, name: str) -> str:
        """A module, imported."""
        self.modules.add(name)
        return name

    def norms(self, mode: str, gradient: bool | None = None) -> str:
        """The head of the block that passes of a norm mode stand under; empty for a plain training pass.

        `gradient` forces gradients on or off; None leaves them as the user has them.
        """
        modes: list[str] = []
        if gradient is not None:
            modes.append(f"{self.module('torch')}.{'enable_grad' if gradient else 'no_grad'}()")
        if mode != "update":
            modes.append(f"{self.use('norms')}(self.model, {quoted(mode)})")
        return f"with {', '.join(modes)}:" if modes else ""

    def held(self, node: Expression, place: Spot, least: int) -> str:
        """The expression's code, in parentheses where it is weaker than its place."""
        code, strength = self.of(node, place)
        return code if strength >= least else f"({code})"

    def code(self, node: Expression, place: Spot) -> str:
        """The expression's code."""
        return self.of(node, place)[0]

    def expanded(
        self, node: Expression, place: Spot, target: Shape, like: str, least: int = CONDITIONAL
    ) -> str:
        """The expression's code with the axes that `target` has and it lacks."""
        shape = self.shape(node, place)
        if shape == Shape.SAMPLE and target == Shape.ROW:
            return f"{self.held(node, place, ATOM)}[:, None]"
        if shape == Shape.SAMPLE and target == Shape.X:
            return f"{self.use('per_sample')}({self.code(node, place)}, {like})"
        return self.held(node, place, least)

    def of(self, node: Expression, place: Spot) -> tuple[str, int]:
        """The expression's code, and how tightly it holds together."""
        match node:
            case Number():
                value = node.value
                return repr(int(value) if value.is_integer() and abs(value) < 1e15 else value), ATOM
            case String():
                return repr(node.text), ATOM
            case Name():
                return self._name(node, place)
            case Attribute():
                return self._of_pass(node.name.text, place.clean, place), ATOM
            case Unary():
                return self._unary(node, place)
            case Binary():
                return self._binary(node, place)
            case Member():
                share = self.code(node.group.arguments[0].value, place)
                return f"{self.use('top')}({self.code(node.element, place)}, {share})", ATOM
            case Conditional():
                return self._conditional(node, place)
            case Call():
                return self._call(node, place)
            case Index():
                return self._index(node, place)

    def _name(self, node: Name, place: Spot) -> tuple[str, int]:
        name = node.text
        if name == place.reader.unknown:
            return place.unknown + (f"[{place.key}]" if place.key else ""), ATOM
        if name in place.spelt:
            return self.of(self.scope.lets[name].value, place)
        if name in self.scope.declared:
            keyed = name in self.scope.draws and self.shape(node, place) == Shape.W
            return identifier(name) + (f"[{place.key}]" if keyed else ""), ATOM
        if name in CONSTANTS:
            return f"{self.module('math')}.{name}", ATOM
        if name in STEP_VALUES:
            return STEP_VALUES[name], ATOM
        return self._value(node, place), ATOM

    def _value(self, node: Name, place: Spot) -> str:
        match node.text:
            case "x":
                return place.x
            case "u":
                return place.u
            case "loss":
                return place.loss
            case "w":
                return f"w[{place.key}]"
            case "y":
                return (
                    place.y
                    if place.soft
                    else f"{self.use('distribution')}({place.y}, self.classes, {self.like(place)})"
                )
            case "class_prior" | "class_count":
                return f"self.{node.text}({self.like(place)})"
            case "p":
                return f"{self.use('softmax')}({place.u})"
            case name if name in DERIVED:
                return f"{self.use(name)}({place.u}, {place.y})"
            case name:
                fail("T210", f"`{name}` cannot be read here in this version", node.span)

    def like(self, place: Spot) -> str:
        """A tensor at hand whose type and device others take."""
        return place.u if place.reader.place >= Place.LOGITS else place.x

    def _of_pass(self, name: str, line: str, place: Spot) -> str:
        if name in ("u", "loss"):
            return f"{line}.{name}"
        if name == "p":
            return f"{self.use('softmax')}({line}.u)"
        return f"{self.use(name)}({line}.u, {place.y})"

    def _unary(self, node: Unary, place: Spot) -> tuple[str, int]:
        if node.operator == "not" and self.plain(node.operand):
            return f"not {self.held(node.operand, place, ATOM)}", COMPARISON
        if node.operator == "not":
            return f"~{self.held(node.operand, place, ATOM)}", MINUS
        return f"-{self.held(node.operand, place, MINUS)}", MINUS

    def _binary(self, node: Binary, place: Spot) -> tuple[str, int]:
        if node.operator in ("and", "or"):
            sides = [self._mask(side, place) for side in (node.left, node.right)]
            return {"and": " & ", "or": " | "}[node.operator].join(sides), COMPARISON
        own = STRENGTH[node.operator]
        shape = self.shape(node, place)
        if node.operator == "^":
            left = self.expanded(node.left, place, shape, place.x, ATOM)
            return f"{left} ** {self.expanded(node.right, place, shape, place.x, MINUS)}", POWER
        least = own + 1 if own == COMPARISON else own
        left = self.expanded(node.left, place, shape, place.x, least)
        right = self.expanded(node.right, place, shape, place.x, own + 1)
        return f"{left} {node.operator} {right}", own

    def _mask(self, node: Expression, place: Spot) -> str:
        code = self.held(node, place, ATOM)
        return f"{code}.mask" if self.shape(node, place) == Shape.TOP else code

    def _conditional(self, node: Conditional, place: Spot) -> tuple[str, int]:
        shape = self.shape(node, place)
        if self.plain(node.condition):
            sides = [
                self.expanded(side, place, shape, place.x, COMPARISON)
                for side in (node.value, node.otherwise)
            ]
            return (
                f"{sides[0]} if {self.held(node.condition, place, COMPARISON)} else {sides[1]}",
                CONDITIONAL,
            )
        condition = self._mask(node.condition, place)
        if shape == Shape.ROW:
            condition = f"({condition})[:, None]"
        elif shape == Shape.X:
            condition = f"{self.use('per_sample')}({condition}, {place.x})"
        sides = [self.expanded(side, place, shape, place.x) for side in (node.value, node.otherwise)]
        if any(self.plain(side) for side in (node.value, node.otherwise)):
            return f"{self.use('choose')}({condition}, {', '.join(sides)}, {self.like(place)})", ATOM
        return f"{self.module('torch')}.where({condition}, {', '.join(sides)})", ATOM

    def plain(self, node: Expression) -> bool:
        """Whether an expression is a Python number while the program runs, not a tensor."""
        numbers = {*self.scope.params, *CONSTANTS, "C", "N"}
        return all(name in numbers for name in self.scope.reads(node)) and not any(
            name in self.scope.draws for name in self.scope.reads(node)
        )

    def _call(self, node: Call, place: Spot) -> tuple[str, int]:
        name, inner = node.name.text, node.arguments[0].value
        if name == "stop" and self.plain(inner):
            return self.of(inner, place)
        if name == "stop":
            return f"{self.held(inner, place, ATOM)}.detach()", ATOM
        if name in TORCH and self.plain(inner):
            value = constant(node, self.scope.constants())
            if value is not None and not math.isfinite(value):
                sign = "-" if value < 0 else ""
                return f"{sign}{self.module('math')}.{'nan' if value != value else 'inf'}", MINUS
            return self._number_call(name, self.code(inner, place)), ATOM
        arguments = [self.code(argument.value, place) for argument in node.arguments]
        if name == "onehot":
            arguments += ["self.classes", self.like(place)]
        added = source_of_op(name)
        if added is not None:
            return f"{self.use(added.attribute)}({', '.join(arguments)})", ATOM
        owner = f"{self.module('torch')}." if name in TORCH else ""
        return f"{owner}{name if owner else self.use(name)}({', '.join(arguments)})", ATOM

    def _number_call(self, name: str, code: str) -> str:
        if name == "relu":
            return f"max({code}, 0)"
        if name == "sigmoid":
            return f"(1 / (1 + {self.module('math')}.exp(-({code}))))"
        if name == "sign":
            return f"(({code} > 0) - ({code} < 0))"
        return f"abs({code})" if name == "abs" else f"{self.module('math')}.{name}({code})"

    def _index(self, node: Index, place: Spot) -> tuple[str, int]:
        value = self.held(node.value, place, ATOM)
        if isinstance(node.index, Name) and node.index.text == "y" and "y" not in self.scope.declared:
            return f"{self.use('pick')}({self.code(node.value, place)}, {place.y})", ATOM
        index = self.code(node.index, place)
        if self.shape(node.index, place) == Shape.SCALAR:
            return f"{value}[..., {index}]", ATOM
        return f"{self.use('pick')}({value}, {index})", ATOM
