"""What expressions read, named as a spec names it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from taxo.language.printer import expression_text
from taxo.language.scope import Scope
from taxo.language.syntax import Attribute, Expression, Name, children


def readings(nodes: Iterable[Expression], scope: Scope) -> Iterator[Name | Attribute]:
    """The names and `clean.` values that expressions read, through `let`s; one may come more than once."""
    pending = list(nodes)
    while pending:
        node = pending.pop(0)
        if isinstance(node, Name) and node.text in scope.lets:
            pending.append(scope.lets[node.text].value)
        elif isinstance(node, (Name, Attribute)):
            yield node
        else:
            pending += children(node)


def read_texts(nodes: Iterable[Expression], scope: Scope) -> list[str]:
    """The same as texts, each once."""
    return list(dict.fromkeys(expression_text(node) for node in readings(nodes, scope)))
