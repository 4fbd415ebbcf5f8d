"""Each perturbation of a line as a hook of the program, its unknown found where the graph says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from taxo.compiler.ahead import aheads, depends
from taxo.compiler.draws import is_early_draw
from taxo.compiler.expressions import Writer
from taxo.compiler.graph import Act, Graph, Line
from taxo.compiler.names import identifier
from taxo.compiler.plan import Plan, counted, gathers, is_plain, simultaneous
from taxo.compiler.regions import Regions
from taxo.compiler.solve import Solve
from taxo.compiler.sought import as_arguments, list_of
from taxo.compiler.spots import Spot
from taxo.compiler.states import is_before, late_draws, reads, update_lines
from taxo.compiler.text import Text, call, quoted
from taxo.compiler.timing import is_timed, time_condition
from taxo.language.layout import inference_text
from taxo.language.objectives import objective_of
from taxo.language.printer import CONDITIONAL, expression_text
from taxo.language.shapes import Reader
from taxo.language.simplex import stays
from taxo.language.syntax import Expression, names
from taxo.language.vocabulary import VALUES, Place

WIDTH = 96
SIGNATURES = {
    **dict(zip("xhzuw", "xhzuw", strict=True)),
    "y": "y, u",
    "p": "p, y, u",
    "loss": "loss, u, y",
}


@dataclass(slots=True)
class ActWriter:
    """Writes the acts of one line, in source order."""

    graph: Graph
    plan: Plan
    writer: Writer
    number: int
    hooks: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def line(self) -> Line:
        """The line that the acts are on."""
        return self.graph.lines[self.number]

    def write(self, text: Text) -> None:
        """Every act of the line."""
        self.name()
        for act in self.line.acts:
            item = act.item
            with text.of(item.span):
                form = expression_text(item.by)
                found = [str(item.direction), inference_text(item.infer)]
                text.comment(f"{item.target} by {form}: {', '.join(filter(None, found))}")
                self._act(text, act)
                text.line("")

    def name(self) -> None:
        """Call the hooks of the line by their names, where they have been written already."""
        for act in self.line.acts:
            self.hooks[act.key] = f"perturb_{identifier(act.key)}"

    def _act(self, text: Text, act: Act) -> None:
        """The search of an act, where it has one of its own, and its hook; at times neither."""
        before = self.graph.found_before(act, self.number)
        if not before or simultaneous(act, self.graph.scope) or not is_timed(act, self.graph.scope):
            if before:
                self._solve(act).before(text)
            self._hook(text, act)
            return
        text.line(f"if {time_condition(act, self.writer)}:")
        with text.indented():
            self._solve(act).before(text)
            self._hook(text, act)
        text.line("else:")
        signature = SIGNATURES[act.spot.value]
        with text.indented():
            text.gap()
            text.block(f"def {self.hooks[act.key]}({signature}):", f"return {signature.split(', ')[0]}")

    def after(self, text: Text) -> None:
        """What is moved by the backward of the line's pass."""
        for act in self.line.acts:
            if simultaneous(act, self.graph.scope):
                with text.of(act.item.infer.span or act.item.span):
                    self._solve(act).after(text)

    def lists(self, start: Place = Place.DATA, stop: Place = Place.LOSS) -> list[str]:
        """The hooks of the line between two places as arguments of its pass."""
        found: dict[str, list[str]] = {}
        for act in self.line.in_order():
            if start <= act.place <= stop:
                found.setdefault(list_of(act, self.graph), []).append(self.hooks[act.key])
        return as_arguments(found)

    def _solve(self, act: Act) -> Solve:
        # a search takes values as they are, without the gradient that the hook's own have
        spelt = tuple(local_lets(self.graph, self.graph.expressions(act), self.number))
        own = self._own(act) if self.graph.inside(act, self.number) else {}
        shared = self.number == 0 and self.graph.clean_is_shared()
        clean = shared and reads(self.graph, self.graph.expressions(act), "clean")
        return Solve(self.graph, self.plan, self.writer, self.line, act, self.hooks, spelt, own, clean)

    def _hook(self, text: Text, act: Act) -> None:
        inside = (
            act.solved and self.graph.inside(act, self.number) and not simultaneous(act, self.graph.scope)
        )
        kept = inside and act.item.infer.manner.text == "regularization"
        known = counted(act, self.graph) or (identifier(act.key) if kept else "")
        if known:
            text.gap()
            text.line(f"{known} = None")
        if act.solved and (known or not inside):
            text.gap()
        text.line(f"def {self.hooks[act.key]}({SIGNATURES[act.spot.value]}):")
        body = Text(origin=text.origin)
        self._body(body, act, inside, known)
        with text.indented():
            if "here" in body.words():
                text.line("here = self.here")
            text.extend(body)

    def _body(self, text: Text, act: Act, inside: bool, known: str) -> None:
        spot = self._spot(act)
        if self._sees_clean(act):
            text.line("clean = here.clean()")
        self.locals(text, act, spot)
        if known:
            text.line(f"nonlocal {known}")
        if inside:
            self._solve(act).from_logits(text, "u")
        if act.place == Place.WEIGHTS:
            self._on_weights(text, act, spot)
            return
        where = [*self._where(act, spot)]
        if counted(act, self.graph):
            text.line(f"{known} = {self.writer.use('keep')}({where[0]}, {spot.unknown})")
        value, form = act.spot.value, self.writer.expanded(act.item.by, spot, act.spot.shape, CONDITIONAL)
        arguments = [quoted(act.key), value, form, *where, *self._limits(act)]
        text.line(*call("return self.add", arguments, WIDTH))

    def locals(self, text: Text, act: Act, spot: Spot) -> None:
        """What an act reads that is known no sooner than where it acts."""
        graph, read = self.graph, self._read_in_place(act)
        late_draws(text, graph, read, self.writer, spot)
        for name, state in graph.scope.states.items():
            if is_before(state) and reads(graph, read, name):
                with text.of(state.span):
                    update_lines(text, state, self.writer, spot, read=True)
        computed = act.item.written() if act.solved else read  # what a search reads is written out in it
        for name in local_lets(graph, computed, self.number):
            let = graph.scope.lets[name]
            if name in spot.spelt:
                continue
            with text.of(let.span):
                text.line(f"{identifier(name)} = {self.writer.code(let.value, spot)}")

    def _read_in_place(self, act: Act) -> list[Expression]:
        """What an act's hook computes: a search there too, if it is not one of passes of its own."""
        searched = act.solved and not self.graph.inside(act, self.number)
        return act.item.written() if searched else self.graph.expressions(act)

    def _where(self, act: Act, spot: Spot) -> Iterator[str]:
        """The condition, unless the unknown was found on the selected rows only."""
        if act.item.where is not None and not (act.solved and gathers(self.graph, self.line, act)):
            timed = is_timed(act, self.graph.scope)
            yield time_condition(act, self.writer) if timed else self.writer.code(act.item.where, spot)

    def _limits(self, act: Act) -> Iterator[str]:
        """Where the perturbed value is clipped, or looked at."""
        clipped = Regions(self.writer, act, self._spot(act)).clipped()
        if clipped:
            yield f"box=({clipped})"
        compared = objective_of(self.graph.method).compares
        if act.place == Place.LABELS and compared and not stays(act.item, self.graph.scope):
            yield "simplex=True"

    def _on_weights(self, text: Text, act: Act, spot: Spot) -> None:
        delta = spot.unknown
        if not is_plain(act):
            site = act.item.at
            names_ = "w" if site is None else f"self.weights({quoted(self.graph.scope.word(site) or '*')})"
            text.line(f"delta = {{name: {self.writer.code(act.item.by, spot)} for name in {names_}}}")
            delta = "delta"
        where = [*self._where(act, spot)]
        if where and "(name, " in where[0]:
            text.line(f"delta = {{name: {delta}[name] for name in {delta} if {where.pop()}}}")
            delta = "delta"
        elif where and "[name]" in where[0]:
            keep, filled = self.writer.use("keep"), self.writer.use("filled")
            kept = f"{keep}({where.pop()}, {filled}({delta}[name], w[name]))"
            text.line(f"delta = {{name: {kept} for name in {delta}}}")
            delta = "delta"
        arguments = [quoted(act.key), "w", delta, *where]
        text.line(f"return self.add_to_weights({', '.join(arguments)})")

    def _spot(self, act: Act) -> Spot:
        value = act.spot.value
        reader = Reader(act.place, act.item.target.text, act.unknown, act.shape, own=value)
        own = self._own(act)
        unknown, learned = identifier(act.key), act.unknown is not None
        if learned and act.grain == "category" and act.place != Place.WEIGHTS:
            unknown = f"{self.writer.use('rows_of')}({unknown}, y)"
        on_weights = act.place == Place.WEIGHTS
        if simultaneous(act, self.graph.scope):
            unknown = f"self.traced({quoted(act.key)}, {unknown}, {value})"
        return Spot(
            reader,
            line="here",
            own=own,
            soft=value == "y" or (value == "loss" and self._labels_are_moved()),
            unknown=unknown,
            key="name" if on_weights else "",
            # what differs from parameter to parameter has no variable
            spelt=frozenset(self.graph.scope.lets if on_weights else ()),
        )

    def _labels_are_moved(self) -> bool:
        """Whether every pass of the line brings moved labels: one of a search may come before they move."""
        searched = any(self.graph.found_before(act, self.number) for act in self.line.acts)
        return not searched and any(act.place == Place.LABELS for act in self.line.acts)

    def _own(self, act: Act) -> dict[str, str]:
        """The values that an act's hook is given."""
        return {name: name for name in SIGNATURES[act.spot.value].split(", ") if name != "w"}

    def _sees_clean(self, act: Act) -> bool:
        """Whether an act reads the clean pass, and that is the pass it acts in."""
        shared = self.number == 0 and self.graph.clean_is_shared()
        before = self.graph.found_before(act, self.number)
        parts = act.item.written() if before else self.graph.expressions(act)
        return shared and reads(self.graph, parts, "clean")


def early(graph: Graph, node: Expression, number: int, moved: bool = False) -> bool:
    """Whether an expression can be computed before the passes of a line; `moved` where that is done anew."""
    scope, soft = graph.scope, any(act.place == Place.LABELS for act in graph.acts())
    if not moved and depends(scope, node, tuple(name for one in aheads(graph) for name in one.names)):
        return False  # it changes before the training pass
    for name in scope.reads(node):
        if name == "clean" and graph.clean_is_shared() and number == 0:
            return False
        if name in ("teacher", *scope.branches) or (name == "y" and soft):
            return False
        if name in scope.states and is_before(scope.states[name]):
            return False
        if name in scope.draws and not is_early_draw(scope.draws[name], scope):
            return False
        if name in VALUES and name not in scope.declared and VALUES[name].place > Place.DATA:
            return False
    return not any(_is_inside(part) for part in scope.parts(node))


def _is_inside(part: Expression) -> bool:
    """Whether a part is a call of what is known within a pass only."""
    name = getattr(getattr(part, "name", None), "text", "")
    return hasattr(part, "arguments") and name in ("h", "named")


def read_lets(graph: Graph, nodes: list[Expression]) -> list[str]:
    """The `let`s that expressions read, through others, in an order in which they can be computed."""
    found: list[str] = []
    for node in nodes:
        direct = [name.text for name in names(node) if name.text in graph.scope.lets]
        for name in direct:
            inner = read_lets(graph, [graph.scope.lets[name].value])
            found += [one for one in (*inner, name) if one not in found]
    return found


def local_lets(graph: Graph, nodes: list[Expression], number: int) -> list[str]:
    """The `let`s among those that expressions read which have to be computed where they are read."""
    return [
        name for name in read_lets(graph, nodes) if not early(graph, graph.scope.lets[name].value, number)
    ]
