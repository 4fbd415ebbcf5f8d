"""A method in words: all there is to say of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from taxo.catalog import library_for, whole
from taxo.cli.amendments import amending, amendment, idle
from taxo.cli.columns import columns
from taxo.cli.reads import read_texts
from taxo.compiler import Plan, lower, refusals, schedule, simplify
from taxo.compiler.changing import changing
from taxo.compiler.graph import Act, Graph
from taxo.language.check import check
from taxo.language.coordinates import derive
from taxo.language.errors import Diagnostic
from taxo.language.layout import inference_text
from taxo.language.method import Choices, Interval, Method, Param, Perturbation
from taxo.language.printer import expression_text
from taxo.language.scope import Scope


def show_text(method: Method) -> str:
    """Everything `taxo show` says of a method."""
    expanded = whole(method)
    graph = lower(simplify(expanded))
    parts = [
        _head(method),
        _section("sources", list(method.cite)),
        _section("parameters", _parameters(expanded)),
        _section("coordinates", _coordinates(expanded)),
        _section("graph", _graph(graph)),
        _section("worth a thought", _doubts(method)),
        _section("plan", plan_lines(expanded, graph)),
        _section("source", str(method).rstrip().splitlines()),
    ]
    return "\n\n".join(part for part in parts if part)


def unable(method: Method) -> list[Diagnostic]:
    """What this version cannot run of a method, as warnings."""
    return [replace(one, severity="warning") for one in refusals(simplify(whole(method)))]


def plan_lines(method: Method, graph: Graph) -> list[str]:
    """The passes of a step and their cost, or why there are none yet."""
    missing = unable(method)
    if missing:
        return ["none in this version:", *(f"  {one.message}" for one in missing)]
    plan = schedule(graph)
    passes = [f"{number}. {one}" for number, one in enumerate(plan.passes, 1)]
    alone = [f"no CUDA graph holds a step: {what}" for what, _ in changing(graph)]
    found = [*passes, f"cost of a step: {plan.cost} (forwards and backwards of the batch)"]
    return [*found, *alone, *_round_lines(plan)]


def _round_lines(plan: Plan) -> list[str]:
    """The passes before a round and their cost, where something is done between rounds."""
    if not plan.between:
        return []
    rounds = f"before each of {plan.rounds} rounds but the first:"
    passes = [f"{number}. {one}" for number, one in enumerate(plan.between, 1)]
    return [rounds, *passes, f"cost of a round: {plan.round_cost}, beside its steps"]


def _doubts(method: Method) -> list[str]:
    """What the parts of a composition have to do with each other."""
    if not method.uses():
        return []
    pairs = [one for one in check(method, library=library_for(method)) if one.related]
    return [line for one in pairs for line in str(one).splitlines()]


def _head(method: Method) -> str:
    title = f"{method.name}: {method.title}" if method.title else method.name.text
    return "\n".join([title, *([method.summary] if method.summary else [])])


def _section(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}".rstrip() for line in lines)]) if lines else ""


def _parameters(method: Method) -> list[str]:
    null = {setting.name.text: expression_text(setting.value) for setting in method.null}
    rows = [
        [
            param.name.text,
            expression_text(param.default),
            domain_text(param),
            f"plain loss at {null[param.name.text]}" if param.name.text in null else "",
        ]
        for param in method.params
    ]
    return columns(rows)


def domain_text(param: Param) -> str:
    """The values that a parameter may have, as a spec says it."""
    match param.domain:
        case Choices():
            return "in {" + ", ".join(map(expression_text, param.domain.choices)) + "}"
        case Interval():
            ends = f"in [{expression_text(param.domain.low)}, {expression_text(param.domain.high)}]"
            return f"{ends} log" if param.domain.log else ends
        case None:
            return ""


def _coordinates(method: Method) -> list[str]:
    """Declared and derived coordinates, side by side, and what the whole method infers."""
    lines: list[str] = []
    scope = Scope(method)
    for item in method.perturbations():
        site = f" at {expression_text(item.at)}" if item.at else ""
        lines += [f"{item.target}{site} by {expression_text(item.by)}", *_item_lines(item, scope)]
    return [*lines, *(f"infer {inference_text(infer)}" for infer in method.infers)]


def _item_lines(item: Perturbation, scope: Scope) -> Iterator[str]:
    derived = derive(item, scope)
    declared = " + ".join(word.text for word in item.granularity)
    rows = [
        ["", "declared", "derived"],
        ["direction", _direction(item), derived.direction or "-"],
        ["manner", item.infer.manner.text or "-", derived.manner],
        ["granularity", declared, derived.granularity.name.lower()],
    ]
    for line in columns(rows):
        yield f"  {line}"
    if item.where is not None:
        yield f"  where {expression_text(item.where)}"
    if item.every is not None:
        yield f"  every {item.every} {item.amend or ''}".rstrip()
    if item.infer.manner.text:
        yield f"  infer {inference_text(item.infer)}"


def _direction(item: Perturbation) -> str:
    """The direction that is claimed, and on which data."""
    return f"{item.direction} on {item.against}" if item.against else item.direction.text


def _graph(graph: Graph) -> list[str]:
    """What each perturbation that acts reads and writes."""
    rows: list[list[str]] = []
    for line in graph.lines:
        for act in line.in_order():
            where = f"{line.name}: " if line.name else ""
            written = f"writes {act.spot.value}{' before it is augmented' if act.raw else ''}"
            rows.append([f"{where}{act.key}", f"reads {_read(graph, act)}", written])
    for act in amending(graph):
        rows.append([act.key, f"reads {_read(graph, act)}", f"{amendment(act)}, every round"])
    return [*columns(rows), *idle(graph)]


def _read(graph: Graph, act: Act) -> str:
    """What an act reads, its own unknown left out."""
    texts = read_texts(graph.expressions(act), graph.scope)
    return ", ".join(text for text in texts if text != act.unknown) or "nothing"
