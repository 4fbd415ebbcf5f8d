"""The body of a program's `run`: what is drawn, the clean pass, every line, and their sum."""

from __future__ import annotations

from dataclasses import dataclass

from taxo.compiler.acts import ActWriter
from taxo.compiler.ahead import Ahead, aheads, early_lines, shares_pass
from taxo.compiler.augmenting import write_augmented
from taxo.compiler.climbing import climbings
from taxo.compiler.expressions import Writer
from taxo.compiler.given import BeforePasses
from taxo.compiler.graph import Graph, Line, of_lines
from taxo.compiler.keeps import penalised
from taxo.compiler.learned import descending, write_descents
from taxo.compiler.looking import Looking
from taxo.compiler.making import maker_searches
from taxo.compiler.plan import Plan
from taxo.compiler.raw import parted_at_raw
from taxo.compiler.spots import Spot, of_line
from taxo.compiler.states import is_before, kept, reads, write_updates
from taxo.compiler.text import Text, call, quoted, text_sum
from taxo.language.objectives import base_objective
from taxo.language.printer import PRODUCT, expression_text
from taxo.language.shapes import ANYWHERE
from taxo.language.syntax import Expression
from taxo.language.vocabulary import Place, Shape


def parted(graph: Graph) -> tuple[Graph, Graph | None]:
    """The lines on this batch, and those on the previous one, if there are any."""
    carried = [line for line in graph.lines if line.carry is not None]
    if not carried:
        return graph, None
    own = [line for line in graph.lines if line.carry is None]
    method, scope = graph.method, graph.scope
    # what the other lines read is kept behind these
    keeps = frozenset(name for name in scope.states if graph.used(name))
    return of_lines(method, scope, own, keeps), of_lines(method, scope, carried)


@dataclass(slots=True)
class RunWriter(BeforePasses):
    """Writes one body: that on the batch, or the `second` one on the previous batch."""

    def write(self, text: Text) -> None:
        """The whole body."""
        self._behind_augmentation(text)
        graph = self.graph
        for one in [] if self.second else climbings(graph, self.plan, self.writer):
            one.write(text)
        if self._brings_clean():
            text.comment("the clean pass")
            with text.under('with self.apart("batch"):'):
                text.line("clean = self.line(x, y)")
        for one in [] if self.second else maker_searches(graph, self.plan, self.writer):
            self.lets(text, 0)
            one.write(text)
        if aheads(graph) and not self.second:
            self._foreseeing(text, aheads(graph))
            return
        if graph.together():
            self._together(text)
        else:
            for number in range(len(graph.lines)):
                self.lets(text, number)
                text.gap()
                self._line(text, number)
        self.lets(text, len(graph.lines))
        self._sum(text)

    def _behind_augmentation(self, text: Text) -> None:
        """What is there before any pass; what acts before the augmentation, and the rest on what it makes."""
        raw, rest = parted_at_raw(self.graph)
        if raw is not None and not self.second:
            self.given(text)
            self.done = write_augmented(text, BeforePasses(raw, self.plan, self.writer, self.whole))
            self.graph = rest
        else:  # the previous batch is kept as it was augmented
            self.graph = rest
            self.given(text)

    def _brings_clean(self) -> bool:
        """Whether the body needs a clean pass of its own."""
        return "clean" in self.graph.read_by(self.graph.lines) if self.second else self.plan.has("clean", "")

    def _foreseeing(self, text: Text, found: list[Ahead]) -> None:
        """The training passes as a function, called at other weights too before its losses are the step's."""
        graph, first = self.graph, [] if self.graph.together() else early_lines(self.graph)
        self.lets(text, 0)
        for number in first:
            text.gap()
            self._title(text, graph.lines[number])
            self._acts(number).write(text)
        text.gap()
        if shares_pass(graph):
            for number in first:
                self._through(text, number, found)
            text.gap()
        brought, body = self._brought(), Text()
        if graph.together():
            self.lets(body, 0, moved=True)
            self._together(body)
        for number in () if graph.together() else range(len(graph.lines)):
            self.lets(body, number, moved=True)
            self._line(body, number, number not in first)
        self.lets(body, len(graph.lines), moved=True)
        self._total(body)
        body.line(f"return {', '.join(['losses', *brought])}")
        text.line("def trained():")
        with text.indented():
            text.extend(body)
        text.line("")
        alone = "lambda: trained()[0]" if brought else "trained"
        for one in found:
            Looking(graph, self.writer, one, alone).write(text)
        if not (self._ending() or _learns(graph) or brought):
            text.line("return trained()")
            return
        text.line(f"{', '.join(['losses', *brought])} = trained()")
        self._finish(text)

    def _through(self, text: Text, number: int, found: list[Ahead]) -> None:
        """The part of a training pass that is the same before and after what is found has moved."""
        line, acts = self.graph.lines[number], self._acts(number)
        acts.name()
        second = [] if any(one.second for one in found) else ["second=False"]
        passed = call("self.through", ["x", *acts.lists(stop=Place.INNER), *second])
        with text.under(self._normed(line)):
            text.line(f"{through(line)} = {passed[0]}", *passed[1:])

    def _normed(self, line: Line) -> str:
        norm = self.plan.norm("train", line.name)
        return "" if norm == "update" else f"with self.normed({quoted(norm)}):"

    def _brought(self) -> list[str]:
        """The passes that something behind the losses reads."""
        ends = Text()
        self._finish(ends)
        return [line.variable for line in self.graph.lines if line.variable in ends.words()]

    def _acts(self, number: int) -> ActWriter:
        return ActWriter(self.graph, self.plan, self.writer, number)

    def _line(self, text: Text, number: int, with_acts: bool = True) -> None:
        """One line: its acts, and the training pass through them."""
        line, acts = self.graph.lines[number], self._acts(number)
        if with_acts:
            self._title(text, line)
            acts.write(text)
        else:
            acts.name()
        shared = [f"of={through(line)}"] if not self.second and shares_pass(self.graph) else []
        passed = call("self.line", ["x", "y", *acts.lists(), *shared])
        with text.under(self._normed(line)):
            text.line(f"{line.variable} = {passed[0]}", *passed[1:])
        acts.after(text)
        if number == 0 and self.graph.clean_is_shared() and self._reads_clean_later():
            text.line(f"clean = {line.variable}.clean()")

    def _reads_clean_later(self) -> bool:
        """Whether something behind the first line reads the clean pass that it brings."""
        graph, scope = self.graph, self.graph.scope
        parts = [part for line in graph.lines[1:] for act in line.acts for part in graph.expressions(act)]
        parts += [line.weight for line in graph.lines]
        parts += [
            state.value for state in scope.states.values() if kept(state, graph) and not is_before(state)
        ]
        return reads(graph, parts, "clean")

    def _title(self, text: Text, line: Line) -> None:
        if line.name:
            text.gap()
            text.comment(f"branch {line.name}, weight {expression_text(line.weight)}")

    def _together(self, text: Text) -> None:
        """All lines in one pass through the model, then each from its logits on."""
        self.lets(text, 0)
        names = [line.variable.removeprefix("line_") for line in self.graph.lines]
        for number, (name, line) in enumerate(zip(names, self.graph.lines, strict=True)):
            acts = ActWriter(self.graph, self.plan, self.writer, number)
            self._title(text, line)
            acts.write(text)
            text.line(f"before_{name} = dict({', '.join(acts.lists(stop=Place.LOGITS))})")
            text.line(f"behind_{name} = dict({', '.join(acts.lists(start=Place.LABELS))})")
        text.gap()
        passed = call("self.together", ["x", "y", *(f"before_{name}" for name in names)])
        text.line(f"{', '.join(line.variable for line in self.graph.lines)} = {passed[0]}", *passed[1:])
        for name, line in zip(names, self.graph.lines, strict=True):
            text.line(f"self.finish({line.variable}, {line.variable}.u, **behind_{name})")

    def _sum(self, text: Text) -> None:
        """The loss of each sample: the weighted lines, and the penalties of what is learned."""
        graph = self.graph
        extra = [] if self.second else [*penalised(graph, self.writer)]
        ending = [] if self.second else self._ending()
        if not (extra or ending or _penalties(graph) or (not self.second and _learns(graph))):
            total = text_sum([self._weighted(line) for line in graph.lines])
            text.line(f"return {total[0]}", *total[1:])
            return
        self._total(text)
        if self.second:
            text.line("return losses")
        else:
            self._finish(text)

    def _total(self, text: Text) -> None:
        """The weighted lines, and the penalties, under a name."""
        graph, total = self.graph, text_sum([self._weighted(line) for line in self.graph.lines])
        text.line(f"losses = {total[0]}", *total[1:])
        if self.second:
            return
        for penalty in _penalties(graph):
            with text.of(penalty.span):
                text.line(f"losses = losses + self.penalty({self._penalty(penalty)})")
        for span, code, is_price in penalised(graph, self.writer):
            with text.of(span), text.under("if self.priced:" if is_price else ""):
                text.line(f"losses = {code}")

    def _finish(self, text: Text) -> None:
        """What comes behind the losses: steps of what is learned, and states that take the batch in."""
        graph, writer = self.graph, self.writer
        write_descents(text, graph, writer)
        # a branch on the previous batch reads states as that batch left them
        if parted(self.whole)[1] is not None:
            text.line("losses = self.with_carried(losses, y, index)")
        write_updates(text, graph, self.whole, writer)
        text.line("return losses")

    def _penalty(self, penalty: Expression) -> str:
        spot = Spot(ANYWHERE, own={"w": "self.weights()"}, spelt=frozenset(self.writer.scope.lets))
        return self.writer.code(penalty, spot)

    def _weighted(self, line: Line) -> str:
        if not line.name:
            return f"{line.variable}.loss"
        spelt = frozenset(name for name in self.graph.scope.lets if name not in self.done)
        spot = of_line(line.variable, spelt=spelt)
        if self.writer.plain(line.weight):
            weight = self.writer.expanded(line.weight, spot, Shape.SAMPLE, PRODUCT)
            return f"{weight} * {line.variable}.loss"
        weight = self.writer.expanded(line.weight, spot, Shape.SAMPLE)
        return f"self.weighed({quoted(line.name)}, {line.variable}.loss, {weight})"

    def _ending(self) -> list[str]:
        """What comes behind the sum, by name."""
        states = [
            name
            for name, state in self.graph.scope.states.items()
            if kept(state, self.whole) and not is_before(state)
        ]
        carried = ["carry"] if parted(self.whole)[1] is not None else []
        return states + carried


def through(line: Line) -> str:
    """The name of the part of a training pass that virtual steps share."""
    return line.variable.replace("line", "through", 1)


def _learns(graph: Graph) -> bool:
    """Whether something descends beside the weights."""
    return bool(descending(graph)) or any(act.descends for act in graph.acts())


def _penalties(graph: Graph) -> list[Expression]:
    """What the base objective adds to the loss."""
    loss = graph.method.loss
    return [] if loss is None else base_objective(loss)[1]


def write_prediction(text: Text, graph: Graph, plan: Plan, writer: Writer) -> None:
    """The body of `predicted`: the logits, with what acts on predictions in place."""
    run, body = RunWriter(graph, plan, writer, graph), Text()
    _predicted(body, run)
    text.line(*(f"{name} = None" for name in ("y", "index") if name in body.words()))
    text.gap()
    text.extend(body)


def _predicted(text: Text, run: RunWriter) -> None:
    graph, plan, writer = run.graph, run.plan, run.writer
    run.given(text)
    if graph.reads_clean() and not graph.clean_is_shared():
        with text.under('with self.apart("batch"):'):
            text.line("clean = self.line(x, y)")
    run.lets(text, 0)
    acts = ActWriter(graph, plan, writer, 0)
    text.gap()
    acts.write(text)
    passed = call("self.line", ["x", "y", *acts.lists()])
    text.line(f"line = {passed[0]}", *passed[1:])
    text.line("return line.u")
