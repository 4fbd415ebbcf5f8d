"""Searches on held-out data: what is found there, and kept, perturbs what is trained on."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.compiler.ahead import aheads, is_ahead
from taxo.compiler.graph import Act, Graph
from taxo.compiler.plan import first_word, simultaneous
from taxo.compiler.searches import Refusal
from taxo.compiler.states import is_before
from taxo.compiler.there import found_there
from taxo.language.calling import given
from taxo.language.method import Inference, Param, Perturbation
from taxo.language.scope import Scope
from taxo.language.syntax import Attribute, Expression, Name
from taxo.language.vocabulary import REGIONS, SOLVERS, VALUES, Grain, Place

AROUND = ("linf", "l2", "l1", "nonnegative")
HELD_OUT = ("loss", "u", "p", "y", "correct", "margin", "gradnorm")


def unfit_whole(graph: Graph) -> Iterator[Refusal]:
    """What a search on held-out data for what the whole method reads asks for and this version cannot run."""
    scope = graph.scope
    for infer in found_there(graph.method):
        on, params = infer.on, [scope.params[name.text] for name in infer.over if name.text in scope.params]
        if on is not None and on.name.text != "validation":
            yield f"a search on `{on.name}`", on.span, "write `on validation`"
        if len(infer.over) > 1 or not params:
            yield "this search on held-out data", infer.span, "search for one parameter"
        for param in params:
            yield from _searched(param, scope)
        for region in infer.within:
            if region.name.text not in AROUND:
                yield f"the set `{region.name}` around a parameter", region.span, "take `linf`, `l2` or `l1`"
        via = infer.via
        if via is not None and set(given(via, SOLVERS[via.name.text].options)) & {"start", "simultaneous"}:
            yield "this start of a search on held-out data", via.span, "drop it: a parameter is kept"
        balls = any(REGIONS[region.name.text].bounded for region in infer.within)
        if via is not None and via.name.text == "pgd" and not balls:
            yield "`pgd` without a set that bounds the parameter", via.span, "add `within linf(...)`"
        if len(graph.lines) > 1 or aheads(graph):
            yield "a search on held-out data beside branches, or looking ahead,", infer.span, "drop them"
        for node in [*(one for act in graph.acts() for one in graph.expressions(act)), *_goal(infer)]:
            yield from _of_the_batch(node, scope, {name.text for name in infer.over})


def _goal(infer: Inference) -> list[Expression]:
    return [] if infer.goal is None else [infer.goal.objective]


def _searched(param: Param, scope: Scope) -> Iterator[Refusal]:
    """A parameter that is found is a table, of numbers or of what is like an input."""
    if scope.network(param.name.text) is not None or (param.per is not None and param.per.text == "sample"):
        yield "this search on held-out data", param.span, "search for values of the classes, or one for all"


def _of_the_batch(node: Expression, scope: Scope, names: set[str]) -> Iterator[Refusal]:
    """What belongs to the batch that is trained on, or is computed before anything is found."""
    hint = "make it of `loss`, `u`, `y` and numbers, written where they are read"
    for part in scope.parts(node):
        if unknown_there(part, scope, ("x", "z", "h")):
            yield "this, of held-out samples,", part.span, hint
    for let in scope.through(node):
        if any(one in names or one in VALUES for one in scope.reads(scope.lets[let].value)):
            yield f"`let {let}`, of held-out samples,", scope.lets[let].span, hint


def unfit_data(item: Perturbation) -> Iterator[Refusal]:
    """What a perturbation that is found on held-out data in every step asks for, wherever it acts."""
    on = item.infer.on
    if on is None or is_ahead(item.infer) or item.every is not None:
        return
    if on.name.text != "validation":
        yield f"a search on `{on.name}`", on.span, "write `on validation`"
    if item.during is not None and item.during.text == "eval":
        yield "a search on held-out data of what acts on predictions alone", on.span, "let it act `always`"


def unfit_there(act: Act, graph: Graph) -> Iterator[Refusal]:
    """What a search on held-out data asks for and this version cannot run."""
    item, on = act.item, act.item.infer.on
    if on is None or not act.there:
        return
    if act.place != Place.FEATURES or simultaneous(act, graph.scope):
        yield "this search on held-out data", on.span, "search for what is added to the features, by itself"
    if act.grain == "sample":
        hint = "held-out samples are others: find one for each `category`, or one for the `corpus`"
        yield "an unknown of each sample, on held-out data,", item.granularity[-1].span, hint
    if first_word(act, graph.scope) != "kept":
        yield "a search on held-out data that keeps nothing", item.infer.span, "add `start: kept`"
    if item.where is not None:
        yield "a search on held-out data for some samples", item.where.span, "drop `where`"
    if any(line.above(act) or line.carry is not None for line in graph.lines if act in line.acts):
        yield "a search on held-out data behind another perturbation", item.span, "write it first"
    for node in graph.expressions(act):
        for part in graph.scope.parts(node):
            if unknown_there(part, graph.scope, ("x",)):
                yield "this, of held-out samples,", part.span, "make it of `loss`, `u`, `y` and numbers"


def unknown_there(part: Expression, scope: Scope, also: tuple[str, ...] = ()) -> bool:
    """Whether a part of an expression reads what nobody knows of held-out samples."""
    name = part.text if isinstance(part, Name) else ""
    if name in scope.declared:
        return _of_samples(name, scope)
    row = VALUES.get(name)
    own = row is not None and row.grain != Grain.CORPUS and name not in (*HELD_OUT, *also)
    return own or isinstance(part, Attribute)


def _of_samples(name: str, scope: Scope) -> bool:
    """Whether something declared has values of the samples that are trained on."""
    state, param, draw = scope.states.get(name), scope.params.get(name), scope.draws.get(name)
    if state is not None:
        return state.per.text == "sample" or is_before(state)
    if param is not None:
        return param.per is not None and param.per.text == "sample"
    return draw is not None and draw.per.text == "sample"
