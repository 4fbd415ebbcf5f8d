"""How a program looks ahead, as text: its losses as a function, the held-out ones, and what then moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taxo.compiler.ahead import Ahead, attribute, fleeting
from taxo.compiler.expressions import Writer
from taxo.compiler.foresight import moments
from taxo.compiler.graph import Graph
from taxo.compiler.keeps import grain_of, keeper, table_of
from taxo.compiler.made import is_module
from taxo.compiler.names import INVERSES, identifier
from taxo.compiler.regions import Regions, around_all
from taxo.compiler.spots import EARLY, of_line
from taxo.compiler.text import Text, call, quoted
from taxo.compiler.timing import time_condition
from taxo.language.layout import inference_text
from taxo.language.printer import PRODUCT
from taxo.language.shapes import Reader
from taxo.language.vocabulary import HESSIANS, OPTIMIZERS, Place, Shape


@dataclass(frozen=True, slots=True)
class Looking:
    """Writes one inference that looks ahead; `trained` is the function of the losses."""

    graph: Graph
    writer: Writer
    ahead: Ahead
    trained: str = "trained"

    def write(self, text: Text) -> None:
        """The whole of it: what is found has moved behind it."""
        ahead = self.ahead
        with text.of(ahead.infer.span):
            told = inference_text(ahead.infer)
            text.comment(told if ahead.act is None else f"{ahead.key}: {told}")
            text.line(f"if {' and '.join(['self.learns()', *self._when()])}:")
            with text.indented():
                text.line("x_held, y_held = self.held_out(x)")
                self._held(text)
                unknowns = ", ".join(f"{quoted(name)}: {self._leaf(name)}" for name in ahead.names)
                arguments = [
                    f"self.standing_at({self.trained})",
                    "self.standing_at(held)",
                    f"self.{self._weights()}()",
                    f"{{{unknowns}}}",
                    *(self._inverse() if ahead.inverts else self._steps()),
                ]
                looking = [f"self.looking_ahead({'' if ahead.second else 'second=False'})"]
                looking += [f"self.{self._keeper(name)}.at({self._leaf(name)})" for name in self._modules()]
                text.line(f"with {', '.join(looking)}:")
                with text.indented():
                    found = call(self.writer.use(ahead.solver), arguments)
                    text.line(f"slopes = {found[0]}", *found[1:])
                for name in ahead.names:
                    self._move(text, name)
            text.line(*(line for name in ahead.names for line in self._reading(name)))

    def _weights(self) -> str:
        """Which parameters take virtual steps."""
        if self.ahead.word("of") == "head":
            return "weights_of_head"
        second = any(line.norm == "auxiliary" for line in self.graph.lines)
        return "weights_and_norms" if second else "weights"

    def _when(self) -> Iterator[str]:
        """The conditions on the time under which it is done."""
        times = dict.fromkeys(time_condition(act, self.writer) for act in moments(self.graph, self.ahead))
        if times:
            yield " or ".join(times) if len(times) < 2 else f"({' or '.join(times)})"
        if self.ahead.every > 1:
            every = f"self.now.step % {self.ahead.every} == 0"
            self.writer.times[every] = None
            yield every

    def _steps(self) -> list[str]:
        """What virtual steps are made with."""
        lr = self.ahead.option("lr")
        assert lr is not None
        order = ['order="first"'] * (not self.ahead.second)
        return [f"lr={self.writer.code(lr, EARLY)}", f"steps={self.ahead.steps}", *order]

    def _inverse(self) -> list[str]:
        """How the inverse Hessian is applied, and with what."""
        word, options = self.ahead.hessian()
        rows = HESSIANS[word].options
        numbers = [
            f"{name}={self.ahead.whole(value) if rows[name].whole else self.writer.code(value, EARLY)}"
            for name, value in options.items()
        ]
        return [f"hessian={self.writer.use(INVERSES[word])}", *numbers]

    def _held(self, text: Text) -> None:
        """The losses of the held-out batch, unperturbed."""
        goal = self.ahead.infer.goal
        assert goal is not None
        reader = Reader(Place.LOSS, "loss")
        spot = of_line("held_line", reader, y="y_held", spelt=frozenset(self.graph.scope.lets))
        text.gap()
        text.line("def held():")
        with text.indented():
            text.line("held_line = self.line(x_held, y_held)")
            text.line(f"return {self.writer.expanded(goal.objective, spot, Shape.SAMPLE)}")
        text.gap()

    def _move(self, text: Text, name: str) -> None:
        """The step that something found takes along its slopes."""
        goal, (word, options) = self.ahead.infer.goal, self.ahead.optimizer()
        sign = "-" if goal is not None and goal.kind.text == "maximize" else ""
        lr = f"{sign}{self.writer.held(options['lr'], EARLY, PRODUCT)}"
        slopes, leaf = f"slopes[{quoted(name)}]", self._leaf(name)
        within = self._within(name)
        if not self.ahead.kept:
            shared = f"shared={self._grain(name) != 'sample'}"
            arguments = [leaf, slopes, lr, shared, *[f"optimizer={quoted(word)}"] * (word != "sgd"), *within]
            found = call(self.writer.use("fleeting"), arguments)
            text.line(f"{identifier(name)} = {found[0]}", *found[1:])
            return
        index = "index" if self._grain(name) == "sample" else "None"
        if word == "adam":
            arguments = [f"self.{self._keeper(name)}", slopes, leaf, index, f"lr={lr}", *within]
            text.line(*call(f"self.{attribute(name)}.descend_by", arguments))
            return
        default = repr(OPTIMIZERS[word].options["momentum"].default)
        momentum = self.writer.code(options["momentum"], EARLY) if "momentum" in options else default
        arguments = [slopes, leaf, index, f"lr={lr}", f"momentum={momentum}", "dense=False", *within]
        text.line(*call(f"self.{self._keeper(name)}.descend_by", arguments))

    def _reading(self, name: str) -> list[str]:
        """What is found as the training pass takes it: a constant."""
        own = identifier(name)
        if name in self._modules():
            return []
        if not self.ahead.kept:
            return [f"{own} = {own}.detach()"]
        if self.graph.scope.network(name) is not None:
            return [f"{own} = self.{self._keeper(name)}"]
        index = "index" if self._grain(name) == "sample" else ""
        act = self.ahead.act
        like = "like=x" if act is not None and act.place == Place.FEATURES else ""
        picked = "[0]" if act is None and self._grain(name) == "corpus" else ""
        arguments = ", ".join(one for one in (index, like) if one)
        return [f"{own} = self.{self._keeper(name)}.read({arguments}){picked}"]

    def _leaf(self, name: str) -> str:
        """What the program calls the leaf that gradients reach."""
        own = identifier(name)
        plain = self.ahead.act is not None or self.graph.scope.network(name) is not None
        plain = plain or name in self._modules()
        return own if plain or name in fleeting(self.graph) else f"leaf_{own}"

    def _keeper(self, name: str) -> str:
        act = self.ahead.act
        return keeper(name, self.graph.scope) if act is None else table_of(act, self.graph)

    def _grain(self, name: str) -> str:
        """What has one value of what is found."""
        if self.ahead.act is not None:
            return self.ahead.act.grain
        if name in self._modules():
            return "corpus"
        state = self.graph.scope.states.get(name)
        return state.per.text if state is not None else grain_of(self.graph.scope.params[name])

    def _modules(self) -> list[str]:
        """The modules from outside among what is found."""
        own = () if self.ahead.act is not None else self.ahead.names
        return [name for name in own if is_module(name, self.graph.scope)]

    def _within(self, name: str) -> list[str]:
        """The sets that what is found stays in: an act's own, or a parameter's domain."""
        act = self.ahead.act
        param = self.graph.scope.params.get(name)
        found: list[str] = []
        if act is not None:
            found = Regions(self.writer, act, EARLY).all("x")
        elif param is not None:
            found = around_all(self.writer, self.ahead.infer, param)
        return [f"within=[{', '.join(found)}]"] * bool(found)
