"""What a method does beside its steps, in words: the data that it amends between rounds."""

from __future__ import annotations

from taxo.compiler.graph import Act, Graph
from taxo.compiler.rounds import appends, between


def amending(graph: Graph) -> list[Act]:
    """The acts that amend the data between rounds."""
    return between(graph.method, graph.scope)


def amendment(act: Act) -> str:
    """What an act does to the data."""
    return "adds moved copies of samples" if appends(act) else "moves samples"


def idle(graph: Graph) -> list[str]:
    """That no act is in a step, where none is."""
    if graph.acts():
        return []
    return [
        "nothing acts in a step: it is the plain loss"
        if amending(graph)
        else "nothing acts: the step is the plain loss"
    ]
