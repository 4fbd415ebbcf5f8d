"""What draws take their shape of."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.language.scope import Scope
from taxo.language.syntax import Expression
from taxo.language.vocabulary import VALUES


def alike(like: Expression, scope: Scope) -> Iterator[str]:
    """The built-in values whose shape a draw takes, through other draws."""
    for name in scope.reads(like):
        draw = scope.draws.get(name)
        if draw is not None and draw.like is not None:
            yield from alike(draw.like, scope)
        elif name in VALUES and name not in scope.declared:
            yield name
