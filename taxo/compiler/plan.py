"""The plan of a step: its passes in order, on which rows, with which norms, at what cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taxo.compiler.graph import Act, Graph, Line
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.scope import Scope
from taxo.language.syntax import Expression, Member, Name, Unary
from taxo.language.vocabulary import SOLVERS, Place


@dataclass(frozen=True, slots=True)
class Pass:
    """Some equal passes through the model; `share` is the part of the batch they run on."""

    kind: str
    name: str
    count: int = 1
    forwards: int = 1
    backwards: int = 1
    share: float = 1.0
    norm: str = "update"

    def __str__(self) -> str:
        passes = " + ".join(["forward"] * self.forwards + ["backward"] * self.backwards)
        times = f"{self.count} x ({passes})" if self.count > 1 else passes
        rows = f" on {self.share:.0%} of the rows" if self.share < 1 else ""
        return f"{self.kind} {self.name}".strip() + f": {times}{rows}, norm {self.norm}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The passes of a step in order."""

    passes: tuple[Pass, ...]

    @property
    def forwards(self) -> float:
        """How many times the batch goes through the model."""
        return sum(one.count * one.forwards * one.share for one in self.passes)

    @property
    def backwards(self) -> float:
        """How many times a gradient of the batch comes back through the model."""
        return sum(one.count * one.backwards * one.share for one in self.passes)

    @property
    def cost(self) -> str:
        """The cost in a few letters: `11 F + 11 B`."""
        return f"{_short(self.forwards)} F + {_short(self.backwards)} B"

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
    return Plan(tuple(_passes(graph)))


def _passes(graph: Graph) -> Iterator[Pass]:
    if graph.reads_clean() and not graph.clean_is_shared():
        yield Pass("clean", "", backwards=0, norm="batch")
    updated = False
    for number, line in enumerate(graph.lines):
        for act in line.acts:
            for one in _inference(graph, number, line, act, updated):
                updated = updated or one.norm == "update"
                yield one
        # the last line's, so that no attack of this step runs on statistics that the step has moved
        last = line is graph.lines[-1]
        yield Pass("train", line.name, norm="update" if last and not updated else "batch")


def label(act: Act, line: Line) -> str:
    """The name of an inference: its unknown, and its branch where there are some."""
    return f"{act.key} of {line.name}" if line.name else act.key


def _inference(graph: Graph, number: int, line: Line, act: Act, updated: bool) -> Iterator[Pass]:
    """The passes that find an unknown; none where the training pass brings all it takes."""
    if not act.solved or graph.inside(act, number):
        return
    name = label(act, line)
    if act.place >= Place.LOGITS:
        yield Pass("reach", name, backwards=0, norm="batch")
        return
    unmoved = act.place == Place.WEIGHTS and at_zero(act, graph.scope) and not updated
    share = selected_share(graph.scope, act.item.where) if gathers(graph, line, act) else 1.0
    norm = "update" if unmoved else "batch" if act.place == Place.WEIGHTS else "frozen"
    yield Pass("infer", name, count=steps(act, graph.scope), share=share, norm=norm)


def steps(act: Act, scope: Scope) -> int:
    """How many gradients a solver takes."""
    via = act.item.infer.via
    solver = None if via is None else SOLVERS[via.name.text]
    if via is None or solver is None or solver.linear or "steps" not in solver.options:
        return 1
    value = given(via, solver.options).get("steps")
    count = constant(value, scope.constants()) if value is not None else solver.options["steps"].default
    return int(count) if isinstance(count, (int, float)) else 1


def at_zero(act: Act, scope: Scope) -> bool:
    """Whether the one gradient an unknown takes is at the unperturbed value."""
    via = act.item.infer.via
    form = act.item.by
    plain = isinstance(form, Name) and form.text == act.unknown
    if via is None or not plain or not SOLVERS[via.name.text].linear:
        return False
    word = given(via, SOLVERS[via.name.text].options).get("start")
    return word is None or scope.word(word) == "zero"


def gathers(graph: Graph, line: Line, act: Act) -> bool:
    """Whether an inference runs on the selected rows only.

    The count must be known beforehand, and no other perturbation may be in place whose rows had to follow.
    """
    goal = act.item.infer.goal
    if act.place != Place.FEATURES or goal is None or selection(graph.scope, act.item.where) is None:
        return False
    own = {act.unknown, "loss", "u", "p", "y"}
    free = all(
        name in own or name in graph.scope.params
        for part in (goal.objective, act.item.by)
        for name in graph.scope.reads(part)
    )
    return free and not line.above(act)


def selection(scope: Scope, node: Expression | None) -> tuple[Member, bool] | None:
    """The `e in top(...)` behind a condition, and whether the condition is its opposite."""
    match node:
        case Member():
            return node, False
        case Name() if node.text in scope.lets:
            return selection(scope, scope.lets[node.text].value)
        case Unary(operator="not"):
            inner = selection(scope, node.operand)
            return None if inner is None else (inner[0], not inner[1])
        case _:
            return None


def selected_share(scope: Scope, node: Expression | None) -> float:
    """The share of the batch that a condition selects; 1 where it is not known beforehand."""
    found = selection(scope, node)
    share = constant(found[0].group.arguments[0].value, scope.constants()) if found else None
    if found is None or share is None:
        return 1.0
    return 1 - share if found[1] else share
