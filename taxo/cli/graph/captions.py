"""What the boxes of a picture say: short lines to look at, and the whole of it as a title."""

from __future__ import annotations

import textwrap

from taxo.cli.amendments import amending, amendment, idle
from taxo.cli.graph.picture import Caption, Style
from taxo.compiler.graph import Act, Graph, Line
from taxo.compiler.plan import schedule
from taxo.compiler.support import refusals
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.coordinates import derive
from taxo.language.layout import inference_text
from taxo.language.method import Draw, State
from taxo.language.printer import call_text, expression_text
from taxo.language.syntax import names
from taxo.language.vocabulary import SOLVERS, VALUES

WIDE: dict[Style, int] = {"head": 30, "code": 30, "plain": 36}
MOST_LINES = 2


def captions(text: str, style: Style, most: int = MOST_LINES) -> tuple[Caption, ...]:
    """A text as a few short lines, with an ellipsis for what does not fit."""
    lines = textwrap.wrap(text, WIDE[style], max_lines=most, placeholder=" …", break_on_hyphens=False)
    return tuple(Caption(line, style) for line in lines)


def act_captions(graph: Graph, act: Act, number: int) -> tuple[Caption, ...]:
    """A perturbation's key and target, form, condition and coordinates, and how its unknown is found."""
    item = act.item
    where = f"where {expression_text(item.where)}" if item.where else ""
    manner = item.infer.manner.text or derive(item, graph.scope).manner
    coordinates = [item.direction.text, manner, " + ".join(map(str, item.granularity))]
    times = f"every {item.every} {item.amend or ''}".strip() if item.every else ""
    phase = f"during {item.during}" if item.during else ""
    return (
        *captions(_headline(act), "head"),
        *captions(f"Δ{act.spot.value} = {expression_text(item.by)}", "code"),
        *captions(where, "code"),
        *captions(" ".join(filter(None, (times, phase))), "code"),
        *captions(" · ".join(coordinates), "plain"),
        *captions(_goal(act), "plain"),
        *captions(_search(graph, act, number), "plain"),
    )


def _headline(act: Act) -> str:
    item = act.item
    place = f"{item.target} at {expression_text(item.at)}" if item.at else item.target.text
    return place if act.key == item.target.text else f"{act.key}: {place}"


def _goal(act: Act) -> str:
    infer = act.item.infer
    goal = f"{infer.goal.kind} {expression_text(infer.goal.objective)}" if infer.goal else ""
    sets = "within " + ", ".join(map(call_text, infer.within)) if infer.within else ""
    held = f"on {call_text(infer.on)}" if infer.on else ""
    return " ".join(filter(None, (goal, sets, held)))


def _search(graph: Graph, act: Act, number: int) -> str:
    """The solver, its steps, and what it takes beside the training pass."""
    via = act.item.infer.via
    if via is None:
        return ""
    parts = [via.name.text]
    options = given(via, SOLVERS[via.name.text].options)
    count = constant(options["steps"], graph.scope.constants()) if "steps" in options else None
    if count is not None:
        count = int(count)
        parts.append(f"{count} step{'s' * (count != 1)}")
    if act.learned:
        parts.append("kept in a table")
    elif graph.inside(act, number):
        parts.append("no extra pass")
    return ", ".join(parts)


def act_title(act: Act) -> str:
    """A perturbation in full."""
    item = act.item
    site = f" at {expression_text(item.at)}" if item.at else ""
    lines = [
        f"perturb {item.target}{site} by {expression_text(item.by)}",
        f"where {expression_text(item.where)}" if item.where else "",
        f"direction {item.direction}",
        f"infer {inference_text(item.infer)}" if item.infer.manner.text else "",
        f"granularity {' + '.join(map(str, item.granularity))}",
    ]
    return "\n".join(line for line in lines if line)


def draw_captions(draw: Draw) -> tuple[Caption, ...]:
    """A draw's name, distribution and scope."""
    return (
        *captions(draw.name.text, "head"),
        *captions(f"~ {call_text(draw.distribution)}", "code"),
        Caption(f"a draw per {draw.per}"),
    )


def state_captions(state: State) -> tuple[Caption, ...]:
    """A state's name, what it keeps, and for whom."""
    return (
        *captions(state.name.text, "head"),
        *captions(f"= {expression_text(state.value)}", "code"),
        Caption(f"a state per {state.per}, every {state.every or 'step'}"),
    )


def value_captions(name: str) -> tuple[Caption, ...]:
    """A name that is read from outside the line, and what it means."""
    meaning = VALUES[name].meaning if name in VALUES else ""
    return (*captions(name, "head"), *captions(meaning, "plain"))


def clean_captions(graph: Graph) -> tuple[Caption, ...]:
    """The unperturbed pass, and what it costs."""
    cost = "shared with the training pass" if graph.clean_is_shared() else "one more forward"
    return (Caption("clean pass", "head"), Caption("no gradient"), Caption(cost))


def weight_captions(line: Line) -> tuple[Caption, ...]:
    """What a lane counts for in the loss."""
    return (Caption("× weight", "head"), *captions(expression_text(line.weight), "code", 3))


def notes(graph: Graph) -> tuple[str, ...]:
    """What the boxes refer to: named expressions, the values of parameters, and the cost of a step."""
    method = graph.method
    sites = [act.item.at for act in graph.acts() if act.item.at is not None]
    read = {name.text for node in (*graph.read(), *sites) for name in names(node)}
    parameters = [param for param in method.params if param.name.text in read]
    values = ", ".join(f"{param.name} = {expression_text(param.default)}" for param in parameters)
    found = [f"{let.name} = {expression_text(let.value)}" for let in method.lets if let.name.text in read]
    if method.split is not None and constant(method.split, graph.scope.constants()) != 1:
        found.append(
            f"split into {expression_text(method.split)} parts of the batch, each with its own draws"
        )
    found += [f"every round, {act.key} {amendment(act)}" for act in amending(graph)]
    found += idle(graph)
    found += [f"infer {inference_text(infer)}" for infer in method.infers]
    return (*found, *([values] if values else []), *_costs(graph))


def _costs(graph: Graph) -> tuple[str, ...]:
    """The cost of a step, and of a round where something is done before it."""
    if refusals(graph.method):
        return ("no plan in this version",)
    plan = schedule(graph)
    round_costs = [f"a round costs {plan.round_cost} beside its steps"] if plan.between else []
    return (f"a step costs {plan.cost}", *round_costs)
