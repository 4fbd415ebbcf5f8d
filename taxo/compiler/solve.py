"""How the unknown of an act is found, as program text."""

from __future__ import annotations

from dataclasses import dataclass, replace

from taxo.compiler.expressions import Spot, Writer
from taxo.compiler.graph import Act, Graph, Line
from taxo.compiler.names import identifier
from taxo.compiler.plan import Plan, at_zero, gathers, label
from taxo.compiler.text import Text, call, quoted
from taxo.language.calling import given
from taxo.language.printer import ATOM, PRODUCT
from taxo.language.shapes import Reader
from taxo.language.syntax import Call, Expression
from taxo.language.vocabulary import REGIONS, SOLVERS, TARGETS, Place, Shape
from taxo.plugins import source_of_op

BALLS = {"linf": "Linf", "l2": "L2", "box": "Box"}


@dataclass(frozen=True, slots=True)
class Solve:
    """Writes the inference of one act on one line of a graph."""

    graph: Graph
    plan: Plan
    writer: Writer
    line: Line
    act: Act
    hooks: dict[str, str]
    spelt: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The unknown, as the program calls it."""
        return identifier(self.act.key)

    def before(self, text: Text) -> None:
        """Find the unknown before the training pass, with passes of its own."""
        if self.act.place == Place.WEIGHTS and at_zero(self.act, self.graph.scope):
            self._slope_of_weights(text)
        elif self.act.place >= Place.LOGITS:
            self._reached(text)
        else:
            self._searched(text)

    def _searched(self, text: Text) -> None:
        """Search at the features or the weights, by passes through the whole model."""
        whole = not gathers(self.graph, self.line, self.act)
        x, y = "x", "y"
        if not whole:
            x, y = f"x_{self.name}", f"y_{self.name}"
            text.line(f"rows = {self.writer.held(_not_none(self.act.item.where), self.spot(), ATOM)}.rows")
            text.line(f"{x}, {y} = x[rows], y[rows]")
        self._objective(text, call("self.line", [x, y, *self._in_place(self._candidate())]))
        around = self._value_at(x)
        norm = self.plan.norm("infer", label(self.act, self.line))
        with text.under(self.writer.norms(norm)):
            self._solver(text, around)
        if not whole:
            text.line(f"{self.name} = {self.writer.use('spread')}({self.name}, rows, x)")

    def _slope_of_weights(self, text: Text) -> None:
        """At zero the slope in the unknown is that in the weights themselves."""
        norm = self.plan.norm("infer", label(self.act, self.line))
        text.line(f"w = {self._weights()}")
        passed = call("self.line", ["x", "y", *self._in_place()])
        with text.under(self.writer.norms(norm, gradient=True)):
            text.line(f"line = {passed[0]}", *passed[1:])
            slope = f"{self.writer.use('slope')}({self._goal('line', 'y')}.mean(), w)"
            self._linearized(text, slope, "w")

    def _reached(self, text: Text) -> None:
        """Bring the logits here without what is written below, then search from them on."""
        reached = f"u_{self.name}"
        upstream = self._in_place(stop=Place.LOGITS)
        with text.under(self.writer.norms("batch", gradient=False)):
            text.line(f"{reached} = self.line({', '.join(['x', 'y', *upstream])}).u")
        self.from_logits(text, reached, inside=False)

    def from_logits(self, text: Text, u: str, inside: bool = True) -> None:
        """Search from the logits on: no pass through the model."""
        target = self.act.item.target.text
        held = u if u != "u" else "u.detach()"
        given_u = f"{held} + {self._form('u')}" if target == "logits" else held
        candidate = {} if target == "logits" else self._candidate()
        places = {"logits": Place.LABELS, "labels": Place.LOSS, "loss": Place.LOSS}
        lists = self._in_place(candidate, start=places[target] if inside else Place.LABELS)
        if target == "loss" and inside:
            lists = [f"loss=[{self._candidate()['loss']}]"]
        self._objective(text, call("self.head", [given_u, "y", *lists]))
        like = {
            "logits": held,
            "labels": "y" if inside else f"{self.writer.use('distribution')}(y, self.classes, {held})",
        }
        self._solver(text, like.get(target, f"{held}[:, 0]"))

    def spot(self) -> Spot:
        """The program's level, where the act's place on the line is not reached yet."""
        return Spot(
            Reader(self.act.place, self.act.item.target.text, self.act.unknown, self.act.target.shape),
            unknown=self.name,
        )

    def _objective(self, text: Text, passed: list[str]) -> None:
        """The function of the unknown that the solver moves up or down."""
        total = "mean" if self.act.place == Place.WEIGHTS else "sum"
        text.gap()
        text.line(f"def objective({self.name}):")
        with text.indented():
            text.line(f"line = {passed[0]}", *passed[1:])
            goal = self._goal("line", "y")
            text.line(f"return {goal}.{total}()")
        text.line("")

    def _goal(self, line: str, y: str) -> str:
        goal = self.act.item.infer.goal
        assert goal is not None
        reader = Reader(Place.LOSS, "loss", self.act.unknown, self.act.target.shape)
        spelt = frozenset(self.spelt)
        spot = Spot(reader, u=f"{line}.u", y=y, loss=f"{line}.loss", unknown=self.name, spelt=spelt)
        return self.writer.held(goal.objective, spot, ATOM)

    def _form(self, like: str, key: str = "") -> str:
        spot = replace(self.spot(), key=key, x=like)
        return self.writer.expanded(self.act.item.by, spot, self.act.target.shape, like, PRODUCT)

    def _candidate(self) -> dict[str, str]:
        """The act itself, as a hook with the unknown under search."""
        target = self.act.item.target.text
        value = TARGETS[target].value
        if target == "weights":
            form = self._form("w", "name")
            names = "self.weights()" if self.act.item.at is None else self._weights()
            return {target: f"lambda w: {{name: w[name] + {form} for name in {names}}}"}
        arguments = {"labels": "y, u", "loss": "loss, u, y"}.get(target, value)
        return {target: f"lambda {arguments}: {value} + {self._form(value)}"}

    def _in_place(
        self, candidate: dict[str, str] | None = None, start: Place = Place.DATA, stop: Place = Place.LOSS
    ) -> list[str]:
        """The hooks in place while the unknown is searched: those written above, then the candidate."""
        lists: dict[str, list[str]] = {}
        for other in self.line.in_order():
            if other.order < self.act.order and start <= other.place <= stop:
                lists.setdefault(other.item.target.text, []).append(self.hooks[other.key])
        for target, code in (candidate or {}).items():
            lists.setdefault(target, []).append(code)
        return [f"{target}=[{', '.join(hooks)}]" for target, hooks in lists.items()]

    def _value_at(self, x: str) -> str:
        """The value that the unknown is added to: the input after what acts on it above."""
        if self.act.place == Place.WEIGHTS:
            return self._weights()
        for other in self.line.in_order():
            if other.place == Place.FEATURES and other.order < self.act.order:
                x = f"{self.hooks[other.key]}({x})"
        return x

    def _weights(self) -> str:
        site = self.act.item.at
        return f"self.weights({'' if site is None else quoted(self.graph.scope.word(site) or '*')})"

    def _solver(self, text: Text, around: str) -> None:
        infer = self.act.item.infer
        assert infer.via is not None
        solver = SOLVERS[infer.via.name.text]
        options = given(infer.via, solver.options)
        word = options.get("start")
        kind = self.graph.scope.word(word) if word is not None else "zero"
        self._within(text, around)
        device = "self.draws.generator(x.device)"
        text.line(
            f"first = {self.writer.use('first_guess')}({quoted(kind or 'zero')}, {around}, within, {device})"
        )
        if solver.linear:
            text.line(f"first = {self.writer.use('leaf')}(first)")
            self._linearized(text, f"{self.writer.use('slope')}(objective(first), first)", None)
            return
        numbers = [
            f"{name}={self._option(options.get(name), option.default)}"
            for name, option in solver.options.items()
            if not option.words
        ]
        maximize = f"maximize={infer.goal is not None and infer.goal.kind.text == 'maximize'}"
        found = call(
            self.writer.use(op_name(infer.via.name.text)),
            ["objective", "first", "within", *numbers, maximize],
        )
        text.line(f"{self.name} = {found[0]}", *found[1:])

    def _linearized(self, text: Text, slope: str, around: str | None) -> None:
        if around is not None:
            self._within(text, around)
        goal = self.act.item.infer.goal
        maximize = goal is not None and goal.kind.text == "maximize"
        text.line(f"{self.name} = {self.writer.use('linearized')}({slope}, within, maximize={maximize})")

    def _option(self, value: Expression | None, default: object) -> str:
        return repr(default) if value is None else self.writer.code(value, self.spot())

    def _within(self, text: Text, around: str) -> None:
        regions = sorted(self.act.item.infer.within, key=lambda region: not REGIONS[region.name.text].bounded)
        text.line(f"within = [{', '.join(self._region(region, around) for region in regions)}]")

    def _region(self, region: Call, around: str) -> str:
        row = REGIONS[region.name.text]
        options = given(region, row.options)
        numbers = {name: option for name, option in row.options.items() if not option.words}
        values = [self._option(options.get(name), option.default) for name, option in numbers.items()]
        if not row.bounded:
            values = [around, *values]
        elif region.name.text == "l2" and self.act.target.shape == Shape.W:
            values.append("each_sample=False")
        return f"{self.writer.use(op_name(region.name.text))}({', '.join(values)})"


def op_name(word: str) -> str:
    """The function or class that carries a solver or set out."""
    added = source_of_op(word)
    return added.attribute if added is not None else BALLS.get(word, word)


def _not_none(node: Expression | None) -> Expression:
    assert node is not None
    return node
