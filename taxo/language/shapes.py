"""The shape of every expression, and the errors of those that have none."""

from __future__ import annotations

from dataclasses import dataclass

from taxo.language.errors import suggest
from taxo.language.printer import expression_text
from taxo.language.scope import Findings, Scope
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
from taxo.language.vocabulary import FUNCTIONS, GROUPS, VALUES, Place, Shape

TRUTHS = (Shape.MASK, Shape.TOP, Shape.SCALAR)
COMPARED = (Shape.SCALAR, Shape.SAMPLE)
_WIDER = {
    frozenset({Shape.CLASS, Shape.ROW}): Shape.ROW,
    frozenset({Shape.SAMPLE, Shape.ROW}): Shape.ROW,
    frozenset({Shape.SAMPLE, Shape.X}): Shape.X,
}
_WAY_OUT = {
    "loss": "write `clean.loss` (one forward of the unperturbed batch)",
    "u": "write `clean.u` (one forward of the unperturbed batch)",
    "p": "write `clean.p` (one forward of the unperturbed batch)",
}


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads an expression: at which place of the line, and with which unknown in hand."""

    place: Place
    target: str
    unknown: str | None = None
    shape: Shape = Shape.SCALAR


ANYWHERE = Reader(Place.LOSS, "loss")


def joined(left: Shape, right: Shape) -> Shape | None:
    """The shape of a sum of two; None where they do not fit."""
    if left == right or right == Shape.SCALAR:
        return left
    if left == Shape.SCALAR:
        return right
    return _WIDER.get(frozenset({left, right}))


class Shapes:
    """Finds shapes within one method, and notes what does not fit."""

    def __init__(self, scope: Scope, findings: Findings) -> None:
        self.scope = scope
        self.findings = findings

    def of(self, node: Expression, reader: Reader) -> Shape | None:
        """The shape of an expression where `reader` reads it; None if it is wrong (and noted)."""
        match node:
            case Number():
                return Shape.SCALAR
            case String():
                return Shape.WORD
            case Name():
                return self._name(node, reader)
            case Attribute():
                return self._attribute(node)
            case Unary():
                return self._unary(node, reader)
            case Binary():
                return self._binary(node, reader)
            case Member():
                return self._member(node, reader)
            case Conditional():
                return self._conditional(node, reader)
            case Call():
                return self._call(node, reader)
            case Index():
                return self._index(node, reader)

    def _name(self, node: Name, reader: Reader) -> Shape | None:
        scope, name = self.scope, node.text
        scope.read.add(name)
        if name == reader.unknown:
            return reader.shape
        if name in scope.params:
            return Shape.WORD if scope.is_word(scope.params[name]) else Shape.SCALAR
        if name in scope.draws:
            return self._draw(name, reader)
        if name in scope.lets:
            return self.of(scope.lets[name].value, reader)
        if name in VALUES:
            return self._value(node, reader)
        known = [*scope.visible(), *([reader.unknown] if reader.unknown else [])]
        self.findings.error("T201", f"nothing declares `{name}`", node.span, suggest(name, known))
        return None

    def _draw(self, name: str, reader: Reader) -> Shape | None:
        draw = self.scope.draws[name]
        if draw.like is not None:
            return self.of(draw.like, reader)
        return Shape.SAMPLE if draw.per.text == "sample" else Shape.SCALAR

    def _value(self, node: Name, reader: Reader) -> Shape | None:
        value = VALUES[node.text]
        if value.shape == Shape.PASS:
            self.findings.error(
                "T201", f"`{node.text}` is a pass, not a value", node.span, "write `clean.loss`"
            )
            return None
        if value.place > reader.place:
            message = f"`{node.text}` comes after `{reader.target}`"
            self.findings.error(
                "T203", message, node.span, _WAY_OUT.get(node.text, "read it further down the line")
            )
            return None
        if value.shape == Shape.W and reader.target != "weights":
            self.findings.error("T203", "`w` is read in `perturb weights` only", node.span, "drop it")
            return None
        return value.shape

    def _attribute(self, node: Attribute) -> Shape | None:
        owner, name = node.owner, node.name
        self.scope.read.add(owner.text)
        passes = [word for word, value in VALUES.items() if value.shape == Shape.PASS]
        if owner.text not in passes:
            self.findings.error("T201", f"`{owner.text}` is no pass", owner.span, suggest(owner.text, passes))
            return None
        held = {word: value for word, value in VALUES.items() if value.clean}
        if name.text not in held:
            self.findings.error(
                "T201", f"`{owner.text}` has no `{name}`", name.span, suggest(name.text, held)
            )
            return None
        return held[name.text].shape

    def _unary(self, node: Unary, reader: Reader) -> Shape | None:
        shape = self.of(node.operand, reader)
        if node.operator == "not":
            return self._among(node.operand, shape, TRUTHS, "is no condition")
        return self._number(node.operand, shape)

    def _binary(self, node: Binary, reader: Reader) -> Shape | None:
        left, right = self.of(node.left, reader), self.of(node.right, reader)
        if node.operator in ("and", "or"):
            both = [
                self._among(side, shape, TRUTHS, "is no condition")
                for side, shape in ((node.left, left), (node.right, right))
            ]
            return None if None in both else Shape.MASK
        if node.operator in (">", "<", ">=", "<=", "==", "!="):
            left = self._among(node.left, left, COMPARED, "has no order")
            right = self._among(node.right, right, COMPARED, "has no order")
            return Shape.MASK if left and right else None
        return self._join(node, self._number(node.left, left), self._number(node.right, right))

    def _join(self, node: Expression, left: Shape | None, right: Shape | None) -> Shape | None:
        if left is None or right is None:
            return None
        shape = joined(left, right)
        if shape is None:
            message = f"`{expression_text(node)}` joins {left.value} and {right.value}"
            hint = (
                "pick the label's entry with `[y]`" if Shape.CLASS in (left, right) else "they share no axis"
            )
            self.findings.error("T207", message, node.span, hint)
        return shape

    def _member(self, node: Member, reader: Reader) -> Shape | None:
        self._among(
            node.element, self.of(node.element, reader), (Shape.SAMPLE,), "is not one number per sample"
        )
        group = node.group
        if group.name.text not in GROUPS:
            self.findings.unknown_word("group", group.name, GROUPS)
            return None
        if len(group.arguments) != 1:
            self.findings.error("T204", "`top` takes one share", group.span, "write `top(25%)`")
            return None
        share = group.arguments[0].value
        self._among(share, self.of(share, reader), (Shape.SCALAR,), "is not a number")
        return Shape.TOP

    def _conditional(self, node: Conditional, reader: Reader) -> Shape | None:
        condition = self.of(node.condition, reader)
        self._among(node.condition, condition, TRUTHS, "is no condition")
        shape = self._join(node, self.of(node.value, reader), self.of(node.otherwise, reader))
        if shape is None or condition in (None, Shape.SCALAR):
            return shape
        return self._join(node, shape, Shape.SAMPLE)

    def _call(self, node: Call, reader: Reader) -> Shape | None:
        function = FUNCTIONS.get(node.name.text)
        shapes = [self.of(argument.value, reader) for argument in node.arguments]
        if function is None:
            self.findings.unknown_word("function", node.name, FUNCTIONS)
            return None
        if len(shapes) != len(function.shapes) or any(argument.name for argument in node.arguments):
            count = len(function.shapes)
            message = f"`{node.name}` takes {count} argument{'s' * (count != 1)}, not {len(shapes)}"
            self.findings.error("T204", message, node.span, f"`{node.name}` is {function.meaning}")
            return None
        for argument, given, wanted in zip(node.arguments, shapes, function.shapes, strict=True):
            if wanted is not None and given is not None and given != wanted:
                message = f"`{expression_text(argument.value)}` is {given.value}, not {wanted.value}"
                self.findings.error("T207", message, argument.span, f"`{node.name}` is {function.meaning}")
                return None
        return self._number(node.arguments[0].value, shapes[0]) and (function.result or shapes[0])

    def _index(self, node: Index, reader: Reader) -> Shape | None:
        value, index = self.of(node.value, reader), self.of(node.index, reader)
        self._among(node.index, index, (Shape.ROW, Shape.SAMPLE, Shape.SCALAR), "is not a class")
        self._among(node.value, value, (Shape.ROW, Shape.CLASS), "has no classes")
        if value == Shape.CLASS and index == Shape.SCALAR:
            return Shape.SCALAR
        return Shape.SAMPLE

    def _number(self, node: Expression, shape: Shape | None) -> Shape | None:
        if shape in (Shape.MASK, Shape.TOP, Shape.WORD):
            self.findings.error(
                "T207", f"`{expression_text(node)}` is {shape.value}, not a number", node.span
            )
            return None
        return shape

    def _among(
        self, node: Expression, shape: Shape | None, wanted: tuple[Shape, ...], complaint: str
    ) -> Shape | None:
        if shape is None or shape in wanted:
            return shape
        hint = f"it is {shape.value}; expected {' or '.join(one.value for one in wanted)}"
        self.findings.error("T207", f"`{expression_text(node)}` {complaint}", node.span, hint)
        return None
