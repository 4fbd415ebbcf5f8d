"""The plan of a step: its passes in order, on which rows, with which norms, at what cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from taxo.compiler.ahead import aheads, reads_any, shares_pass
from taxo.compiler.folding import fold
from taxo.compiler.foresight import foreseen
from taxo.compiler.graph import Act, Graph, Line
from taxo.compiler.lessons import searching_lessons, training_lessons
from taxo.compiler.made import found_modules
from taxo.compiler.names import identifier
from taxo.compiler.passage import RAW, TEACHER, Pass, Plan
from taxo.compiler.raw import parted_at_raw
from taxo.compiler.round_plan import round_passes
from taxo.compiler.rounds import rounds_of
from taxo.compiler.selected import selected_share, selection
from taxo.compiler.there import found_there
from taxo.compiler.timing import is_timed
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.method import Inference
from taxo.language.scope import Scope
from taxo.language.syntax import Name
from taxo.language.vocabulary import SOLVERS, Place


def schedule(graph: Graph) -> Plan:
    """The passes of a graph in the order they run."""
    raw, rest = parted_at_raw(graph)
    passes = [*_passes(rest)] if raw is None else [*_at_raw(raw), *_passes(rest)]
    updating = _updating(rest, passes)
    steps = tuple(replace(one, norm="update") if one is updating else one for one in passes)
    rounds = rounds_of(graph.method, graph.scope)
    return Plan(steps, rounds, tuple(round_passes(graph.method, graph.scope)))


def _updating(graph: Graph, passes: list[Pass]) -> Pass | None:
    """The one pass that moves the running statistics.

    It is the one said to; else the first unperturbed one of a search in the weights; else the training pass
    of the last line, so that no attack of this step runs on statistics that the step has moved; of a line
    said to have `norm batch` only where all are.
    """
    said = [one for one in passes if one.norm == "update"]
    carried = {line.name for line in graph.lines if line.carry is not None}
    last = [one for one in passes if one.kind == "train" and one.norm == "batch" and one.name not in carried]
    unmoved = [one for one in passes if one.unmoved and one.norm == "batch"]
    unsaid = [one for one in last if any(line.name == one.name and not line.norm for line in graph.lines)]
    return (said or unmoved or (unsaid or last)[::-1] or [None])[0]


def _at_raw(graph: Graph) -> Iterator[Pass]:
    """The passes on the batch as it is before its augmentation: there is no training pass there."""
    line = graph.lines[0]
    if "clean" in graph.read_by(graph.lines):
        yield Pass("clean", RAW, backwards=0, norm="batch")
    for act in line.acts:
        yield from _inference(graph, 0, line, act)
    if any("teacher" in graph.reads(act) for act in line.acts):
        yield Pass(TEACHER, RAW, backwards=0, norm="frozen")


def _passes(graph: Graph) -> Iterator[Pass]:
    yield from _found_there(graph)
    yield from _clean(graph)
    yield from _modules(graph)
    found = aheads(graph)
    if found:
        for number, line in enumerate(graph.lines):
            for act in line.acts:
                yield from _search(graph, number, line, act)
    # what is shared with the training passes comes behind them
    later = [one for ahead in found for one in foreseen(graph, ahead)]
    if not shares_pass(graph):
        yield from later
    for number, line in enumerate(graph.lines):
        for act in line.acts if not found else ():
            yield from _search(graph, number, line, act)
        yield from training_lessons(graph, line)
        if not graph.together():
            yield Pass("train", line.name, norm=line.norm or "batch")
    if shares_pass(graph):
        yield from later
    if graph.together():
        yield Pass("train", "", share=float(len(graph.lines)), norm="batch")
    yield from _descents(graph)


def _search(graph: Graph, number: int, line: Line, act: Act) -> Iterator[Pass]:
    """The passes that find an unknown, a teacher's among them."""
    for one in _inference(graph, number, line, act):
        yield from searching_lessons(graph, line, act, one)
        yield one


def _found_there(graph: Graph) -> Iterator[Pass]:
    """The passes of searches on held-out data, in which what perturbs is found anew each time."""
    for infer in found_there(graph.method):
        names = tuple(name.text for name in infer.over)
        count = count_of(infer, graph.scope)
        for act in graph.lines[0].acts:
            for one in _inference(graph, 0, graph.lines[0], act) if not act.there else ():
                yield replace(one, name=f"{one.name} for {names[0]}", count=count * one.count)
        deep = any(reads_any(graph, act, names) for act in graph.acts() if act.place < Place.LOGITS)
        yield Pass("held out", names[0], count=count, backwards=int(deep), norm="frozen")


def _modules(graph: Graph) -> Iterator[Pass]:
    """The passes of searches for modules from outside, a teacher's among them."""
    for infer in found_modules(graph.method):
        name, count = infer.over[0].text, count_of(infer, graph.scope)
        read = {one for node in infer.written() for one in graph.scope.reads(node)}
        taught = "teacher" in read.union(*(graph.reads(act) for act in graph.acts()))
        yield Pass("infer", name, count=count, norm="frozen")
        if taught:
            yield Pass(TEACHER, name, count=count, norm="frozen")


def _clean(graph: Graph) -> Iterator[Pass]:
    """The unperturbed passes that no training pass brings: on the batch, and on the one before it."""
    if graph.reads_clean() and not graph.clean_is_shared():
        yield Pass("clean", "", backwards=0, norm="batch")
    if "clean" in graph.read_by([line for line in graph.lines if line.carry is not None]):
        yield Pass("clean", "carried", backwards=0, norm="batch")


def _descents(graph: Graph) -> Iterator[Pass]:
    """What is learned before the logits takes a backward through the model; behind them, next to nothing."""
    for act in graph.acts():
        through = [line for line in graph.lines if act in line.acts]
        if act.descends and act.place < Place.LOGITS:
            yield Pass("learn", act.key, forwards=0, backwards=len(through), norm="frozen")


def label(act: Act, line: Line) -> str:
    """The name of an inference: its unknown, and its branch where there are some."""
    return f"{act.key} of {line.name}" if line.name else act.key


def _inference(graph: Graph, number: int, line: Line, act: Act) -> Iterator[Pass]:
    """The passes that find an unknown; none where the training pass brings all it takes."""
    if not act.solved or graph.inside(act, number) or simultaneous(act, graph.scope):
        return
    name, said = label(act, line), _said(act, graph.scope)
    if act.place >= Place.LOGITS or (act.inner and not value_is_clean(graph, line, act)):
        yield Pass("reach", name, backwards=0, norm="batch")
    if act.place >= Place.LOGITS:
        return
    share = selected_share(graph.scope, act.item.where) if gathers(graph, line, act) else 1.0
    on_weights = act.place == Place.WEIGHTS
    norm = said or ("batch" if on_weights else "frozen")
    unmoved = on_weights and at_zero(act, graph.scope)
    timed = is_timed(act, graph.scope)
    yield Pass(
        "infer", name, count=steps(act, graph.scope), share=share, norm=norm, unmoved=unmoved, timed=timed
    )


def _said(act: Act, scope: Scope) -> str:
    """The norm word of a perturbation's inner passes, if it has one."""
    norm = act.item.norm
    return "" if norm is None else scope.word(Name(norm.text)) or norm.text


def value_is_clean(graph: Graph, line: Line, act: Act) -> bool:
    """Whether the clean pass has the value at an act's inner site as it is before the act."""
    apart = graph.reads_clean() and not graph.clean_is_shared()
    return apart and act.spot.value == "z" and not line.above(act) and line.carry is None


def simultaneous(act: Act, scope: Scope) -> bool:
    """Whether the backward of the training pass serves an unknown too."""
    via = act.via
    if via is None:
        return False
    word = given(via, SOLVERS[via.name.text].options).get("simultaneous")
    return word is not None and scope.word(word) == "true"


def steps(act: Act, scope: Scope) -> int:
    """How many gradients a solver takes."""
    return count_of(act.item.infer, scope)


def count_of(infer: Inference, scope: Scope) -> int:
    """How many gradients an inference takes."""
    via = infer.via
    solver = None if via is None else SOLVERS[via.name.text]
    if via is None or solver is None or "steps" not in solver.options:
        return 1
    value = given(via, solver.options).get("steps")
    count = constant(value, scope.constants()) if value is not None else solver.options["steps"].default
    return int(count) if isinstance(count, (int, float)) else 1


def at_zero(act: Act, scope: Scope) -> bool:
    """Whether the first gradient an unknown takes is at the unperturbed value."""
    via = act.item.infer.via
    if via is None or act.unknown is None or steps(act, scope) > 1:
        return False
    word = given(via, SOLVERS[via.name.text].options).get("start")
    zero = {**scope.constants(), act.unknown: 0.0}
    vanishes = constant(fold(scope.written_out(act.item.by), zero), zero) == 0
    return vanishes and (word is None or scope.word(word) == "zero")


def is_plain(act: Act) -> bool:
    """Whether an act adds its unknown as it is."""
    return isinstance(act.item.by, Name) and act.item.by.text == act.unknown


def gathers(graph: Graph, line: Line, act: Act) -> bool:
    """Whether an inference runs on the selected rows only.

    The count must be known beforehand, and no other perturbation may be in place whose rows had to follow.
    """
    goal = act.item.infer.goal
    if act.place != Place.FEATURES or goal is None or selection(graph.scope, act.item.where) is None:
        return False
    if (
        act.grain != "sample"
        or line.carry is not None
        or first_word(act, graph.scope) not in ("zero", "uniform")
    ):
        return False
    own = {act.unknown, "loss", "u", "p", "y"}
    free = all(
        name in own or name in graph.scope.params
        for part in (goal.objective, act.item.by)
        for name in graph.scope.reads(part)
    )
    return free and not line.above(act)


def first_word(act: Act, scope: Scope) -> str:
    """Where a search starts: a word, or nothing where it is a value."""
    via = act.via
    if via is None or "start" not in SOLVERS[via.name.text].options:
        return "kept" if via is not None and via.name.text == "sgd" else "zero"
    word = given(via, SOLVERS[via.name.text].options).get("start")
    return "zero" if word is None else scope.word(word) or ""


def counted(act: Act, graph: Graph) -> str:
    """What keeps an unknown where samples are selected: of the others no penalty is due."""
    found = act.solved and act.item.where is not None and act.item.infer.manner.text == "regularization"
    gathered = any(gathers(graph, line, act) for line in graph.lines if act in line.acts)
    return f"counted_{identifier(act.key)}" if found and not gathered and act.place != Place.WEIGHTS else ""
