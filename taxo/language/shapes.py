"""The shape of every expression, and the errors of those that have none."""

from __future__ import annotations

from collections.abc import Callable

from taxo.language.axes import joined, multiplied, picked
from taxo.language.calls import Calls, alternatives
from taxo.language.constants import constant
from taxo.language.lookup import ANYWHERE, Reader
from taxo.language.method import Choices
from taxo.language.printer import expression_text
from taxo.language.spelling import shortened, suggest
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
from taxo.language.vocabulary import GROUPS, Shape

TRUTHS = (Shape.MASK, Shape.TOP, Shape.TRUTH)
COMPARED = (Shape.SCALAR, Shape.SAMPLE)
CLASSES = ("argmax", "argmin")


class Shapes(Calls):
    """Finds shapes within one method, and notes what does not fit."""

    def of(self, node: Expression, reader: Reader) -> Shape | None:
        """The shape of an expression where `reader` reads it; None if it is wrong (and noted)."""
        match node:
            case Number():
                return Shape.SCALAR
            case String():
                return Shape.WORD
            case Name():
                return self.name(node, reader)
            case Attribute():
                return self.attribute(node, reader)
            case Unary():
                return self._unary(node, reader)
            case Binary():
                return self._finite(node, self._binary(node, reader))
            case Member():
                return self._member(node, reader)
            case Conditional():
                return self._conditional(node, reader)
            case Call():
                return self._finite(node, self.call(node, reader))
            case Index():
                return self._index(node, reader)

    def _unary(self, node: Unary, reader: Reader) -> Shape | None:
        if node.operator == "not":
            return self.condition(node.operand, reader)
        return self.number(node.operand, self.of(node.operand, reader))

    def _binary(self, node: Binary, reader: Reader) -> Shape | None:
        if node.operator in ("and", "or"):
            left, right = self.condition(node.left, reader), self.condition(node.right, reader)
            if left is None or right is None:
                return None
            return Shape.TRUTH if left == right == Shape.TRUTH else Shape.MASK
        if self.scope.is_word_choice(node):
            return self._word_choice(node)
        left, right = self.of(node.left, reader), self.of(node.right, reader)
        if node.operator in (">", "<", ">=", "<=", "==", "!="):
            left = self.among(node.left, left, COMPARED, "has no order")
            right = self.among(node.right, right, COMPARED, "has no order")
            if left is None or right is None:
                return None
            return Shape.TRUTH if left == right == Shape.SCALAR else Shape.MASK
        together = multiplied if node.operator in ("*", "/") else joined
        return self.join(node, self.number(node.left, left), self.number(node.right, right), together)

    def _word_choice(self, node: Binary) -> Shape | None:
        """Which word a parameter is: known before the run."""
        assert isinstance(node.left, Name)
        assert isinstance(node.right, Name)
        param, word = self.scope.params[node.left.text], node.right
        self.scope.read.add(node.left.text)
        domain = param.domain.choices if isinstance(param.domain, Choices) else ()
        words = [choice.text for choice in domain if isinstance(choice, Name)]
        if word.text in words:
            return Shape.TRUTH
        message = f"`{param.name}` is never `{shortened(word.text)}`"
        self.findings.error("T206", message, word.span, suggest(word.text, words))
        return None

    def join(
        self,
        node: Expression,
        left: Shape | None,
        right: Shape | None,
        together: Callable[[Shape, Shape], Shape | None] = joined,
    ) -> Shape | None:
        """The shape of two joined; noted where they do not fit."""
        if left is None or right is None:
            return None
        shape = together(left, right)
        if shape is None:
            hint = "they share no axis"
            if any((one.axes or "").startswith("C") for one in (left, right)):
                hint = "pick the label's entry with `[y]`"
            message = f"`{self.text(node)}` joins {left.value} and {right.value}"
            self.findings.error("T207", message, node.span, hint)
        return shape

    def condition(self, node: Expression, reader: Reader) -> Shape | None:
        """The shape of a condition; 0 and 1, which the compiler's passes make of some, are conditions too."""
        if isinstance(node, Number) and node.value in (0, 1):
            return Shape.TRUTH
        shape = self.of(node, reader)
        if shape is None or shape in TRUTHS:
            return shape
        hint = f"it is {shape.value}; a condition is such as `margin > 0` or `margin in top(25%)`"
        self.findings.error("T207", f"`{self.text(node)}` is no condition", node.span, hint)
        return None

    def _member(self, node: Member, reader: Reader) -> Shape | None:
        element = self.of(node.element, reader)
        element = self.among(node.element, element, (Shape.SAMPLE,), "is not one number per sample")
        group = node.group
        if group.name.text not in GROUPS:
            self.findings.unknown_word("group", group.name, GROUPS)
            return None
        if len(group.arguments) != 1 or group.arguments[0].name:
            hint = f"`{group.name}` is {GROUPS[group.name.text]}: write `top(25%)`"
            self.findings.error("T204", f"`{group.name}` takes one share", group.span, hint)
            return None
        return Shape.TOP if self._share(group.arguments[0].value, reader) and element else None

    def _share(self, share: Expression, reader: Reader) -> bool:
        """Whether a share of the batch is one, known before the run."""
        if self.among(share, self.of(share, reader), (Shape.SCALAR,), "is not a number") is None:
            return False
        value = constant(share, self.scope.constants())
        if value is None:
            message = f"the share `{self.text(share)}` is not known before the run"
            self.findings.error("T203", message, share.span, "make it of numbers and parameters")
            return False
        if not 0 <= value <= 1:
            message = f"the share `{self.text(share)}` is {100 * value:.4g}%, not from 0% to 100%"
            self.findings.error("T206", message, share.span, "such as `top(25%)`")
            return False
        return True

    def _conditional(self, node: Conditional, reader: Reader) -> Shape | None:
        condition = self.condition(node.condition, reader)
        value, otherwise = self.of(node.value, reader), self.of(node.otherwise, reader)
        shape = self.join(node, self.number(node.value, value), self.number(node.otherwise, otherwise))
        if shape is None or condition is None:
            return None
        if condition == Shape.TRUTH:
            return shape
        return self.join(node, shape, Shape.SAMPLE)

    def _index(self, node: Index, reader: Reader) -> Shape | None:
        value, index = self.of(node.value, reader), self.of(node.index, reader)
        indices = (Shape.ROW, Shape.SAMPLE, Shape.SCALAR, Shape.PERMUTATION)
        index = self.among(node.index, index, indices, "is no class, and no order of the batch")
        if value is None or index is None:
            return None
        if index in (Shape.SAMPLE, Shape.SCALAR):
            self.check_class(node.index)
        shape = picked(value, index)
        if shape is None:
            lacks = "is not per sample" if index == Shape.PERMUTATION else "has no classes"
            hint = f"it is {value.value}"
            self.findings.error("T207", f"`{self.text(node.value)}` {lacks}", node.value.span, hint)
        return shape

    def check_class(self, node: Expression) -> None:
        """A class is a label, the place of an extremum, or a whole number."""
        let = self.scope.lets.get(node.text) if isinstance(node, Name) else None
        if let is not None:
            node = let.value
        number = constant(node, self.scope.constants())
        if isinstance(node, Call) and node.name.text in CLASSES:
            return
        if isinstance(node, Name) and node.text == "C":
            return  # the entry behind those of the classes, where `needs outputs(C + 1)`
        if number is None or number < 0 or number != number // 1:
            message = f"`{self.text(node)}` is no class"
            self.findings.error("T207", message, node.span, "write `y`, `argmax(...)` or a whole number")

    def _finite(self, node: Expression, shape: Shape | None) -> Shape | None:
        """The shape, unless the expression is a number that arithmetic does not have."""
        if shape != Shape.SCALAR:
            return shape
        value = constant(node, self.scope.constants())
        if value is None or value == value:
            return shape
        message = f"`{self.text(node)}` has no value"
        self.findings.error(
            "T206", message, node.span, "it divides by zero, overflows, or is not a real number"
        )
        return None

    def number(self, node: Expression, shape: Shape | None) -> Shape | None:
        """The shape, if it is one of numbers; else it is noted."""
        if shape is None or shape.numeric:
            return shape
        hint = "for 1 where it holds and 0 elsewhere write `1 if ... else 0`"
        if shape == Shape.WORD:
            hint = "words are options, not values"
        elif shape == Shape.PERMUTATION:
            hint = "it reorders the batch: `x[k]`"
        elif shape == Shape.NETWORK:
            hint = "give it what it reads: `net(clean.loss)`"
        message = f"`{self.text(node)}` is {shape.value}, not a number"
        self.findings.error("T207", message, node.span, hint)
        return None

    def among(
        self, node: Expression, shape: Shape | None, wanted: tuple[Shape, ...], complaint: str
    ) -> Shape | None:
        """The shape, if it is one of those wanted; else it is noted."""
        if shape is None or shape in wanted:
            return shape
        hint = f"it is {shape.value}; expected {alternatives(wanted)}"
        self.findings.error("T207", f"`{self.text(node)}` {complaint}", node.span, hint)
        return None

    def text(self, node: Expression) -> str:
        """An expression as messages quote it."""
        return shortened(expression_text(node))


__all__ = ["ANYWHERE", "Reader", "Shapes", "joined"]
