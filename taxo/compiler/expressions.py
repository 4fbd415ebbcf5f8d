"""Expressions as Python: the same tree in torch's words, with axes added only where shapes ask for it."""

from __future__ import annotations

import re

from taxo.compiler.calls import CallWriter
from taxo.compiler.names import identifier
from taxo.compiler.spots import Spot
from taxo.language.axes import joined, multiplied
from taxo.language.constants import constant
from taxo.language.printer import ATOM, COMPARISON, CONDITIONAL, MINUS, POWER, STRENGTH
from taxo.language.scope import TRUTHS
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
    walk,
)
from taxo.language.vocabulary import CONSTANTS, Shape

DERIVED = {"margin", "gradnorm", "correct"}
STEP_VALUES = {
    "C": "self.classes",
    "N": "self.samples",
    "epoch": "self.epochs_done",
    "epochs": "self.epochs_planned",
    "step": "self.steps_done",
    "progress": "self.progress",
    "lr": "self.lr",
    "lr0": "self.lr0",
}
PASSES = ("clean", "teacher")
SIMPLE = re.compile(r"-?[A-Za-z_][\w.]*|-?[\d.]+")  # what stands close to `**`


class Writer(CallWriter):
    """Writes expressions of one method, and remembers which of the runtime's functions they call."""

    def held(self, node: Expression, place: Spot, least: int) -> str:
        """The expression's code, in parentheses where it is weaker than its place."""
        code, strength = self.of(node, place)
        return code if strength >= least else f"({code})"

    def expanded(self, node: Expression, place: Spot, target: Shape, least: int = CONDITIONAL) -> str:
        """The expression's code with the axes that `target` has and it lacks.

        Axes in front come by themselves; those behind are added, as many as a value of that shape has.
        """
        shape = self.shape(node, place)
        own, whole = shape.axes or "", target.axes or ""
        if not own or whole.endswith(own) or not whole.startswith(own):
            return self.held(node, place, least)
        lacking = whole[len(own) :]
        wide = {"X": "x", "H": "h", "M": place.unknown}.get(lacking)
        if wide is None:
            return f"{self.held(node, place, ATOM)}[..., {', '.join(['None'] * len(lacking))}]"
        like = wide if lacking == "M" else place.value(wide)
        return f"{self.use('per_sample')}({self.code(node, place)}, {like})"

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
                return self._attribute(node, place), ATOM
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
                return self.call(node, place)
            case Index():
                return self._index(node, place)

    def _name(self, node: Name, place: Spot) -> tuple[str, int]:
        name = node.text
        if name == place.reader.unknown:
            return place.unknown + (f"[{place.key}]" if place.key else ""), ATOM
        if name in place.spelt:
            return self.of(self.scope.lets[name].value, place)
        if name in self.scope.declared:
            if self.scope.word(node) in TRUTHS and name in self.scope.params:
                return str(self.scope.word(node) == "true"), ATOM
            keyed = name in self.scope.draws and self.shape(node, place) == Shape.W
            return identifier(name) + (f"[{place.key}]" if keyed and place.key else ""), ATOM
        if name in TRUTHS:
            return str(name == "true"), ATOM
        if name in CONSTANTS:
            return f"{self.module('math')}.{name}", ATOM
        if name in STEP_VALUES:
            return STEP_VALUES[name], ATOM
        return self._value(name, place), ATOM

    def _value(self, name: str, place: Spot) -> str:
        match name:
            case "w":
                return place.value("w") + (f"[{place.key}]" if place.key else "")
            case "y":
                return place.y if place.soft else self.distribution(place)
            case "class_prior" | "class_count" | "prior":
                return f"self.{name}({place.like()})"
            case "p":
                return place.own.get("p") or f"{self.use('softmax')}({place.value('u')})"
            case "generator":
                return f"self.generated({place.value('x')})"
            case "corruption" | "corrupted":
                return self._corrupted(place)
            case _ if name in DERIVED:
                return f"{self.use(name)}({place.value('u')}, {place.y})"
            case _:
                return place.value(name)

    def distribution(self, place: Spot) -> str:
        """The labels as distributions."""
        return f"{self.use('distribution')}({place.y}, self.outputs, {place.like()})"

    def _corrupted(self, place: Spot) -> str:
        """The corrupted input: by which corruption, and how strongly."""
        asked = self.scope.needs["corruption"].arguments
        name = self.scope.word(asked[0].value) or "" if asked else ""
        severity = self.code(asked[1].value, place) if len(asked) > 1 else "1"
        return f"self.corrupted({place.value('x')}, {name!r}, {severity})"

    def _attribute(self, node: Attribute, place: Spot) -> str:
        owner, name = node.owner.text, node.name.text
        line = place.clean
        if owner == "teacher":
            line = f"{place.line or 'self.here'}.teacher()"
        elif owner in self.scope.branches:
            line = f"line_{identifier(owner)}"
        if name == "p":
            return f"{self.use('softmax')}({line}.u)"
        return f"{self.use(name)}({line}.u, {place.y})" if name in DERIVED else f"{line}.{name}"

    def _unary(self, node: Unary, place: Spot) -> tuple[str, int]:
        if node.operator == "not" and self.plain(node.operand):
            return f"not {self.held(node.operand, place, ATOM)}", COMPARISON
        if node.operator == "not":
            return f"~{self.held(node.operand, place, ATOM)}", MINUS
        return f"-{self.held(node.operand, place, MINUS)}", MINUS

    def _binary(self, node: Binary, place: Spot) -> tuple[str, int]:
        if node.operator in ("and", "or"):
            return self._logic(node, place)
        if self.scope.is_word_choice(node):
            same = self.scope.word(node.left) == getattr(node.right, "text", None)
            return str(same == (node.operator == "==")), ATOM
        own = STRENGTH[node.operator]
        shapes = [self.shape(side, place) for side in (node.left, node.right)]
        together = multiplied if node.operator in ("*", "/") else joined
        shape = together(shapes[0], shapes[1]) or shapes[0]
        if node.operator == "^":
            left = self.expanded(node.left, place, shape, ATOM)
            right = self.expanded(node.right, place, shape, MINUS)
            simple = SIMPLE.fullmatch(left) and SIMPLE.fullmatch(right)
            return f"{left}**{right}" if simple else f"{left} ** {right}", POWER
        least = own + 1 if own == COMPARISON else own
        left = self.expanded(node.left, place, shape, least)
        right = self.expanded(node.right, place, shape, own + 1)
        return f"{left} {node.operator} {right}", own

    def _logic(self, node: Binary, place: Spot) -> tuple[str, int]:
        if self.plain(node):
            sides = [self.held(side, place, ATOM) for side in (node.left, node.right)]
            return f" {node.operator} ".join(sides), COMPARISON
        sides = [self.mask(side, place) for side in (node.left, node.right)]
        return {"and": " & ", "or": " | "}[node.operator].join(sides), COMPARISON

    def mask(self, node: Expression, place: Spot) -> str:
        """A condition as true or false for each sample, or for all."""
        value = constant(node, self.scope.constants())
        if value is not None:
            return f"{self.module('torch')}.full((len(x),), {bool(value)}, device=x.device)"
        code = self.held(node, place, ATOM)
        return f"{code}.mask" if self.shape(node, place) == Shape.TOP else code

    def _conditional(self, node: Conditional, place: Spot) -> tuple[str, int]:
        shape = self.shape(node, place)
        if self.plain(node.condition):
            sides = self._alike(node, place, shape)
            return (
                f"{sides[0]} if {self.held(node.condition, place, COMPARISON)} else {sides[1]}",
                CONDITIONAL,
            )
        condition = self.mask(node.condition, place)
        if self.shape(node.condition, place) in (Shape.MASK, Shape.TOP) and shape != Shape.SAMPLE:
            wide = {"BX": "x", "BH": "h", "BM": place.unknown}.get(shape.axes or "")
            like = wide if wide in (None, place.unknown) else place.value(wide)
            one = "[:, None]" if shape in (Shape.ROW, Shape.Z) else ""
            condition = f"{self.use('per_sample')}({condition}, {like})" if like else f"({condition}){one}"
        sides = [self.expanded(side, place, shape) for side in (node.value, node.otherwise)]
        if any(self.plain(side) for side in (node.value, node.otherwise)):
            return f"{self.use('choose')}({condition}, {', '.join(sides)}, {place.like()})", ATOM
        return f"{self.module('torch')}.where({condition}, {', '.join(sides)})", ATOM

    def _alike(self, node: Conditional, place: Spot, shape: Shape) -> list[str]:
        """Both sides of a choice in one shape, though only one of them is computed."""
        sides = (node.value, node.otherwise)
        codes = [self.expanded(side, place, shape, COMPARISON) for side in sides]
        if shape == Shape.SCALAR or (shape == Shape.W and not place.key):
            return codes
        small = [self.shape(side, place) != shape for side in sides]
        own = ".to(({}).dtype)" if shape == Shape.W else ""  # weights stay of their type
        return [
            f"{self.use('filled')}({code}, {other}){own.format(other)}" if flat else code
            for code, flat, other in zip(codes, small, codes[::-1], strict=True)
        ]

    def plain(self, node: Expression) -> bool:
        """Whether an expression is a Python number while the program runs, not a tensor."""
        return all(self._is_plain(part) for part in walk(self.scope.written_out(node)))

    def _is_plain(self, part: Expression) -> bool:
        scope = self.scope
        match part:
            case Name():
                param = scope.params.get(part.text)
                grain = None if param is None or param.per is None else param.per.text
                numbered = param is not None and grain in (None, "corpus") and part.text not in scope.found
                words = param is None and not scope.knows(part.text) and part.text not in self.unknowns
                return numbered or part.text in (*CONSTANTS, *TRUTHS, "C", "N") or words
            case Attribute() | Member() | Index():
                return False
            case Call():
                return scope.network(part.name.text) is None and part.name.text not in ("h", "view")
            case _:
                return True

    def _index(self, node: Index, place: Spot) -> tuple[str, int]:
        value, index = self.shape(node.value, place), self.shape(node.index, place)
        if index == Shape.PERMUTATION:
            return f"{self.held(node.value, place, ATOM)}[{self.code(node.index, place)}]", ATOM
        label = isinstance(node.index, Name) and node.index.text == "y" and "y" not in self.scope.declared
        picked = place.y if label else self.code(node.index, place)
        classes = (value.axes or "").startswith("C")
        inner = self.scope.written_out(node.value)
        if isinstance(inner, Call) and inner.name.text == "quadratic" and index != Shape.SCALAR:
            weights, matrices = (self.code(argument.value, place) for argument in inner.arguments)
            diagonal = self.diagonal(inner.arguments[1].value, place)
            return f"{self.use('quadratic')}({weights}, {matrices}, {picked}{diagonal})", ATOM
        if index == Shape.SCALAR:
            dots = "" if classes else "..., "
            return f"{self.held(node.value, place, ATOM)}[{dots}{self._place_of(node.index, picked)}]", ATOM
        function = self.use("rows_of" if classes else "pick")
        return f"{function}({self.code(node.value, place)}, {picked})", ATOM

    def _place_of(self, index: Expression, code: str) -> str:
        """The place of a class that is a number; one from a calculation is a whole number all the same."""
        return code if isinstance(index, Name) or constant(index, {}) is not None else f"int({code})"
