"""Whether a goal rises with the loss, and between which bounds an expression lies."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.method import Interval
from taxo.language.scope import Scope
from taxo.language.syntax import (
    Attribute,
    Binary,
    Call,
    Conditional,
    Expression,
    Index,
    Name,
    Number,
    Unary,
    names,
)
from taxo.language.vocabulary import DISTRIBUTIONS

RISING = ("exp", "log", "sqrt", "relu", "floor", "sigmoid", "mean_batch", "sum", "mean", "max", "min")
INFINITY = float("inf")
Bounds = tuple[float, float]
ANY: Bounds = (-INFINITY, INFINITY)
UNIT: Bounds = (0.0, 1.0)
_RANGES: dict[str, Bounds] = {
    **dict.fromkeys(("sigmoid", "softmax", "onehot"), UNIT),
    **dict.fromkeys(("exp", "abs", "sqrt", "relu", "l1", "l2", "linf", "entropy"), (0.0, INFINITY)),
    **dict.fromkeys(("sin", "cos", "sign"), (-1.0, 1.0)),
}
_VALUES: dict[str, Bounds] = {
    **dict.fromkeys(("p", "y", "progress", "class_prior"), UNIT),
    **dict.fromkeys(("loss", "gradnorm", "epoch", "epochs", "step", "lr", "lr0"), (0.0, INFINITY)),
    **dict.fromkeys(("C", "N"), (1.0, INFINITY)),
}


def terms(node: Expression, sign: int = 1) -> Iterator[tuple[int, Expression]]:
    """The terms of a sum, each with its sign."""
    match node:
        case Binary(operator="+" | "-"):
            yield from terms(node.left, sign)
            yield from terms(node.right, sign if node.operator == "+" else -sign)
        case Unary(operator="-"):
            yield from terms(node.operand, -sign)
        case _:
            yield sign, node


def slope_of_loss(node: Expression) -> int | None:
    """1 where it rises with the loss, -1 where it falls, 0 where it has no part in it; None: nobody knows."""
    if not any(name.text == "loss" for name in names(node)):
        return 0
    match node:
        case Name():
            return 1
        case Unary(operator="-"):
            inner = slope_of_loss(node.operand)
            return None if inner is None else -inner
        case Binary(operator="+" | "-"):
            right = slope_of_loss(node.right)
            return _same(
                slope_of_loss(node.left), -right if node.operator == "-" and right is not None else right
            )
        case Binary(operator="*" | "/"):
            return _scaled(node)
        case Call() if node.name.text in RISING:
            slopes = [slope_of_loss(argument.value) for argument in node.arguments]
            return _same(slopes[0], slopes[-1])
        case _:
            return None


def _same(left: int | None, right: int | None) -> int | None:
    """The slope of a sum of two."""
    if left is None or right is None or left * right < 0:
        return None
    return left or right


def _scaled(node: Binary) -> int | None:
    """The slope of a product with a number; the sign of anything else is not known."""
    if node.operator == "/" or slope_of_loss(node.left):
        part, factor = slope_of_loss(node.left), constant(node.right, {})
    else:
        part, factor = slope_of_loss(node.right), constant(node.left, {})
    if part is None or factor is None or factor == 0:
        return None
    return part if factor > 0 else -part


def bounds(node: Expression, scope: Scope) -> Bounds:
    """Two numbers that every entry of an expression lies between, whatever the data."""
    value = constant(node, scope.constants())
    if value is not None and value == value:
        return value, value
    match node:
        case Number():
            return node.value, node.value
        case Name():
            return _named(node.text, scope)
        case Attribute():
            return _VALUES.get(node.name.text, ANY)
        case Unary(operator="-"):
            low, high = bounds(node.operand, scope)
            return -high, -low
        case Binary():
            return _combined(node.operator, bounds(node.left, scope), bounds(node.right, scope))
        case Conditional():
            first, second = bounds(node.value, scope), bounds(node.otherwise, scope)
            return min(first[0], second[0]), max(first[1], second[1])
        case Index():
            return bounds(node.value, scope)
        case Call():
            return _called(node, scope)
        case _:
            return ANY


def _named(name: str, scope: Scope) -> Bounds:
    if name in scope.lets:
        return bounds(scope.lets[name].value, scope)
    if name in scope.draws:
        return _drawn(name, scope)
    param = scope.params.get(name)
    if param is not None and isinstance(param.domain, Interval):
        low, high = constant(param.domain.low, {}), constant(param.domain.high, {})
        return (low, high) if low is not None and high is not None else ANY
    return ANY if param is not None or name in scope.states else _VALUES.get(name, ANY)


def _drawn(name: str, scope: Scope) -> Bounds:
    call = scope.draws[name].distribution
    row = DISTRIBUTIONS.get(call.name.text)
    values = {key: bounds(value, scope) for key, value in given(call, row.options if row else {}).items()}
    match call.name.text:
        case "beta" | "bernoulli" | "rectangle":
            return UNIT
        case "uniform" | "truncated_normal" if {"low", "high"} <= set(values):
            return values["low"][0], values["high"][1]
        case "sphere":
            return -1.0, 1.0
        case _:
            return ANY


def _combined(operator: str, left: Bounds, right: Bounds) -> Bounds:
    match operator:
        case "+":
            return left[0] + right[0], left[1] + right[1]
        case "-":
            return left[0] - right[1], left[1] - right[0]
        case "*":
            ends = [_product(a, b) for a in left for b in right]
            return min(ends), max(ends)
        case "/" if right[0] > 0:
            ends = [_product(a, 1 / b) for a in left for b in right]
            return min(ends), max(ends)
        case _:
            return ANY


def _product(a: float, b: float) -> float:
    """A product in which 0 times infinity is 0: the bound of a product of what is finite."""
    return 0.0 if 0.0 in (a, b) else a * b


def _called(node: Call, scope: Scope) -> Bounds:
    from math import exp

    values = [bounds(argument.value, scope) for argument in node.arguments]
    match node.name.text:
        case "max" | "min" if len(values) == 2:
            choose = max if node.name.text == "max" else min
            return choose(values[0][0], values[1][0]), choose(values[0][1], values[1][1])
        case "exp" if values and values[0][1] <= 0:
            return exp(values[0][0]), exp(values[0][1])
        case "stop" | "max" | "min" | "mean" if len(values) == 1:
            return values[0]
        case _:
            return _RANGES.get(node.name.text, ANY)
