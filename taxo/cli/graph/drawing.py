"""From a method's graph to its picture: the training line from left to right, and what its acts read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from taxo.cli.graph.captions import (
    act_captions,
    act_title,
    clean_captions,
    draw_captions,
    notes,
    state_captions,
    value_captions,
    weight_captions,
)
from taxo.cli.graph.picture import SHARED, Caption, Edge, Kind, Lane, Node, Picture, Row
from taxo.cli.reads import readings
from taxo.compiler import lower, simplify
from taxo.compiler.graph import LINE, Act, Graph, Line
from taxo.language.method import Method
from taxo.language.printer import expression_text
from taxo.language.syntax import Attribute, Expression, Name
from taxo.language.vocabulary import CONSTANTS, TARGETS, VALUES, Place, Shape

BESIDE = {"W", "h", "z"}  # of the model, where no act of the line is at them
AT_PLACE = {target.place: target.value for target in TARGETS.values()}
ROW_OF: dict[str, Row] = {"w": "weights", "y": "labels"}


def draw(method: Method) -> Picture:
    """The picture of a method, its parameters at their present values."""
    graph = lower(simplify(method))
    pen = _Pen(graph)
    ends = [pen.lane(number, line) for number, line in enumerate(graph.lines)]
    pen.node("total", "total", "total", (Caption("L", "head"),), "the mean over the batch: what is minimised")
    for end in ends:
        pen.edge(end, "total")
    lanes = tuple(Lane(line.name, expression_text(line.weight)) for line in graph.lines)
    nodes = (*pen.sources.values(), *pen.nodes)
    title = method.title or method.summary
    return Picture(method.name.text, title, nodes, tuple(pen.edges), lanes, notes(graph))


@dataclass(slots=True)
class _Pen:
    """Draws lane after lane; `carriers` says which box holds each value of the line at present."""

    graph: Graph
    nodes: list[Node] = field(default_factory=list[Node])
    sources: dict[str, Node] = field(default_factory=dict[str, Node])
    edges: list[Edge] = field(default_factory=list[Edge])
    carriers: dict[str, str] = field(default_factory=dict[str, str])
    number: int = SHARED

    def lane(self, number: int, line: Line) -> str:
        """Draw one lane; its last box."""
        self.number = number
        self.carriers = {}
        if any(act.place == Place.WEIGHTS for act in line.acts):
            self._value("w", "weights")
        self._value("x", "line")
        self._value("y", "labels")
        predicted = "u"
        for place in Place:
            acts = [act for act in line.in_order() if act.place == place]
            if place == Place.LOGITS:
                self._model("head" if "z" in self.carriers or "h" in self.carriers else "model")
            if place == Place.LOSS:
                self._value("loss", "line", predicted, "y")
            for act in acts:
                if act.spot.value == "p" and predicted == "u":
                    predicted = "p"
                    self._value("p", "line", "u")
                elif act.spot.value not in self.carriers:
                    self._model("layers", act.spot.value)
                self._act(act)
        return self._weight(line) if line.name else self.carriers["loss"]

    def node(self, key: str, name: str, kind: Kind, texts: tuple[Caption, ...], title: str) -> None:
        """Add a box that belongs to no lane."""
        self.nodes.append(Node(key, name, kind, texts, title))

    def edge(self, tail: str, head: str, reads: str = "") -> None:
        """Add a wire."""
        self.edges.append(Edge(tail, head, reads))

    def _box(self, name: str, kind: Kind, texts: tuple[Caption, ...], title: str, row: Row = "line") -> str:
        key = f"{name}_{self.number}"
        self.nodes.append(Node(key, name, kind, texts, title, self.number, row))
        return key

    def _value(self, name: str, row: Row, *parts: str) -> None:
        """Add a value of the line, and the wires from what it is made of."""
        title = TARGETS["weights"].meaning if name == "w" else VALUES[name].meaning
        key = self._box(name, "value", (Caption(name, "head"),), title, row)
        for part in parts:
            self.edge(self.carriers[part], key)
        self.carriers[name] = key

    def _model(self, part: str = "model", value: str = "u") -> None:
        """Add the model, or a part of it, from the values that it starts from to the one that it makes."""
        key = self._box(f"model_{value}", "model", (Caption(part, "head"),), "the model with its weights")
        inner = [name for name in ("h", "z") if name in self.carriers]
        for name in ("w", inner[-1] if inner else "x"):
            if name in self.carriers:
                self.edge(self.carriers[name], key)
        self.carriers[f"model_{value}"] = key
        self._value(value, "line", f"model_{value}")

    def _act(self, act: Act) -> None:
        """Add a perturbation on the value it moves, and a wire for each thing it reads."""
        row = ROW_OF.get(act.spot.value, "line")
        texts, title = act_captions(self.graph, act, self.number), act_title(act)
        # keys of acts and values must differ: a perturbation may well be called `u`
        name = f"act_{act.key}"
        key = f"{name}_{self.number}"
        self.nodes.append(
            Node(key, name, "perturbation", texts, title, self.number, row, act.item.direction.text)
        )
        self.edge(self.carriers[act.spot.value], key)
        goal = act.item.infer.goal.objective if act.item.infer.goal else None
        in_place = [node for node in self.graph.expressions(act) if node is not goal]
        if act.solved and act.place == Place.LABELS:
            in_place.append(Name("u"))  # its goal is made of the logits that are there
        # what the goal reads of the line it else reads in passes of its own
        self._reads(key, in_place, [goal] if goal else [], act)
        self.carriers[act.spot.value] = key

    def _weight(self, line: Line) -> str:
        title = f"what {line.name} counts for: {expression_text(line.weight)}"
        key = self._box("weight", "weight", weight_captions(line), title)
        self.edge(self.carriers["loss"], key)
        self._reads(key, [line.weight], [], None)
        return key

    def _reads(
        self, head: str, nodes: Iterable[Expression], apart: Iterable[Expression], act: Act | None
    ) -> None:
        """Add a wire from each box that expressions read; those apart read none of this line's."""
        flows = {edge.tail for edge in self.edges if edge.head == head}
        found: dict[str, list[str]] = {}
        for read in readings(nodes, self.graph.scope):
            found.setdefault(self._tail(read, act), []).append(expression_text(read))
        for read in readings(apart, self.graph.scope):
            tail = self._tail(read, act)
            if tail in self.sources:
                found.setdefault(tail, []).append(expression_text(read))
        for tail, texts in found.items():
            if tail and tail not in flows:
                self.edge(tail, head, ", ".join(dict.fromkeys(texts)))

    def _tail(self, read: Name | Attribute, act: Act | None) -> str:
        """The box that a value comes from; nothing for an act's own unknown, a parameter or a word."""
        name = read.owner.text if isinstance(read, Attribute) else read.text
        if act is not None and name == act.unknown:
            return ""
        if isinstance(read, Attribute) and name in self.graph.scope.branches:
            return self._source(expression_text(read))
        carrier = self.carriers.get(name) or self.carriers.get(_carrier(name))
        return carrier or (self._source(name) if self._is_source(name) else "")

    def _is_source(self, name: str) -> bool:
        """Whether a name deserves a box: parameters and constants are but numbers, and options have words."""
        scope = self.graph.scope
        if name not in VALUES:
            return name in scope.declared and name not in scope.params
        count = VALUES[name].shape == Shape.SCALAR and name.isupper()
        beside = VALUES[name].place == Place.DATA or name in BESIDE
        return beside and name not in CONSTANTS and not count

    def _source(self, name: str) -> str:
        """The box of a value from beside the line, which all lanes share."""
        key = f"from_{name.replace('.', '_')}"
        scope, title = self.graph.scope, VALUES[name].meaning if name in VALUES else name
        texts = value_captions(name)
        if name == "clean":
            texts = clean_captions(self.graph)
        elif name in scope.draws:
            texts, title = draw_captions(scope.draws[name]), f"draw {name}"
        elif name in scope.states:
            texts, title = state_captions(scope.states[name]), f"state {name}"
        self.sources.setdefault(key, Node(key, key, "source", texts, title))
        return key


def _carrier(name: str) -> str:
    """The value of the line that a name is, or is read off: `p` off the logits."""
    if name in LINE or name not in VALUES:
        return name
    return AT_PLACE.get(VALUES[name].place, name)
