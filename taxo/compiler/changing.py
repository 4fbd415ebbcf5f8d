"""What the host does anew in every step of a method: no recording of a step can do it again."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.compiler.graph import Graph
from taxo.language.calling import given
from taxo.language.source import Span
from taxo.language.vocabulary import SOLVERS


def changing(graph: Graph) -> Iterator[tuple[str, Span | None]]:
    """What of a method's step is the host's work, each with its place."""
    scope = graph.scope
    for draw in scope.draws.values():
        if draw.distribution.name.text == "module" and graph.used(draw.name.text):
            yield f"the host draws `{draw.name}` among modules", draw.span
    corruption = scope.needs.get("corruption")
    if corruption is not None:
        yield "the host calls `corruption`, a function from outside", corruption.span
    method = graph.method
    for infer in (*method.infers, *(item.infer for item in method.perturbations())):
        if infer.via is None or infer.via.name.text not in SOLVERS:
            continue
        store = given(infer.via, SOLVERS[infer.via.name.text].options).get("store")
        if store is not None and scope.word(store) == "host":
            yield "a table lies in the main memory", infer.via.span
