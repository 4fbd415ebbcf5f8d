"""A search on held-out data for what a whole method reads, as text: its goal as a function of that alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

from taxo.compiler.acts import ActWriter
from taxo.compiler.expressions import Writer
from taxo.compiler.graph import Act, Graph
from taxo.compiler.keeps import grain_of, keeper
from taxo.compiler.learned import reading
from taxo.compiler.names import identifier
from taxo.compiler.plan import Plan
from taxo.compiler.regions import around_all
from taxo.compiler.solve import Solve, op_name
from taxo.compiler.spots import EARLY, of_line
from taxo.compiler.text import Text, call
from taxo.compiler.there import found_there
from taxo.language.calling import given
from taxo.language.layout import inference_text
from taxo.language.method import Inference, Param
from taxo.language.printer import ATOM
from taxo.language.shapes import Reader
from taxo.language.vocabulary import SOLVERS, Place, Shape


@dataclass(slots=True)
class LiveActs(ActWriter):
    """Writes acts whose searches may start from what is `live`: sought itself."""

    live: tuple[str, ...] = ()

    def _solve(self, act: Act) -> Solve:
        return replace(ActWriter._solve(self, act), live=self.live)


@dataclass(frozen=True, slots=True)
class Climbing:
    """Writes one search on held-out data, through the perturbations of the only line."""

    graph: Graph
    plan: Plan
    writer: Writer
    infer: Inference

    @property
    def name(self) -> str:
        """What is found, as the program calls it."""
        return identifier(self.infer.over[0].text)

    @property
    def param(self) -> Param:
        """What is found, as it is declared."""
        return self.graph.scope.params[self.infer.over[0].text]

    def write(self, text: Text) -> None:
        """The whole of it: what is found has moved behind it, where something may be learned."""
        param = self.param
        table = f"self.{keeper(param.name.text, self.graph.scope)}"
        with text.of(self.infer.span):
            text.gap()
            text.comment(inference_text(self.infer))
            text.line(f"def find_{self.name}(x, y):")
            with text.indented():
                self._goal(text, "[0]" if grain_of(param) == "corpus" else "")
                self._solver(text, f"{table}.read({'like=x' if param.like is not None else ''})")
            text.line("")
            text.line("if self.learns():")
            with text.indented():
                text.line(f"{table}.keep(find_{self.name}(*self.held_out(x)))", reading(param, self.graph))
            text.line("")

    def _goal(self, text: Text, picked: str) -> None:
        """The mean of the goal over the held-out batch, whose perturbations are found anew."""
        goal, (line,) = self.infer.goal, self.graph.lines
        assert goal is not None
        text.line(f"def objective({self.name}):")
        with text.indented():
            text.line(*[f"{self.name} = {self.name}{picked}"] * bool(picked))
            acts = LiveActs(self.graph, self.plan, self.writer, 0, live=(self.infer.over[0].text,))
            acts.write(text)
            passed = call("self.line", ["x", "y", *acts.lists()])
            text.line(f"{line.variable} = {passed[0]}", *passed[1:])
            labelled = any(act.place == Place.LABELS for act in line.acts)
            y = f"{line.variable}.y" if labelled else "y"
            spot = of_line(line.variable, Reader(Place.LOSS, "loss"), y=y, soft=labelled)
            text.line(f"return {self.writer.expanded(goal.objective, spot, Shape.SAMPLE, ATOM)}.mean()")
        text.gap()

    def _solver(self, text: Text, first: str) -> None:
        via, goal = self.infer.via, self.infer.goal
        assert via is not None
        assert goal is not None
        rows, known = SOLVERS[via.name.text].options, given(via, SOLVERS[via.name.text].options)
        numbers = [
            f"{name}={self.writer.code(known[name], EARLY) if name in known else repr(option.default)}"
            for name, option in rows.items()
            if not option.words
        ]
        maximize = f"maximize={goal.kind.text == 'maximize'}"
        text.line('with self.searching("frozen"):')
        with text.indented():
            within = around_all(self.writer, self.infer, self.param)
            text.line(f"within = [{', '.join(within)}]", f"first = {first}")
            found = call(
                self.writer.use(op_name(via.name.text)), ["objective", "first", "within", *numbers, maximize]
            )
            text.line(f"return {found[0]}", *found[1:])


def climbings(graph: Graph, plan: Plan, writer: Writer) -> list[Climbing]:
    """Every search on held-out data for what the whole method reads."""
    return [Climbing(graph, plan, writer, infer) for infer in found_there(graph.method)]
