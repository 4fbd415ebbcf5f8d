"""The rows that a condition selects, where their number is known beforehand."""

from __future__ import annotations

from taxo.language.constants import constant
from taxo.language.scope import Scope
from taxo.language.syntax import Expression, Member, Name, Unary


def selection(scope: Scope, node: Expression | None) -> tuple[Member, bool] | None:
    """The `e in top(...)` behind a condition, and whether the condition is its opposite."""
    match node:
        case Member():
            return node, False
        case Name() if node.text in scope.lets:
            return selection(scope, scope.lets[node.text].value)
        case Unary(operator="not"):
            inner = selection(scope, node.operand)
            return None if inner is None else (inner[0], not inner[1])
        case _:
            return None


def selected_share(scope: Scope, node: Expression | None) -> float:
    """The share of the batch that a condition selects; 1 where it is not known beforehand."""
    found = selection(scope, node)
    share = constant(found[0].group.arguments[0].value, scope.constants()) if found else None
    if found is None or share is None:
        return 1.0
    return 1 - share if found[1] else share
