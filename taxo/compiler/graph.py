"""The graph of a method: values along the training line, what acts on them, and what each reads.

Order, shared passes and cost are read off this graph; nothing else knows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from taxo.compiler.names import identifier
from taxo.language.method import Method, Perturbation
from taxo.language.scope import Scope, acts_at
from taxo.language.syntax import Attribute, Call, Expression, Name, Number, names
from taxo.language.vocabulary import CONSTANTS, SITES, TARGETS, VALUES, Place, Site, Target

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
class Act:
    """A perturbation where it acts; `order` is its place in the source."""

    key: str
    order: int
    item: Perturbation
    unknown: str | None

    @property
    def target(self) -> Target:
        """The vocabulary's row of its target."""
        return TARGETS[self.item.target.text]

    @property
    def spot(self) -> Target | Site:
        """Its target, or the site within it that it acts at."""
        return acts_at(self.item) or self.target

    @property
    def place(self) -> Place:
        """Where on the line it acts."""
        return self.spot.place

    @property
    def via(self) -> Call | None:
        """Its solver, if it has one of its own."""
        return self.item.infer.via if self.unknown is not None else None

    @property
    def learned(self) -> bool:
        """Whether its unknown descends beside the weights."""
        return self.via is not None and self.via.name.text == "joint"

    @property
    def solved(self) -> bool:
        """Whether its unknown is found anew in every step."""
        return self.unknown is not None and not self.learned

    @property
    def grain(self) -> str:
        """What shares one value of its unknown."""
        return "corpus" if self.place == Place.WEIGHTS else self.item.granularity[-1].text

    @property
    def inner(self) -> bool:
        """Whether it acts inside the model."""
        return self.place == Place.INNER


@dataclass(frozen=True, slots=True)
class Deed:
    """An act on one of the lines: a node of the graph."""

    key: str
    line: int


@dataclass(frozen=True, slots=True)
class Line:
    """One weighted copy of the training line, and the acts on it in source order."""

    name: str
    weight: Expression
    acts: tuple[Act, ...]
    norm: str = ""
    carry: Call | None = None

    @property
    def variable(self) -> str:
        """The name of its pass in the program."""
        return f"line_{identifier(self.name)}" if self.name else "line"

    def in_order(self) -> list[Act]:
        """The acts in the order they act."""
        return sorted(self.acts, key=lambda act: (act.place, act.order))

    def moves_logits(self) -> bool:
        """Whether something acts before the logits."""
        return any(act.place < Place.LOGITS for act in self.acts)

    def above(self, act: Act) -> list[Act]:
        """The acts written above one."""
        return [other for other in self.acts if other.order < act.order]


@dataclass(frozen=True, slots=True)
class Graph:
    """A method as a graph of values and deeds, edges from what is read to what reads it."""

    method: Method
    scope: Scope
    lines: tuple[Line, ...]
    net: networkx.DiGraph[Value | Deed]
    _read: list[Expression] = field(default_factory=list[Expression], compare=False, repr=False)

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
        above = {other.key for other in self.lines[line].above(act)}
        return act.place >= Place.LOGITS and self.upstream(act, line) <= above

    def clean_is_shared(self) -> bool:
        """Whether the first line's training pass brings unperturbed logits, and so is the clean pass too."""
        import networkx

        first = self.lines[0]
        if first.carry is not None or first.norm == "auxiliary" or self.together():
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

    def reads(self, act: Act) -> set[str]:
        """The names that what an act computes depends on."""
        return {name for part in self.expressions(act) for name in self.scope.reads(part)}

    def expressions(self, act: Act) -> list[Expression]:
        """An act's form and condition, and its goal, sets and solver."""
        item, infer = act.item, act.item.infer
        calls = [*infer.within, *([] if infer.via is None else [infer.via])]
        options = [argument.value for call in calls for argument in call.arguments]
        parts = [item.by, item.where, infer.goal.objective if infer.goal else None, *options]
        return [part for part in parts if part is not None]

    def read(self) -> list[Expression]:
        """Every expression that the program computes, `let`s, draws and states among them."""
        if not self._read:
            self._read.extend(self._reading())
        return self._read

    def _reading(self) -> Iterator[Expression]:
        scope, method = self.scope, self.method
        parts = [part for act in self.acts() for part in self.expressions(act)]
        parts += [line.weight for line in self.lines]
        parts += [act.item.at for act in self.acts() if act.item.at is not None]
        parts += [] if method.loss is None else [method.loss]
        parts += [infer.goal.objective for infer in method.infers if infer.goal is not None]
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


def site_of(act: Act, scope: Scope) -> str:
    """The word or pattern of an act's site; nothing where it has none."""
    site = act.item.at
    if isinstance(site, Name) and site.text in SITES and site.text not in scope.params:
        return site.text
    return "" if site is None else scope.word(site) or ""


def lower(method: Method, phase: str = "training") -> Graph:
    """The graph of a method whose idle parts are gone, in training or on predictions (`eval`), or `any`."""
    import networkx

    scope = Scope(method)
    lines = _in_order(list(_lines(method, scope, phase)), scope)
    graph = Graph(method, scope, tuple(lines), networkx.DiGraph())
    for number, line in enumerate(graph.lines):
        _draw_line(graph, number, line)
    return graph


def _lines(method: Method, scope: Scope, phase: str) -> Iterator[Line]:
    """One line for each branch, or a single one; acts outside branches are on each."""
    acts = dict(_acts(method, scope))
    branches = method.branches() if phase != "eval" else []
    common = [item for item in method.clauses if isinstance(item, Perturbation) and _acts_in(item, phase)]
    if not branches:
        yield Line("", Number(1.0), tuple(acts[id(item)] for item in common))
    for number, branch in enumerate(branches):
        inside = [item for item in branch.perturbations if _acts_in(item, phase)]
        own = sorted((acts[id(item)] for item in (*common, *inside)), key=lambda act: act.order)
        name = branch.name.text if branch.name else f"branch{number + 1}"
        norm = "" if branch.norm is None else scope.word(Name(branch.norm.text)) or branch.norm.text
        yield Line(name, branch.weight, tuple(own), norm, branch.on)


def _acts_in(item: Perturbation, phase: str) -> bool:
    """Whether a perturbation acts in a phase."""
    during = "training" if item.during is None else item.during.text
    return phase == "any" or during in (phase, "always")


def _in_order(lines: list[Line], scope: Scope) -> list[Line]:
    """The lines in the order they run.

    Those whose values others read come first; then those whose unperturbed logits serve all who read the
    clean pass; last those on another batch.
    """
    waiting = sorted(lines, key=lambda line: (line.carry is not None, line.moves_logits()))
    done: list[Line] = []
    while waiting:
        names_left = {line.name for line in waiting}
        ready = next(
            (one for one in waiting if not (_reads_of(one, scope) & names_left - {one.name})), waiting[0]
        )
        waiting.remove(ready)
        done.append(ready)
    return done


def _reads_of(line: Line, scope: Scope) -> set[str]:
    """The branches whose values the acts of a line's own, or its weight, read."""
    parts = [part for act in line.acts for part in act.item.written()]
    goals = [act.item.infer.goal.objective for act in line.acts if act.item.infer.goal is not None]
    return {name for part in (*parts, *goals) for name in scope.reads(part)} & set(scope.branches)


def _acts(method: Method, scope: Scope) -> Iterator[tuple[int, Act]]:
    """Every perturbation as an act, under the name of its unknown or target."""
    taken: set[str] = set()
    for order, item in enumerate(method.perturbations()):
        unknown = scope.unknown(item)
        key = base = unknown or item.target.text
        number = 1
        while key in taken:
            number += 1
            key = f"{base}{number}"
        taken.add(key)
        yield id(item), Act(key, order, item, unknown)


def _draw_line(graph: Graph, number: int, line: Line) -> None:
    """Add the values and deeds of one line, in the order of the training computation."""
    net = graph.net
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
    return sorted((names - off_logits) | ({"u"} if off_logits else set[str]()))


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
