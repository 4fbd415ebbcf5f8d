"""The plan of a step: its passes in order, on which rows, with which norms, at what cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from taxo.compiler.ahead import Ahead, aheads, before_logits, depends, reads_any, shares_pass
from taxo.compiler.folding import fold
from taxo.compiler.graph import Act, Graph, Line
from taxo.compiler.names import identifier
from taxo.compiler.selected import selected_share, selection
from taxo.compiler.timing import is_timed
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.scope import Scope
from taxo.language.syntax import Name
from taxo.language.vocabulary import SOLVERS, Place

TEACHER = "teacher"


@dataclass(frozen=True, slots=True)
class Pass:
    """Some equal passes through the model; `share` is the part of the batch they run on.

    An `unmoved` one finds an unknown at the value that nothing has perturbed yet. A `timed` one is run while
    a condition on the time holds.
    """

    kind: str
    name: str
    count: int = 1
    forwards: int = 1
    backwards: int = 1
    share: float = 1.0
    norm: str = "update"
    unmoved: bool = False
    timed: bool = False

    def __str__(self) -> str:
        passes = " + ".join(["forward"] * self.forwards + ["backward"] * self.backwards)
        times = f"{self.count} x ({passes})" if self.count > 1 else passes
        rows = f" on {self.share:.0%} of the rows" if self.share < 1 else ""
        rows = f" on {self.share:g} x the rows" if self.share > 1 else rows
        when = ", at times" if self.timed else ""
        return f"{self.kind} {self.name}".strip() + f": {times}{rows}, norm {self.norm}{when}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The passes of a step in order."""

    passes: tuple[Pass, ...]

    @property
    def forwards(self) -> float:
        """How many times the batch goes through the model."""
        return sum(one.count * one.forwards * one.share for one in self.passes if one.kind != TEACHER)

    @property
    def backwards(self) -> float:
        """How many times a gradient of the batch comes back through the model."""
        return sum(one.count * one.backwards * one.share for one in self.passes if one.kind != TEACHER)

    @property
    def cost(self) -> str:
        """The cost in a few letters: `11 F + 11 B`, and what a teacher's passes add."""
        taught = sum(one.forwards for one in self.passes if one.kind == TEACHER)
        more = f" + {taught} F of the teacher" if taught else ""
        return f"{_short(self.forwards)} F + {_short(self.backwards)} B{more}"

    def norm(self, kind: str, name: str) -> str:
        """The norm word of a pass; `update` where there is no such pass."""
        return next((one.norm for one in self.passes if (one.kind, one.name) == (kind, name)), "update")

    def has(self, kind: str, name: str) -> bool:
        """Whether a pass is in the plan."""
        return any((one.kind, one.name) == (kind, name) for one in self.passes)


def _short(number: float) -> str:
    return f"{number:.4g}"


def schedule(graph: Graph) -> Plan:
    """The passes of a graph in the order they run."""
    passes = list(_passes(graph))
    updating = _updating(graph, passes)
    return Plan(tuple(replace(one, norm="update") if one is updating else one for one in passes))


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


def _passes(graph: Graph) -> Iterator[Pass]:
    yield from _clean(graph)
    found = aheads(graph)
    if found:
        for number, line in enumerate(graph.lines):
            for act in line.acts:
                yield from _inference(graph, number, line, act)
    # what is shared with the training passes comes behind them
    foreseen = [one for ahead in found for one in _foreseen(graph, ahead)]
    if not shares_pass(graph):
        yield from foreseen
    for number, line in enumerate(graph.lines):
        for act in line.acts if not found else ():
            yield from _inference(graph, number, line, act)
        taught = any("teacher" in graph.reads(act) for act in line.acts)
        if taught:
            yield Pass(TEACHER, line.name, backwards=0, norm="frozen")
        if not graph.together():
            yield Pass("train", line.name, norm=line.norm or "batch")
    if shares_pass(graph):
        yield from foreseen
    if graph.together():
        yield Pass("train", "", share=float(len(graph.lines)), norm="batch")
    yield from _descents(graph)


def _clean(graph: Graph) -> Iterator[Pass]:
    """The unperturbed passes that no training pass brings: on the batch, and on the one before it."""
    if graph.reads_clean() and not graph.clean_is_shared():
        yield Pass("clean", "", backwards=0, norm="batch")
    if "clean" in graph.read_by([line for line in graph.lines if line.carry is not None]):
        yield Pass("clean", "carried", backwards=0, norm="batch")


def _foreseen(graph: Graph, one: Ahead) -> Iterator[Pass]:
    """The virtual steps of the weights, the held-out pass, and how that is traced back to what is found."""
    lines, late, more = len(graph.lines), before_logits(graph, one), one.steps - 1
    usual = Pass("look ahead", one.key, norm="batch", timed=bool(moments(graph, one)) or one.every > 1)
    yield replace(usual, count=lines, forwards=int(not shares_pass(graph)))
    if more:
        yield replace(usual, count=lines * more)
    yield replace(usual, kind="held out")
    back = replace(usual, kind="look back")
    if one.inverts:
        # a product goes back through the backward and the forward
        yield replace(usual, kind="invert", count=lines * one.products(), forwards=0, backwards=2)
    if one.second:
        # back through every backward, and for later steps and unknowns before the logits the forward too
        yield replace(back, count=lines * (1 + 2 * more + late), forwards=0)
        return
    if more:
        yield replace(back, count=2 * lines * more)
    yield replace(back, count=2 * lines, backwards=int(late))


def moments(graph: Graph, one: Ahead) -> list[Act]:
    """The acts that read what is found, where all wait for their time: none is looked ahead for before."""
    acts = [act for act in graph.acts() if reads_any(graph, act, one.names)]
    weighs = any(depends(graph.scope, line.weight, one.names) for line in graph.lines)
    return [] if weighs or not all(is_timed(act, graph.scope) for act in acts) else acts


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
    via = act.item.infer.via
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
