"""Methods in words: a line of the catalogue, and all there is to say of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from taxo.cli.columns import columns
from taxo.compiler import lower, schedule, simplify
from taxo.compiler.graph import Act, Graph
from taxo.language.coordinates import derive
from taxo.language.layout import inference_text
from taxo.language.method import Choices, Interval, Method, Param, Perturbation
from taxo.language.printer import expression_text
from taxo.language.scope import Scope
from taxo.language.syntax import Attribute, Name, children


@dataclass(frozen=True, slots=True)
class Entry:
    """A method's row in the catalogue; several perturbations are joined by `+`."""

    name: str
    target: tuple[str, ...]
    direction: tuple[str, ...]
    manner: tuple[str, ...]
    granularity: tuple[str, ...]
    title: str

    def words(self, coordinate: str) -> tuple[str, ...]:
        """The words of one coordinate."""
        return getattr(self, coordinate)

    def cells(self) -> list[str]:
        """The row as texts."""
        coordinates = (self.target, self.direction, self.manner, self.granularity)
        return [self.name, *(" + ".join(words) or "-" for words in coordinates), self.title]

    def to_json(self) -> dict[str, str | list[str]]:
        """The row as plain values."""
        return {
            "name": self.name,
            "title": self.title,
            "target": list(self.target),
            "direction": list(self.direction),
            "manner": list(self.manner),
            "granularity": list(self.granularity),
        }


def entry(method: Method) -> Entry:
    """The catalogue's row of a method."""
    items = list(method.perturbations())
    return Entry(
        method.name.text,
        _distinct(item.target.text for item in items),
        _distinct(item.direction.text for item in items),
        _distinct(item.infer.manner.text for item in items),
        _distinct(word.text for item in items for word in item.granularity),
        method.title or method.summary,
    )


def _distinct(words: Iterator[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))


def catalogue(entries: list[Entry]) -> str:
    """The catalogue as a table."""
    head = ["method", "target", "direction", "manner", "granularity", "what it is"]
    return "\n".join(columns([head, *(one.cells() for one in entries)]))


def show_text(method: Method) -> str:
    """Everything `taxo show` says of a method."""
    graph = lower(simplify(method))
    plan = schedule(graph)
    passes = [f"{number}. {one}" for number, one in enumerate(plan.passes, 1)]
    cost = f"cost of a step: {plan.cost} (forwards and backwards of the batch)"
    parts = [
        _head(method),
        _section("parameters", _parameters(method)),
        _section("coordinates", _coordinates(method)),
        _section("graph", _graph(graph)),
        _section("plan", [*passes, cost]),
        _section("source", str(method).rstrip().splitlines()),
    ]
    return "\n\n".join(part for part in parts if part)


def _head(method: Method) -> str:
    title = f"{method.name}: {method.title}" if method.title else method.name.text
    return "\n".join([title, *([method.summary] if method.summary else []), *method.cite])


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)]) if lines else ""


def _parameters(method: Method) -> list[str]:
    null = {setting.name.text: expression_text(setting.value) for setting in method.null}
    rows = [
        [
            param.name.text,
            expression_text(param.default),
            _domain(param),
            f"plain loss at {null[param.name.text]}" if param.name.text in null else "",
        ]
        for param in method.params
    ]
    return columns(rows)


def _domain(param: Param) -> str:
    match param.domain:
        case Choices():
            return "in {" + ", ".join(map(expression_text, param.domain.choices)) + "}"
        case Interval():
            return f"in [{expression_text(param.domain.low)}, {expression_text(param.domain.high)}]"
        case None:
            return ""


def _coordinates(method: Method) -> list[str]:
    """Declared and derived coordinates, side by side."""
    lines: list[str] = []
    scope = Scope(method)
    for item in method.perturbations():
        lines += [f"{item.target} by {expression_text(item.by)}", *_item_lines(item, scope)]
    return lines


def _item_lines(item: Perturbation, scope: Scope) -> Iterator[str]:
    derived = derive(item, scope)
    declared = " + ".join(word.text for word in item.granularity)
    rows = [
        ["", "declared", "derived"],
        ["direction", item.direction.text, derived.direction or "-"],
        ["manner", item.infer.manner.text, derived.manner],
        ["granularity", declared, derived.granularity.name.lower()],
    ]
    for line in columns(rows):
        yield f"  {line}"
    if item.where is not None:
        yield f"  where {expression_text(item.where)}"
    yield f"  infer {inference_text(item.infer)}"


def _graph(graph: Graph) -> list[str]:
    """What each perturbation that acts reads and writes."""
    rows: list[list[str]] = []
    for line in graph.lines:
        for act in line.in_order():
            reads = ", ".join(_distinct(_read(graph, act))) or "nothing"
            where = f"{line.name}: " if line.name else ""
            rows.append([f"{where}{act.key}", f"reads {reads}", f"writes {act.target.value}"])
    return columns(rows) or ["nothing acts: the step is the plain loss"]


def _read(graph: Graph, act: Act) -> Iterator[str]:
    """What an act's form, condition and goal depend on, named as a spec names it."""
    pending = graph.expressions(act)
    while pending:
        node = pending.pop(0)
        if isinstance(node, Name) and node.text in graph.scope.lets:
            pending.append(graph.scope.lets[node.text].value)
        elif isinstance(node, (Name, Attribute)):
            if expression_text(node) != act.unknown:
                yield expression_text(node)
        else:
            pending += children(node)
