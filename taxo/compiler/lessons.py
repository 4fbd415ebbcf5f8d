"""The passes of a teacher, beside those of the model: on the batch itself one serves all who read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from taxo.compiler.ahead import Ahead, aheads, reads_any
from taxo.compiler.graph import Act, Graph, Line
from taxo.compiler.passage import TEACHER, Pass
from taxo.language.syntax import Expression
from taxo.language.vocabulary import Place


def training_lessons(graph: Graph, line: Line) -> Iterator[Pass]:
    """What the training pass of a line asks of a teacher, after what earlier lines have asked."""
    same = [one for one in graph.lines if bool(one.carry) == bool(line.carry)]
    first = next((one for one in same if _lessons(graph, one)[0]), None)
    of_batch, apart = _lessons(graph, line)
    count = apart + int(of_batch and line is first)
    if count:
        yield Pass(TEACHER, line.name, count=count, backwards=0, norm="frozen")


def searching_lessons(graph: Graph, line: Line, act: Act, search: Pass) -> Iterator[Pass]:
    """What a search asks of a teacher: of images for each pass; of the batch, before the teacher moves."""
    if search.kind != "infer" or not _is_asking(graph, line, act):
        return
    if _is_moving(act) or _is_moved(line, act):
        backwards = search.backwards if _is_moving(act) else 0
        yield replace(search, kind=TEACHER, norm="frozen", backwards=backwards, unmoved=False)
    elif any(TEACHER in one.names for one in aheads(graph)) and (line, act) == _first_of_batch(graph):
        yield Pass(TEACHER, search.name, backwards=0, norm="frozen")


def _is_asking(graph: Graph, line: Line, act: Act) -> bool:
    """Whether the passes of a search read a teacher."""
    passed = [other for other in line.above(act) if other.place <= graph.sought_to(act)]
    inside = [*act.item.infer.written(), *(node for other in passed for node in other.item.written())]
    return _any_reads(graph, inside)


def _is_moved(line: Line, act: Act) -> bool:
    """Whether the images of an act's passes are made of those that the line is shown."""
    return any(map(_is_moving, line.above(act)))


def _first_of_batch(graph: Graph) -> tuple[Line, Act] | None:
    """The first search whose passes, all on the batch as it is, read a teacher."""
    found = [(line, act) for line in graph.lines for act in line.acts if act.solved]
    own = [(line, act) for line, act in found if not (_is_moving(act) or _is_moved(line, act))]
    return next((one for one in own if _is_asking(graph, *one)), None)


def foreseen_lessons(graph: Graph, one: Ahead) -> Iterator[Pass]:
    """What looking ahead asks of a teacher; gradients go back to that where its weights are found."""
    own, found = TEACHER in one.names, aheads(graph)
    calls, backs = _calls(one)
    usual = Pass(TEACHER, f"for {one.key}", norm="frozen")
    for line in graph.lines:
        _, apart = _lessons(graph, line)
        live = own or any(reads_any(graph, act, one.names) for act in line.acts if _is_moving(act))
        if apart:
            yield replace(usual, count=apart * backs, backwards=int(live))
        if apart and calls > backs:
            yield replace(usual, count=apart * (calls - backs), backwards=0)
    if any(of_batch for of_batch, _ in (_lessons(graph, line) for line in graph.lines)):
        learned = [number for number, other in enumerate(found) if TEACHER in other.names]
        if own:
            yield replace(usual, backwards=1 if one.second else backs)
        elif learned and learned[0] > 0 and one.key == found[0].key:
            yield replace(usual, backwards=0)  # by those before the teacher moves
    goal = one.infer.goal
    if goal is not None and _any_reads(graph, [goal.objective]):
        yield replace(usual, backwards=int(own))


def _calls(one: Ahead) -> tuple[int, int]:
    """How often the training losses are computed, and through how many of those a gradient comes back."""
    if one.inverts:
        return 1, 1
    return (one.steps, one.steps) if one.second else (3 * one.steps, 2 * one.steps)


def _lessons(graph: Graph, line: Line) -> tuple[bool, int]:
    """Whether the training pass of a line reads a teacher of the batch, and of how many changes of that."""
    number, moves, found = graph.lines.index(line), 0, set[int]()
    for act in line.in_order():
        searched = act.solved and graph.inside(act, number)
        if _any_reads(graph, graph.expressions(act) if searched else act.item.written()):
            found.add(moves)
        moves += _is_moving(act)
    if _any_reads(graph, [line.weight]):
        found.add(moves)
    return 0 in found, len(found - {0})


def _any_reads(graph: Graph, nodes: Iterable[Expression]) -> bool:
    return any(TEACHER in graph.scope.reads(node) for node in nodes)


def _is_moving(act: Act) -> bool:
    """Whether an act makes other images of those that it is shown."""
    return act.place == Place.FEATURES
