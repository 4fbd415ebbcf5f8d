"""What reaches an expression with its gradient: an unknown, or a value of the line."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.language.scope import Scope
from taxo.language.syntax import Attribute, Binary, Call, Expression, Member, Name, children
from taxo.language.vocabulary import FUNCTIONS, VALUES, Place

LOGIC = (">", "<", ">=", "<=", "==", "!=", "and", "or")


def live(node: Expression, scope: Scope) -> Iterator[str]:
    """The names that a small change of which changes an expression, by `let`s too; a module by weights."""
    match node:
        case Name() if node.text in scope.lets:
            yield from live(scope.lets[node.text].value, scope)
        case Name():
            yield node.text
        case Attribute():
            if node.owner.text in scope.branches:
                yield node.name.text
            elif node.owner.text in scope.modules:
                yield node.owner.text
        case Member():
            return
        case Binary() if node.operator in LOGIC:
            return
        case Call() if node.name.text in FUNCTIONS and FUNCTIONS[node.name.text].flat:
            return
        case _:
            if isinstance(node, Call) and node.name.text in scope.params:
                yield node.name.text  # a network, through its weights
            for child in children(node):
                yield from live(child, scope)


def moves(goal: Expression, unknown: str, place: Place, scope: Scope) -> bool:
    """Whether an unknown at a place can change a goal: by itself, or by a value downstream of it."""
    return any(
        name == unknown or (name in VALUES and name not in scope.declared and VALUES[name].place >= place)
        for name in live(goal, scope)
    )
