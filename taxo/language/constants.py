"""The values of expressions that need no data: parameters, domains, options."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping

from taxo.language.syntax import Binary, Call, Conditional, Expression, Name, Number, Unary, walk
from taxo.language.vocabulary import CONSTANTS

_BINARY: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "^": operator.pow,
    ">": operator.gt,
    "<": operator.lt,
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    "and": lambda a, b: float(bool(a) and bool(b)),
    "or": lambda a, b: float(bool(a) or bool(b)),
}

_OF_ONE: dict[str, Callable[[float], float]] = {
    "exp": math.exp,
    "log": lambda e: math.log(e) if e > 0 else -math.inf if e == 0 else math.nan,
    "sqrt": math.sqrt,
    "abs": abs,
    "sign": lambda e: float((e > 0) - (e < 0)),
    "relu": lambda e: max(e, 0.0),
    "sigmoid": lambda e: (1 + math.tanh(e / 2)) / 2,
    "floor": lambda e: float(math.floor(e)),
    "sin": math.sin,
    "cos": math.cos,
    "acos": lambda e: math.acos(min(max(e, -1.0), 1.0)),
    "stop": float,
}

_OF_ALL: dict[str, Callable[[list[float]], float]] = {
    "max": max,
    "min": min,
    "sum": sum,
    "mean": lambda e: sum(e) / len(e),
}


def constant(node: Expression, names: Mapping[str, float]) -> float | None:
    """The value of an expression of numbers and `names`; None where it reads anything else."""
    try:
        return _value(node, names)
    except (OverflowError, ZeroDivisionError, ValueError, TypeError):
        return math.nan


def _value(node: Expression, names: Mapping[str, float]) -> float | None:
    match node:
        case Number():
            return node.value
        case Name():
            return names.get(node.text, CONSTANTS.get(node.text))
        case Unary():
            inner = _value(node.operand, names)
            return None if inner is None else float(not inner) if node.operator == "not" else -inner
        case Binary():
            left, right = _value(node.left, names), _value(node.right, names)
            return None if left is None or right is None else float(_BINARY[node.operator](left, right))
        case Conditional():
            return _chosen(node, names)
        case Call():
            return _called(node, names)
        case _:
            return None


def _chosen(node: Conditional, names: Mapping[str, float]) -> float | None:
    """The side that holds; either, where both are worth the same."""
    condition = _value(node.condition, names)
    if condition is not None:
        return _value(node.value if condition else node.otherwise, names)
    value, otherwise = _value(node.value, names), _value(node.otherwise, names)
    alike = value is not None and otherwise is not None and math.isclose(value, otherwise)
    return value if alike else None


def _is_one(node: Expression, names: Mapping[str, float]) -> bool:
    """Whether an expression reads numbers alone, even where it does not come to what it reads."""
    return all(part.text in names or part.text in CONSTANTS for part in walk(node) if isinstance(part, Name))


def _called(node: Call, names: Mapping[str, float]) -> float | None:
    name, inner = node.name.text, [_value(argument.value, names) for argument in node.arguments]
    known = [value for value in inner if value is not None]
    if not known or len(known) < len(inner):
        return None
    if name == "sum" and len(known) == 1 and not _is_one(node.arguments[0].value, names):
        return None  # of how many entries, nobody knows here
    if name in _OF_ALL:
        return float(_OF_ALL[name](known))
    return _OF_ONE[name](known[0]) if name in _OF_ONE and len(known) == 1 else None
