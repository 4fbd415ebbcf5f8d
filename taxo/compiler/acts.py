"""Each perturbation of a line as a hook of the program, its unknown found where the graph says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from taxo.compiler.expressions import Spot, Writer
from taxo.compiler.graph import Act, Graph, Line
from taxo.compiler.names import identifier
from taxo.compiler.plan import Plan, gathers
from taxo.compiler.solve import Solve
from taxo.compiler.text import Text, quoted
from taxo.language.layout import inference_text
from taxo.language.printer import CONDITIONAL, expression_text
from taxo.language.shapes import Reader
from taxo.language.syntax import Expression, Name, names
from taxo.language.vocabulary import TARGETS, VALUES, Place

SIGNATURES = {"features": "x", "logits": "u", "labels": "y, u", "loss": "loss, u, y", "weights": "w"}


@dataclass(slots=True)
class ActWriter:
    """Writes the acts of one line, in source order."""

    graph: Graph
    plan: Plan
    writer: Writer
    number: int
    watched: bool
    hooks: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def line(self) -> Line:
        """The line that the acts are on."""
        return self.graph.lines[self.number]

    def write(self, text: Text) -> None:
        """Every act of the line, and the watch on its clean logits where several read them."""
        if self.watched:
            self._watch(text)
        for act in self.line.acts:
            item = act.item
            self.hooks[act.key] = f"perturb_{identifier(act.key)}"
            with text.of(item.span):
                form = expression_text(item.by)
                text.comment(f"{item.target} by {form}: {item.direction}, {inference_text(item.infer)}")
                if act.solved and not self.graph.inside(act, self.number):
                    self._solve(act).before(text)
                self._hook(text, act)
                text.line("")

    def lists(self) -> list[str]:
        """The hooks of the line as arguments of its pass."""
        found: dict[str, list[str]] = {"logits": ["watch"]} if self.watched else {}
        for act in self.line.in_order():
            found.setdefault(act.item.target.text, []).append(self.hooks[act.key])
        return [f"{target}=[{', '.join(hooks)}]" for target, hooks in found.items()]

    def _solve(self, act: Act) -> Solve:
        goal = act.item.infer.goal
        spelt = tuple(local_lets(self.graph, [goal.objective] if goal else [], self.number))
        return Solve(self.graph, self.plan, self.writer, self.line, act, self.hooks, spelt)

    def _watch(self, text: Text) -> None:
        """The line's own logits are the clean ones: keep them for all who read them."""
        text.line("clean = None", "", "def watch(u):")
        with text.indented():
            text.line("nonlocal clean")
            self.clean(text)
            text.line("return u")
        text.line("")

    def clean(self, text: Text) -> None:
        """The clean pass that is this very pass."""
        with text.under(self.writer.norms("update", gradient=False)):
            text.line("clean = self.head(u.detach(), y)")

    def _hook(self, text: Text, act: Act) -> None:
        item, target = act.item, act.item.target.text
        spot = self._spot(act)
        inside = act.solved and self.graph.inside(act, self.number)
        kept = inside and item.infer.manner.text == "regularization"
        if kept:
            text.line(f"{identifier(act.key)} = None")
        if act.solved and (kept or not inside):
            text.gap()
        text.line(f"def {self.hooks[act.key]}({SIGNATURES[target]}):")
        with text.indented():
            if self._sees_clean(act):
                self.clean(text)
            for name in local_lets(self.graph, self._read_in_place(act), self.number):
                value = self.writer.code(self.graph.scope.lets[name].value, spot)
                text.line(f"{identifier(name)} = {value}")
            if kept:
                text.line(f"nonlocal {identifier(act.key)}")
            if inside:
                self._solve(act).from_logits(text, "u")
            if target == "weights":
                self._on_weights(text, act, spot)
                return
            value = TARGETS[target].value
            form = self.writer.expanded(item.by, spot, act.target.shape, value, CONDITIONAL)
            text.line(
                f"return self.add({', '.join([quoted(act.key), value, form, *self._where(act, spot)])})"
            )

    def _read_in_place(self, act: Act) -> list[Expression]:
        """What an act's hook computes: everything but the goal, which is a matter of the search."""
        goal = act.item.infer.goal
        return [node for node in self.graph.expressions(act) if goal is None or node is not goal.objective]

    def _where(self, act: Act, spot: Spot) -> Iterator[str]:
        """The condition, unless the unknown was found on the selected rows only."""
        if act.item.where is not None and not (act.solved and gathers(self.graph, self.line, act)):
            yield self.writer.code(act.item.where, spot)

    def _on_weights(self, text: Text, act: Act, spot: Spot) -> None:
        delta = spot.unknown
        if not (isinstance(act.item.by, Name) and act.item.by.text == act.unknown):
            site = act.item.at
            names = "w" if site is None else f"self.weights({quoted(self.graph.scope.word(site) or '*')})"
            text.line(f"delta = {{name: {self.writer.code(act.item.by, spot)} for name in {names}}}")
            delta = "delta"
        arguments = [quoted(act.key), "w", delta, *self._where(act, spot)]
        text.line(f"return self.add_to_weights({', '.join(arguments)})")

    def _spot(self, act: Act) -> Spot:
        target = act.item.target.text
        reader = Reader(act.place, target, act.unknown, act.target.shape)
        key = "name" if target == "weights" else ""
        return Spot(reader, unknown=identifier(act.key), soft=target == "labels", key=key)

    def _sees_clean(self, act: Act) -> bool:
        """Whether an act is the one reader of the clean pass, and that is the pass it acts in."""
        shared = self.number == 0 and self.graph.clean_is_shared() and not self.watched
        return shared and "clean" in self.graph.reads(act)


def watched(graph: Graph, number: int) -> bool:
    """Whether the clean logits of a line must be kept for more than the first act on them."""
    if number or not graph.clean_is_shared():
        return False
    acts = graph.lines[0].in_order()
    readers = [act for act in acts if "clean" in graph.reads(act)]
    alone = len(readers) == 1 and readers[0] is acts[0] and readers[0].place == Place.LOGITS
    return graph.reads_clean(first=1) or (bool(readers) and not alone)


def early(graph: Graph, node: Expression, number: int) -> bool:
    """Whether an expression can be computed before the passes of a line."""
    soft = any(act.place == Place.LABELS for act in graph.acts())
    for name in graph.scope.reads(node):
        if name == "clean" and graph.clean_is_shared() and number == 0:
            return False
        if name in VALUES and name not in graph.scope.declared and VALUES[name].place > Place.DATA:
            return False
        if name == "y" and soft:
            return False
    return True


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
