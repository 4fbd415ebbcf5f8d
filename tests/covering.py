"""Methods that use between them what all do, for tests that would take too long on all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator

import taxo
from taxo.language.method import Method

ALL = os.environ.get("TAXO_METHODS") == "all"


def uses(method: Method) -> Iterator[str]:
    """What a method uses of the compiler: targets and solvers; what is drawn, kept, given and branched."""
    yield from (f"needs {call.name}" for call in method.needs)
    yield from (f"draw like {draw.like}" for draw in method.draws)
    yield from (f"state per {state.per} {state.every} {state.order}" for state in method.states)
    yield from (f"branch {branch.norm} {branch.on is not None}" for branch in method.branches())
    yield from (f"infer over {len(infer.over)}" for infer in method.infers)
    for item in method.perturbations():
        infer = item.infer
        yield f"{item.target} at {type(item.at).__name__} during {item.during}"
        if infer.via is not None:
            yield f"{item.target} by {infer.via.name}"
            yield f"{infer.via.name} per {item.granularity[-1]}"


def covering(names: Iterable[str]) -> tuple[str, ...]:
    """As few of the methods as a greedy choice finds that use all that they all use; all, if asked for."""
    names = list(names)
    if ALL:
        return tuple(names)
    left = {name: set(uses(taxo.load(name))) for name in names}
    chosen: list[str] = []
    while any(left.values()):
        best = max(names, key=lambda name: len(left[name]))
        chosen.append(best)
        found = left[best]
        left = {name: rest - found for name, rest in left.items()}
    return tuple(sorted(chosen))
