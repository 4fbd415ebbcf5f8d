"""Scalar unknowns on the loss whose goal is bent at zero and at the loss only: one of the two is best.

Form and goal are made of the unknown and the loss alone, without a number beside them. So which of the two is
best is the same for every loss above zero, and known before anything runs; at a loss of zero they are one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from taxo.compiler.lines import Act
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.syntax import Binary, Call, Expression, Name, Unary, rebuilt
from taxo.language.vocabulary import REGIONS

LOSS = "loss"
FAR = 1e9
ROUNDING = 1e-9
PIECES = ((-1.0, 0.0), (0.0, 1.0), (1.0, 2.0))
Values = Mapping[str, float]
Curve = Callable[[float], float]


def best_kink(act: Act, values: Values) -> str | None:
    """Which of the two solves an act's goal, `zero` or `loss`; None where neither is known to."""
    goal, unknown = act.item.infer.goal, act.unknown
    if goal is None or unknown is None:
        return None
    value = Binary("+", Name(LOSS), act.item.by)
    whole = _with(goal.objective, value)
    if not all(is_bent(part, unknown, values) for part in (value, whole)):
        return None
    inside = _inside(act, _curve(value, unknown, values), values)
    sign = -1.0 if goal.kind.text == "maximize" else 1.0
    cost = _curve(whole, unknown, values)
    return None if inside is None else _best(lambda t: sign * cost(t), inside, value, unknown, values)


def is_bent(node: Expression, unknown: str, values: Values) -> bool:
    """Whether an expression is piecewise linear in the unknown, bent at zero and at the loss only."""
    if _slopes(node, unknown, values) is not None:
        return True
    match node:
        case Unary(operator="-"):
            return is_bent(node.operand, unknown, values)
        case Binary(operator="+" | "-"):
            return all(is_bent(side, unknown, values) for side in (node.left, node.right))
        case Binary(operator="*"):
            sides = ((node.left, node.right), (node.right, node.left))
            return any(_number(one, values) and is_bent(other, unknown, values) for one, other in sides)
        case Call():
            return _is_bend(node, unknown, values)
        case _:
            return False


def _is_bend(node: Call, unknown: str, values: Values) -> bool:
    """Whether a call of linear parts bends where the unknown is zero or the loss."""
    parts = [_slopes(argument.value, unknown, values) for argument in node.arguments]
    known = [part for part in parts if part is not None]
    if len(known) < len(parts) or len(known) != (2 if node.name.text in ("min", "max") else 1):
        return False
    if node.name.text not in ("min", "max", "relu", "abs"):
        return False
    other = known[1] if len(known) == 2 else (0.0, 0.0)
    slope, share = known[0][0] - other[0], known[0][1] - other[1]
    return 0.0 in (slope, share) or slope == -share


def _slopes(node: Expression, unknown: str, values: Values) -> tuple[float, float] | None:
    """What a linear expression has of the unknown and of the loss."""
    match node:
        case Name():
            found = {unknown: (1.0, 0.0), LOSS: (0.0, 1.0)}.get(node.text)
            return (0.0, 0.0) if found is None and constant(node, values) == 0 else found
        case Unary(operator="-"):
            return _times(-1.0, _slopes(node.operand, unknown, values))
        case Binary(operator="+" | "-"):
            left, right = (_slopes(side, unknown, values) for side in (node.left, node.right))
            right = _times(1.0 if node.operator == "+" else -1.0, right)
            return None if left is None or right is None else (left[0] + right[0], left[1] + right[1])
        case Binary(operator="*"):
            factor, part = constant(node.left, values), node.right
            if factor is None:
                factor, part = constant(node.right, values), node.left
            return _times(factor, _slopes(part, unknown, values))
        case _:
            return (0.0, 0.0) if constant(node, values) == 0 else None


def _times(factor: float | None, slopes: tuple[float, float] | None) -> tuple[float, float] | None:
    return None if factor is None or slopes is None else (factor * slopes[0], factor * slopes[1])


def _number(node: Expression, values: Values) -> bool:
    return constant(node, values) is not None


def _inside(act: Act, value: Curve, values: Values) -> Callable[[float], bool] | None:
    """Whether an unknown is in all sets, at a loss of one; None where a set has an edge of its own."""
    tests: list[Callable[[float], bool]] = []
    for region in act.item.infer.within:
        ends = _ends(region, values)
        if region.name.text == "nonnegative":
            tests.append(lambda t: t >= 0)
        elif ends is not None and set(ends) <= {-float("inf"), 0.0, float("inf")}:
            tests.append(lambda t, ends=ends: ends[0] - ROUNDING <= value(t) <= ends[1] + ROUNDING)
        else:
            return None
    return lambda t: all(test(t) for test in tests)


def _ends(region: Call, values: Values) -> tuple[float, float] | None:
    if region.name.text != "box":
        return None
    row = REGIONS["box"].options
    known = given(region, row)
    found = [
        constant(known[name], values) if name in known else float(row[name].default or 0)
        for name in ("low", "high")
    ]
    return None if None in found else (found[0] or 0.0, found[1] or 0.0)


def _best(
    cost: Curve, inside: Callable[[float], bool], value: Expression, unknown: str, values: Values
) -> str | None:
    """The better of the two that are allowed, if nothing else that is allowed is better still."""
    allowed = [point for point in (0.0, 1.0) if inside(point)]
    if not allowed:
        return None
    best = min(allowed, key=cost)
    others = [point for point in _corners(_curve(value, unknown, values)) if inside(point)]
    if any(cost(point) < cost(best) - ROUNDING for point in others):
        return None
    return "zero" if best == 0 else LOSS


def _corners(value: Curve) -> Iterator[float]:
    """Where a set may end besides the bends: far out, and where the perturbed loss passes zero."""
    yield from (-FAR, FAR)
    for start, end in PIECES:
        first, last = value(start), value(end)
        if first != last:
            yield start - first * (end - start) / (last - first)


def _curve(node: Expression, unknown: str, values: Values) -> Curve:
    """An expression of the unknown, at a loss of one."""
    return lambda t: constant(node, {**values, unknown: t, LOSS: 1.0}) or 0.0


def _with(node: Expression, value: Expression) -> Expression:
    """A goal with what the loss has become in the place of the loss."""
    if isinstance(node, Name) and node.text == LOSS:
        return value
    return rebuilt(node, lambda child: _with(child, value))
