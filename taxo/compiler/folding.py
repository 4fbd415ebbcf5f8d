"""Expressions without what the values of the parameters make needless, and draws without chance."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from taxo.compiler.whole import Rewriting, ShapeOf
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.method import Draw
from taxo.language.syntax import Binary, Call, Conditional, Expression, Index, Member, Number, Unary
from taxo.language.vocabulary import DISTRIBUTIONS

Names = Mapping[str, float]
ZERO, ONE, INFINITY = Number(0.0), Number(1.0), float("inf")
VANISHING = {"reach": 2}  # functions that are zero where one of their arguments is


def fold(node: Expression, values: Names) -> Expression:
    """The expression without the terms that the values make zero."""
    return Folding(values)(node)


class Folding(Rewriting):
    """Leaves out the terms that the values make zero."""

    def __init__(self, values: Names, shape: ShapeOf | None = None) -> None:
        super().__init__(shape)
        self._values = values

    def change(self, node: Expression) -> Expression:
        """What is left of an expression."""
        values = self._values
        match node:
            case Binary(operator="and" | "or"):
                return _fold_logic(node, self(node.left), self(node.right), values)
            case Binary(operator="*" | "/" | "+" | "-"):
                return _fold_sum_or_product(node, self(node.left), self(node.right), values)
            case Binary(operator="^"):
                power = self.below(node)
                # by IEEE 754 that is so of every number, NaN too
                return ONE if isinstance(power, Binary) and constant(power.right, values) == 0 else power
            case Binary(operator=">" | "<" | ">=" | "<="):
                return _fold_comparison(node, self(node.left), self(node.right), values)
            case Conditional():
                held = constant(self(node.condition), values)
                return self.below(node) if held is None else self(node.value if held else node.otherwise)
            case Call() if _vanishes(node, values):
                return ZERO
            case Unary():
                operand = self(node.operand)
                value = constant(operand, values)
                truth = value is not None and node.operator == "not"
                return Number(float(not value)) if truth else replace(node, operand=operand)
            case Member():
                return self._member(node)
            case Index():
                value = constant(self(node.value), values)  # a number is the same number at every place
                return self.below(node) if value is None else Number(value)
            case _:
                return self.below(node)

    def _member(self, node: Member) -> Expression:
        share = constant(node.group.arguments[0].value, self._values)
        if share is not None and (share <= 0 or share >= 1):
            return ZERO if share <= 0 else ONE
        return self.below(node)


def _fold_sum_or_product(node: Binary, left: Expression, right: Expression, values: Names) -> Expression:
    a, b = constant(left, values), constant(right, values)
    result: Expression = replace(node, left=left, right=right)
    match node.operator:
        case "*":
            result = ZERO if 0 in (a, b) else result
        case "/":
            result = ZERO if a == 0 and b != 0 else result
        case "+":
            result = right if a == 0 else left if b == 0 else result
        case _:
            result = left if b == 0 else Unary("-", right, span=node.span) if a == 0 else result
    return result


def _fold_comparison(node: Binary, left: Expression, right: Expression, values: Names) -> Expression:
    """Whatever is not known beforehand is taken to be finite."""
    a, b = constant(left, values), constant(right, values)
    if (a is None) != (b is None) and INFINITY in (a, b):
        return Number(float((node.operator[0] == "<") == (a is None)))
    return replace(node, left=left, right=right)


def _vanishes(node: Call, values: Names) -> bool:
    place = VANISHING.get(node.name.text, len(node.arguments))
    return place < len(node.arguments) and constant(node.arguments[place].value, values) == 0


def _fold_logic(node: Binary, left: Expression, right: Expression, values: Names) -> Expression:
    decides = node.operator == "or"  # the truth of one side that settles the whole
    for side, other in ((left, right), (right, left)):
        value = constant(side, values)
        if value is not None:
            return Number(float(decides)) if bool(value) == decides else other
    return replace(node, left=left, right=right)


def certain(draw: Draw, values: Names) -> float | None:
    """The one value that a draw can have; None where it has more."""
    name = draw.distribution.name.text
    options = given(draw.distribution, DISTRIBUTIONS[name].options) if name in DISTRIBUTIONS else {}
    numbers = {key: constant(value, values) for key, value in options.items()}
    known = {key: value for key, value in numbers.items() if value is not None}
    return CERTAIN[name](known) if name in CERTAIN else None


def _normal(known: Names) -> float | None:
    return known.get("mean") if known.get("deviation") == 0 else None


def _truncated(known: Names) -> float | None:
    if known.get("deviation") != 0 or not {"mean", "low", "high"} <= set(known):
        return None
    return min(max(known["mean"], known["low"]), known["high"])


def _uniform(known: Names) -> float | None:
    return known.get("low") if known.get("low") == known.get("high") else None


def _beta(known: Names) -> float | None:
    return 1.0 if known.get("b") == 0 else 0.0 if known.get("a") == 0 else None


def _share(name: str, ends: tuple[float, ...]) -> Callable[[Names], float | None]:
    return lambda known: known[name] if known.get(name) in ends else None


CERTAIN: dict[str, Callable[[Names], float | None]] = {
    "normal": _normal,
    "truncated_normal": _truncated,
    "uniform": _uniform,
    "beta": _beta,
    "bernoulli": _share("share", (0, 1)),
    "rectangle": _share("area", (0,)),
}
