"""The base objective of a method, and the penalties added to it."""

from __future__ import annotations

from taxo.language.method import Method
from taxo.language.syntax import Binary, Call, Expression, Name, Unary, Word
from taxo.language.vocabulary import OBJECTIVES, Objective


def base_objective(node: Expression) -> tuple[Call | None, list[Expression]]:
    """The base objective that a `loss` item begins with, and the penalties added to it."""
    penalties: list[Expression] = []
    while isinstance(node, Binary) and node.operator in ("+", "-"):
        penalties.insert(
            0, node.right if node.operator == "+" else Unary("-", node.right, span=node.right.span)
        )
        node = node.left
    if isinstance(node, Name):
        return Call(Word(node.text, span=node.span), span=node.span), penalties
    return (node if isinstance(node, Call) else None), penalties


def objective_of(method: Method) -> Objective:
    """The row of a method's base objective; the cross entropy where it names none, or none that exists."""
    call = base_objective(method.loss)[0] if method.loss is not None else None
    return OBJECTIVES.get(call.name.text if call else "", OBJECTIVES["cross_entropy"])
