"""How the unknown of an act is found, as program text."""

from __future__ import annotations

from dataclasses import replace

from taxo.compiler.ahead import depends
from taxo.compiler.closed import is_linear, known_minimiser
from taxo.compiler.plan import (
    at_zero,
    first_word,
    gathers,
    is_plain,
    simultaneous,
    steps,
    value_is_clean,
)
from taxo.compiler.sought import Sought, kept_by
from taxo.compiler.spots import Spot
from taxo.compiler.text import Text, call, quoted
from taxo.language.axes import per_grain
from taxo.language.calling import given
from taxo.language.printer import ATOM, SUM
from taxo.language.shapes import Reader
from taxo.language.vocabulary import GRAINS, SOLVERS, Place, Shape
from taxo.plugins import source_of_op

KEPT = ("kept", "previous")
OPS = {"sgd": "gradient"}
BATCHES = {"labels": "self.soft(y, {})", "loss": "{}[:, 0]"}


class Solve(Sought):
    """Writes the inference of one act on one line of a graph."""

    def before(self, text: Text) -> None:
        """Find the unknown before the training pass, with passes of its own."""
        if simultaneous(self.act, self.graph.scope):
            self._with_the_weights(text)
        elif self.act.place == Place.WEIGHTS and self._direct():
            self._slope_of_weights(text)
        elif self.act.place >= Place.LOGITS:
            self._reached(text)
        elif gathers(self.graph, self.line, self.act):
            self._on_rows(text)
        elif self.act.there:
            self._on_held_out(text)
        else:
            self._searched(text)
            self._keep(text)
        self._carry(text)

    def _carry(self, text: Text) -> None:
        """Have what was found move as its start does, where that is sought itself."""
        if first_word(self.act, self.graph.scope) or not self.live or self.act.via is None:
            return
        start = given(self.act.via, SOLVERS[self.act.via.name.text].options)["start"]
        if depends(self.graph.scope, start, self.live):
            carried, code = self.writer.use("carried"), self.writer.code(start, self.ahead())
            text.line(f"{self.name} = {carried}({self.name}, {code})")

    def _direct(self) -> bool:
        """Whether the slope in the unknown is that in the weights themselves."""
        via = self.act.via
        linear = via is not None and SOLVERS[via.name.text].linear
        goal = self.act.item.infer.goal
        read = set(self.graph.scope.reads(goal.objective)) if goal is not None else set[str]()
        return (
            linear
            and self.act.unknown not in read
            and is_plain(self.act)
            and at_zero(self.act, self.graph.scope)
        )

    def _on_rows(self, text: Text) -> None:
        """Search at the features of the selected rows only."""
        x, y, where = f"x_{self.name}", f"y_{self.name}", self.act.item.where
        assert where is not None
        text.line(f"rows = {self.writer.held(where, self.ahead(), ATOM)}.rows")
        text.line(f"{x}, {y} = x[rows], y[rows]")
        self._objective(text, call("self.line", [x, y, *self._sought(self._candidate())]), y)
        with text.under(f"with self.searching({quoted(self.norm)}):"):
            self._solver(text, x, rows="rows")
        text.line(f"{self.name} = {self.writer.use('spread')}({self.name}, rows, {self._like('x')})")

    def _searched(self, text: Text) -> None:
        """Search at the features, inside the model or at the weights, by passes through the whole model."""
        if self.act.place == Place.WEIGHTS:
            text.line(f"w = {self._weights()}")
        elif self.act.inner:
            self._value_inside(text)
        start, found, around = len(text.written), Text(origin=text.origin), self._around()
        self._objective(text, call("self.line", ["x", "y", *self._sought(self._candidate())]))
        if not around.isidentifier():
            found.line(f"x_{self.name} = {around}")
            around = f"x_{self.name}"
        self._solver(found, around)
        with text.under(self._heading("here" in Text(text.written[start:] + found.written).words())):
            text.extend(found)

    def _on_held_out(self, text: Text) -> None:
        """Search on the next held-out batch, where something may be learned, from what is kept."""
        if not self.live:  # else this is a search there already, which learns something else
            text.gap()
            text.line(f"def find_{self.name}(x, y):")
            with text.indented():
                self._searched(text)
                text.line(f"return {self.name}")
            text.line("")
            found = f"find_{self.name}(*self.held_out(x))"
            text.block("if self.learns():", f"self.{kept_by(self.act)}.keep({found})")
        text.line(f"{self.name} = {self._kept_rows('x')}.detach()")

    def _value_inside(self, text: Text) -> None:
        """The value at an inner site, before the act."""
        if value_is_clean(self.graph, self.line, self.act):
            text.line(f"h_{self.name} = clean.z")
            return
        with text.under('with self.apart("batch"):'):
            passed = call("self.line", ["x", "y", *self._in_place()])
            text.line(f"line = {passed[0]}", *passed[1:])
        text.line(f"h_{self.name} = {self._seen('line')}")

    def _slope_of_weights(self, text: Text) -> None:
        """At zero the slope in the unknown is that in the weights themselves."""
        text.line(f"w = {self._weights()}")
        passed = call("self.line", ["x", "y", *self._sought()])
        with text.under(self._heading()):
            text.line(f"line = {passed[0]}", *passed[1:])
            text.line(f"within = [{', '.join(self._regions().bounded('w'))}]")
            slope = f"{self.writer.use('slope')}({self._goal('line', 'y')}.mean(), w)"
            text.line(f"{self.name} = {self.writer.use('linearized')}({slope}, within, {self._maximize()})")

    def _reached(self, text: Text) -> None:
        """Bring the logits here without what is written below, then search from them on."""
        reached = f"reached_{self.name}"
        passed = call("self.line", ["x", "y", *self._in_place(stop=Place.LOGITS)])
        with text.under('with self.apart("batch"):'):
            text.line(f"{reached} = {passed[0]}", *passed[1:])
        with text.under(f"with self.at({reached}):"):
            if self.clean:
                text.line(f"clean = {reached}.clean()")
            held = replace(self, own={"u": f"{reached}.u", "y": f"self.soft(y, {reached}.u)"})
            held.from_logits(text, f"{reached}.u", inside=False)

    def from_logits(self, text: Text, u: str, inside: bool = True) -> None:
        """Search from the logits on: no pass through the model."""
        target = self.act.item.target.text
        held = u if u != "u" else "u.detach()"
        form = self._form({"u": held}, Shape.ROW) if target == "logits" else ""
        given_u = f"{held} + {form}" if target == "logits" else held
        candidate = {} if target == "logits" else self._candidate()
        places = {"logits": Place.LABELS, "labels": Place.LOSS, "loss": Place.LOSS}
        lists = self._in_place(candidate, start=places[target] if inside else Place.LABELS)
        like = {"logits": held, "labels": f"self.soft(y, {held})"}.get(target, f"{held}[:, 0]")
        live = inside and self.act.item.infer.manner.text == "regularization"
        if self._closed(text, u if live else held, like):
            return
        self._objective(text, call("self.head", [given_u, "y", *lists]))
        self._solver(text, like)
        self._keep(text)

    def _closed(self, text: Text, u: str, like: str) -> bool:
        """Write the known minimiser, where the solver asks for one."""
        via = self.act.via
        if via is None or via.name.text != "closed_form" or is_linear(self.act, self.graph):
            return False
        found = known_minimiser(self.act, self.graph)
        assert found is not None
        moved = {"y": like} if self.act.place == Place.LABELS else {}
        spot = self.spot({"u": u} | moved)
        text.line(*found.written(self.name, u, self.writer, spot))
        return True

    def _objective(self, text: Text, passed: list[str], y: str = "y") -> None:
        """The function of the unknown that the solver moves up or down."""
        alone = self.act.grain == "sample" and self.act.place != Place.WEIGHTS
        text.gap()
        text.line(f"def objective({self.name}):")
        with text.indented():
            text.line(f"line = {passed[0]}", *passed[1:])
            goal = self._goal("line", y)
            where = self.act.item.where
            if not alone and where is not None and self.act.place != Place.WEIGHTS:
                goal = f"{self.writer.use('keep')}({self.writer.code(where, self.ahead())}, {goal})"
            text.line(f"return {goal}.{'sum' if alone else 'mean'}()")
        text.line("")

    def _solver(self, text: Text, around: str, rows: str = "") -> None:
        via = self.act.via
        assert via is not None
        solver, scope = SOLVERS[via.name.text], self.graph.scope
        linear = solver.linear or is_linear(self.act, self.graph)
        if via.name.text == "closed_form" and not linear:
            found = known_minimiser(self.act, self.graph)
            assert found is not None
            text.line(
                f"first = {self.writer.use('leaf')}({self.writer.use('blank')}({around}, len({around})))"
            )
            text.line(f"slope_here = {self.writer.use('slope')}(objective(first), first)")
            text.line(*found.written(self.name, "slope_here", self.writer, self.ahead()))
            return
        text.line(f"within = [{', '.join(self._regions().all(around, rows))}]")
        text.line(f"first = {self._first(around)}")
        found = [*self._found(linear, steps(self.act, scope), rows)]
        text.line(f"{self.name} = {found[0]}", *found[1:])

    def _keep(self, text: Text) -> None:
        """Keep what was found for the next search, once this one, whose passes are quiet, is over."""
        word = first_word(self.act, self.graph.scope)
        if word in KEPT:
            index = ", index" if self.act.grain == "sample" and word == "kept" else ""
            text.block(
                "if self.training and not self.quiet:", f"self.{kept_by(self.act)}.keep({self.name}{index})"
            )

    def _found(self, linear: bool, count: int, rows: str) -> list[str]:
        """The call of the solver."""
        via = self.act.via
        assert via is not None
        if linear:
            arguments = ["objective", "first", "within", f"steps={count}", self._maximize()]
            return call(self.writer.use("linearized_steps"), arguments)
        options, known = SOLVERS[via.name.text].options, given(via, SOLVERS[via.name.text].options)
        numbers = [
            f"{'step' if name == 'lr' else name}={self._option(known.get(name), option, rows)}"
            for name, option in options.items()
            if not option.words and not option.family
        ]
        arguments = ["objective", "first", "within", *numbers, self._maximize()]
        return call(self.writer.use(op_name(via.name.text)), arguments)

    def _first(self, around: str) -> str:
        word, via = first_word(self.act, self.graph.scope), self.act.via
        like = self._like(around)
        if word in KEPT:
            return f"{self._kept_rows(like)}.detach()"
        if self.shared and self.act.place != Place.WEIGHTS:
            count = "self.outputs" if self.act.grain == "category" else "1"
            like = f"{self.writer.use('blank')}({like}, {count})"
        if not word and via is not None:
            value = given(via, SOLVERS[via.name.text].options)["start"]
            shape = per_grain(self.act.shape, GRAINS[self.act.grain]) or self.act.shape
            spot = replace(self.ahead(), unknown=like)
            code = self.writer.expanded(value, spot, shape, SUM)
            return f"{self.writer.use('inside')}({code} + 0 * {like}, within)"
        generator = f"self.{'draws' if self.shared else 'noise'}.generator(x.device)"
        return f"{self.writer.use('first_guess')}({quoted(word)}, {like}, within, {generator})"

    def _like(self, around: str) -> str:
        return self._regions().like(around)

    def _kept_rows(self, like: str) -> str:
        per_sample = self.act.grain == "sample" and first_word(self.act, self.graph.scope) == "kept"
        arguments = "index, " if per_sample else ""
        return f"self.{kept_by(self.act)}.rows({arguments}like={like})"

    def _with_the_weights(self, text: Text) -> None:
        """The unknown is a leaf of the training pass, and moves when the backward has reached it."""
        via, goal = self.act.via, self.act.item.infer.goal
        assert via is not None
        assert goal is not None
        text.gap()
        text.line(f"def update_{self.name}({self.name}, slope):")
        with text.indented():
            text.line(f"within = [{', '.join(self._regions().bounded(self.name))}]")
            known = given(via, SOLVERS[via.name.text].options)
            step = self._option(known.get("step"), SOLVERS[via.name.text].options["step"], "")
            direction = {"pgd": "steepest"}.get(via.name.text, via.name.text)
            arguments = [self.name, "slope", "within", f"step={step}", self._maximize()]
            arguments.append(f"direction={quoted(direction)}")
            found = call(self.writer.use("stepped"), arguments)
            text.line(f"return {found[0]}", *found[1:])
        text.line("")
        text.line(f"{self.name} = self.{kept_by(self.act)}.rows(like=x)")

    def after(self, text: Text) -> None:
        """Have an unknown of the training pass moved by its backward."""
        goal = self.act.item.infer.goal
        assert goal is not None
        spot = Spot(Reader(Place.LOSS, "loss"), own={"loss": "loss"}, spelt=frozenset(self.spelt))
        arguments = [
            quoted(self.act.key),
            f"self.{kept_by(self.act)}",
            self.name,
            f"{self.line.variable}.loss",
        ]
        arguments += [f"lambda loss: {self.writer.code(goal.objective, spot)}", f"update_{self.name}"]
        found = call("self.follow", arguments)
        text.line(*found)


def op_name(word: str) -> str:
    """The function that carries a solver out."""
    added = source_of_op(word)
    return added.attribute if added is not None else OPS.get(word, word)
