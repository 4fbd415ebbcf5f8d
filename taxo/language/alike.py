"""What draws take their shape of."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.language.scope import Scope
from taxo.language.syntax import Expression
from taxo.language.vocabulary import VALUES


def alike(like: Expression, scope: Scope) -> Iterator[str]:
    """The built-in values whose shape a draw takes, through other draws."""
    seen, waiting = set[str](), [like]
    while waiting:
        for name in scope.reads(waiting.pop()):
            draw = scope.draws.get(name)
            if draw is not None and draw.like is not None and name not in seen:
                waiting.append(draw.like)
            elif name in VALUES and name not in scope.declared and name not in seen:
                yield name
            seen.add(name)
