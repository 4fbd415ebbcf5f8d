"""The passes of what is found by looking ahead."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from taxo.compiler.ahead import Ahead, before_logits, depends, reads_any, shares_pass
from taxo.compiler.graph import Act, Graph
from taxo.compiler.lessons import foreseen_lessons
from taxo.compiler.passage import Pass
from taxo.compiler.timing import is_timed


def foreseen(graph: Graph, one: Ahead) -> Iterator[Pass]:
    """The virtual steps of the weights, the held-out pass, and how that is traced back to what is found."""
    lines, late, more, wide = len(graph.lines), len(before_logits(graph, one)), one.steps - 1, 1.0
    if graph.together():
        lines, late, wide = 1, min(late, 1), float(lines)
    timed = bool(moments(graph, one)) or one.every > 1
    usual = Pass("look ahead", one.key, share=wide, norm="batch", timed=timed)
    yield from (replace(lesson, timed=usual.timed) for lesson in foreseen_lessons(graph, one))
    yield replace(usual, count=lines, forwards=int(not shares_pass(graph)))
    if more:
        yield replace(usual, count=lines * more)
    yield replace(usual, kind="held out", share=1.0)
    back = replace(usual, kind="look back")
    if one.inverts:
        # a product goes back through the backward and the forward
        yield replace(usual, kind="invert", count=lines * one.products(), forwards=0, backwards=2)
    if one.second:
        # back through every backward, and for later steps and unknowns before the logits the forward too
        yield replace(back, count=lines * (1 + 2 * more) + late, forwards=0)
        return
    if more:
        yield replace(back, count=2 * lines * more)
    for count, backwards in ((late, 1), (lines - late, 0)):
        if count:
            yield replace(back, count=2 * count, backwards=backwards)


def moments(graph: Graph, one: Ahead) -> list[Act]:
    """The acts that read what is found, where all wait for their time: none is looked ahead for before."""
    acts = [act for act in graph.acts() if reads_any(graph, act, one.names)]
    weighs = any(depends(graph.scope, line.weight, one.names) for line in graph.lines)
    return [] if weighs or not all(is_timed(act, graph.scope) for act in acts) else acts
