"""A batch before and behind its random augmentation: what acts at `raw` comes first, and makes the batch."""

from __future__ import annotations

from dataclasses import replace

from taxo.compiler.graph import Graph, Line, of_lines
from taxo.language.syntax import Number


def parted_at_raw(graph: Graph) -> tuple[Graph | None, Graph]:
    """The acts before the augmentation on a line of their own, if there are any, and the rest of a graph.

    For the former nothing else is in place; to the latter their outcome is the batch.
    """
    raw = tuple(act for act in graph.acts() if act.raw)
    if not raw:
        return None, graph
    method, scope = graph.method, graph.scope
    lines = [replace(line, acts=tuple(act for act in line.acts if not act.raw)) for line in graph.lines]
    # what is read before the augmentation is kept behind these lines
    keeps = graph.keeps | {name for name in scope.states if graph.used(name)}
    return of_lines(method, scope, [Line("", Number(1.0), raw)]), of_lines(method, scope, lines, keeps)
