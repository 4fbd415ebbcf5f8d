"""The graph of a method: values along the training line, what acts on them, and what each reads.

Order, shared passes and cost are read off this graph; nothing else knows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from taxo.compiler.lines import Act, Line, in_order, lines_of, site_of
from taxo.language.method import Method
from taxo.language.scope import Scope
from taxo.language.syntax import Attribute, Call, Expression, names, walk
from taxo.language.vocabulary import CONSTANTS, LABELLED, VALUES, Place

if TYPE_CHECKING:
    import networkx

HEAD = "W"
LINE: tuple[str, ...] = ("w", "x", "u", "y", "loss")
# Values of sites within a target: what each is made of, and what is made of it.
WITHIN: dict[str, tuple[str, str]] = {"z": ("x", "u"), "h": ("x", "u"), "p": ("u", "loss")}


@dataclass(frozen=True, slots=True)
class Value:
    """A value on one line, after `stage` perturbations acted on it."""

    name: str
    line: int = -1
    stage: int = 0


@dataclass(frozen=True, slots=True)
class Deed:
    """An act on one of the lines: a node of the graph."""

    key: str
    line: int


@dataclass(frozen=True, slots=True)
class Graph:
    """A method as a graph of values and deeds, edges from what is read to what reads it.

    Behind its lines it updates the states it reads, and those that it `keeps` for others.
    """

    method: Method
    scope: Scope
    lines: tuple[Line, ...]
    keeps: frozenset[str] = frozenset()
    _read: list[Expression] = field(default_factory=list[Expression], compare=False, repr=False)
    _net: list[networkx.DiGraph[Value | Deed]] = field(
        default_factory=list["networkx.DiGraph[Value | Deed]"], compare=False, repr=False
    )

    @property
    def net(self) -> networkx.DiGraph[Value | Deed]:
        """The edges, drawn when they are first asked for: many questions are answered without them."""
        if not self._net:
            import networkx

            net: networkx.DiGraph[Value | Deed] = networkx.DiGraph()
            for number, line in enumerate(self.lines):
                _draw_line(self, net, number, line)
            self._net.append(net)
        return self._net[0]

    def acts(self) -> list[Act]:
        """Every act once, in source order."""
        return sorted(
            {act.key: act for line in self.lines for act in line.acts}.values(), key=lambda a: a.order
        )

    def upstream(self, act: Act, line: int) -> set[str]:
        """The keys of the acts that an act's value has already been through."""
        import networkx

        before = networkx.ancestors(self.net, Deed(act.key, line))
        return {node.key for node in before if isinstance(node, Deed)}

    def inside(self, act: Act, line: int) -> bool:
        """Whether the training pass itself brings an act all it needs to find its unknown.

        It does from the logits on, if nothing written below the act has already acted upstream of it.
        """
        if act.place < Place.LOGITS:
            return False
        above = {other.key for other in self.lines[line].above(act)}
        others = {other.key for other in self.lines[line].acts} - {act.key}
        return (others <= above and self._apart(line)) or self.upstream(act, line) <= above

    def _apart(self, line: int) -> bool:
        """Whether no act of a line reads what acts of other lines may have been through."""
        parts = (part for act in self.lines[line].acts for part in act.item.written())
        return not any({HEAD, *self.scope.branches} & set(self.scope.reads(part)) for part in parts)

    def found_before(self, act: Act, line: int) -> bool:
        """Whether an act's unknown is found by passes before the training pass."""
        return act.solved and not self.inside(act, line)

    def clean_is_shared(self) -> bool:
        """Whether the first line's training pass brings unperturbed logits, and so is the clean pass too."""
        import networkx

        first = self.lines[0]
        if first.carry is not None or first.norm == "auxiliary" or self.together():
            return False
        if any(self.found_before(act, 0) and "clean" in self.reads(act) for act in first.acts):
            return False
        return not any(isinstance(node, Deed) for node in networkx.ancestors(self.net, Value("u", 0)))

    def together(self) -> bool:
        """Whether all lines go through the model in one pass: they share its batch norms' statistics."""
        if len(self.lines) < 2 or any(line.norm != "batch" or line.carry is not None for line in self.lines):
            return False
        return not any(act.place == Place.WEIGHTS or act.solved for line in self.lines for act in line.acts)

    def reads_clean(self) -> bool:
        """Whether something reads the unperturbed pass."""
        return any("clean" in self.scope.reads(part) for part in self.read())

    def read_by(self, lines: Iterable[Line]) -> set[str]:
        """The names that acts of some lines, or their weights, depend on."""
        found = set[str]()
        for line in lines:
            found.update(self.scope.reads(line.weight), *(self.reads(act) for act in line.acts))
        return found

    def reads(self, act: Act) -> set[str]:
        """The names that what an act computes depends on."""
        return {name for part in self.expressions(act) for name in self.scope.reads(part)}

    def expressions(self, act: Act) -> list[Expression]:
        """An act's form and condition, and its goal, sets and solver."""
        return [*act.item.written(), *act.item.infer.written()]

    def sought_to(self, act: Act) -> Place:
        """How far what a search is for depends on its passes: to the logits, the labels or the losses."""
        goal = act.item.infer.goal
        read = {"loss"} if goal is None else {*self.scope.reads(goal.objective)}
        if "loss" in read:
            return Place.LOSS
        return Place.LABELS if read & LABELLED else Place.LOGITS

    def read(self) -> list[Expression]:
        """Every expression that the program computes, `let`s, draws and states among them."""
        if not self._read:
            self._read.extend(self._reading())
        return self._read

    def _reading(self) -> Iterator[Expression]:
        scope, method = self.scope, self.method
        parts = [part for act in self.acts() for part in self.expressions(act)]
        parts += [line.weight for line in self.lines]
        parts += [state.value for name, state in scope.states.items() if name in self.keeps]
        parts += [act.item.at for act in self.acts() if act.item.at is not None]
        parts += [] if method.loss is None else [method.loss]
        parts += [part for infer in method.infers for part in infer.written()]
        parts += [argument.value for call in method.needs for argument in call.arguments]
        pending, done = parts, set[str]()
        while pending:
            node = pending.pop(0)
            yield node
            for name in names(node):
                if name.text not in done:
                    done.add(name.text)
                    pending += scope.definition(name.text)

    def used(self, name: str) -> bool:
        """Whether the program reads a name."""
        return any(one.text == name for node in self.read() for one in names(node))

    def used_call(self, name: str) -> bool:
        """Whether the program calls a network."""
        parts = (part for node in self.read() for part in walk(node))
        return any(isinstance(part, Call) and part.name.text == name for part in parts)


def lower(method: Method, phase: str = "training") -> Graph:
    """The graph of a method whose idle parts are gone, in training or on predictions (`eval`), or `any`."""
    scope = Scope(method)
    return of_lines(method, scope, in_order(list(lines_of(method, scope, phase)), scope))


def of_lines(
    method: Method, scope: Scope, lines: Iterable[Line], keeps: frozenset[str] = frozenset()
) -> Graph:
    """The graph of some lines of a method."""
    return Graph(method, scope, tuple(lines), keeps)


def _draw_line(graph: Graph, net: networkx.DiGraph[Value | Deed], number: int, line: Line) -> None:
    """Add the values and deeds of one line, in the order of the training computation."""
    stage: dict[str, int] = dict.fromkeys((*LINE, *WITHIN), 0)

    def now(name: str) -> Value:
        return Value(name, number, stage[name])

    for place in Place:
        if place == Place.LOGITS:
            net.add_edges_from([(now("w"), now("u")), (now("x"), now("u"))])
        if place == Place.LOSS:
            net.add_edges_from([(now("u"), now("loss")), (now("y"), now("loss"))])
        for act in (act for act in line.in_order() if act.place == place):
            deed, value = Deed(act.key, number), act.spot.value
            names = _readable(graph, act)
            for inner in (name for name in (value, *names) if name in WITHIN):
                net.add_edge(now(WITHIN[inner][0]), now(inner))
            if HEAD in names:
                net.add_edge(now("w"), Value(HEAD))
            read = [now(name) if name in stage else Value(name) for name in names]
            of_others = _branch_values(graph, act)
            net.add_edges_from((node, deed) for node in (now(value), *read, *of_others))
            stage[value] += 1
            net.add_edge(deed, now(value))
            if value in WITHIN:
                net.add_edge(now(value), Value(WITHIN[value][1], number, 0))


def _readable(graph: Graph, act: Act) -> list[str]:
    """The names an act reads where it acts; `p` and its like are read off the logits."""
    scope = graph.scope
    read = {name for part in act.item.written() for name in scope.reads(part)}
    names = {name for name in read if name not in CONSTANTS and name not in scope.branches}
    built_in = {name for name in names if name in VALUES and name not in scope.declared}
    off_logits = {name for name in built_in if VALUES[name].place == Place.LOGITS}
    aims = act.solved and act.place == Place.LABELS  # at a loss, which is made of logits
    return sorted((names - off_logits) | ({"u"} if off_logits or aims else set[str]()))


def _branch_values(graph: Graph, act: Act) -> list[Value]:
    """The values of other branches that an act reads, at the end of their lines."""
    found: list[Value] = []
    for node in (inner for part in act.item.written() for inner in graph.scope.parts(part)):
        if isinstance(node, Attribute) and node.owner.text in graph.scope.branches:
            other = next(k for k, line in enumerate(graph.lines) if line.name == node.owner.text)
            name = "u" if VALUES[node.name.text].place == Place.LOGITS else node.name.text
            acted = sum(one.spot.value == name for one in graph.lines[other].acts)
            found.append(Value(name, other, acted))
    return found


__all__ = ["Act", "Deed", "Graph", "Line", "Value", "lower", "site_of"]
