"""A search for a module that is given from outside, as text: before the passes, on the batch itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taxo.compiler.acts import ActWriter, local_lets
from taxo.compiler.ahead import aheads, depends, reads_any
from taxo.compiler.expressions import Writer
from taxo.compiler.graph import Graph
from taxo.compiler.made import found_modules
from taxo.compiler.plan import Plan
from taxo.compiler.searches import Refusal
from taxo.compiler.spots import EARLY, of_line
from taxo.compiler.states import is_before
from taxo.compiler.text import Text, call
from taxo.compiler.there import found_there
from taxo.compiler.timing import is_timed
from taxo.language.calling import given
from taxo.language.layout import inference_text
from taxo.language.method import Inference
from taxo.language.printer import ATOM
from taxo.language.shapes import Reader
from taxo.language.syntax import Expression
from taxo.language.vocabulary import SOLVERS, Place, Shape


@dataclass(frozen=True, slots=True)
class MakerSearch:
    """Writes one search for a module, through the perturbations of the only line."""

    graph: Graph
    plan: Plan
    writer: Writer
    infer: Inference

    def write(self, text: Text) -> None:
        """The whole of it: the module has moved behind it, where it may."""
        name, goal = f"find_{self.infer.over[0].text}", self.infer.goal
        assert goal is not None
        with text.of(self.infer.span):
            text.gap()
            text.comment(inference_text(self.infer))
            text.line(f"def {name}():")
            with text.indented():
                self._objective(text)
            text.line("", "if self.finds():")
            with text.indented():
                text.line('with self.searching("frozen"):')
                with text.indented():
                    options = ("steps", "lr")
                    numbers = [
                        f"{one}={self.writer.code(_option(self.infer, one), EARLY)}" for one in options
                    ]
                    arguments = [name, *numbers, f"maximize={goal.kind.text == 'maximize'}"]
                    text.line(*call("self.maker.search", arguments))
            text.line("")

    def _objective(self, text: Text) -> None:
        """The mean of the goal over the batch, with the perturbations in place."""
        goal, (line,) = self.infer.goal, self.graph.lines
        assert goal is not None
        acts = ActWriter(self.graph, self.plan, self.writer, 0)
        acts.write(text)
        passed = call("self.line", ["x", "y", *acts.lists()])
        text.line(f"{line.variable} = {passed[0]}", *passed[1:])
        labelled = any(act.place == Place.LABELS for act in line.acts)
        y = f"{line.variable}.y" if labelled else "y"
        local = frozenset(local_lets(self.graph, [goal.objective], 0))
        spot = of_line(line.variable, Reader(Place.LOSS, "loss"), y=y, soft=labelled, spelt=local)
        text.line(f"return {self.writer.expanded(goal.objective, spot, Shape.SAMPLE, ATOM)}.mean()")


def maker_searches(graph: Graph, plan: Plan, writer: Writer) -> list[MakerSearch]:
    """Every search for a module."""
    return [MakerSearch(graph, plan, writer, infer) for infer in found_modules(graph.method)]


def unfit_modules(graph: Graph) -> Iterator[Refusal]:
    """What a search for a module asks for and this version cannot run."""
    scope = graph.scope
    for infer in found_modules(graph.method):
        name, goal, via = infer.over[0].text, infer.goal, infer.via
        if goal is None or via is None:
            continue
        if len(graph.lines) > 1 or any(line.carry is not None for line in graph.lines):
            yield "a search for a module beside branches", infer.span, "drop them"
        if aheads(graph) or found_there(graph.method):
            yield "a search for a module beside what is learned on held-out data", infer.span, "drop one"
        for act in graph.acts():
            if act.solved or act.learned or act.descends:
                yield "a search for a module beside others", act.item.span, "find it by `infer prior`"
            if is_timed(act, scope):
                yield "a search for a module through what acts at times", act.item.span, "drop `where`"
        if not any(act.place < Place.LOGITS and reads_any(graph, act, (name,)) for act in graph.acts()):
            yield (
                "a search for a module whose inputs the model does not see",
                infer.span,
                "perturb features by it",
            )
        known = set(given(via, SOLVERS[via.name.text].options)) - {"steps", "lr"}
        if known:
            yield "a store of a module", via.span, "drop it: the module keeps its own values"
        yield from _goal(infer, name, graph)


def _option(infer: Inference, name: str) -> Expression:
    """The value of an option of its solver."""
    via = infer.via
    assert via is not None
    return given(via, SOLVERS[via.name.text].options)[name]


def _goal(infer: Inference, name: str, graph: Graph) -> Iterator[Refusal]:
    """What is computed before the module is found, or is no part of the one pass."""
    scope, goal = graph.scope, infer.goal
    assert goal is not None
    nodes = [goal.objective, *(one for act in graph.acts() for one in graph.expressions(act))]
    if "clean" in scope.reads(goal.objective):
        yield "a goal of a module that reads `clean`", goal.objective.span, "read the perturbed pass"
    for node in nodes:
        for let in scope.through(node):
            if depends(scope, scope.lets[let].value, (name,)):
                hint = f"write `{name}` where it is read"
                yield f"`let {let}`, of a module that is found,", scope.lets[let].span, hint
        for one in scope.reads(node):
            if one in scope.states and is_before(scope.states[one]):
                yield f"the state `{one}` in a search for a module", node.span, "drop it"
