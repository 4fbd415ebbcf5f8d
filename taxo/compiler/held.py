"""Searches on held-out data: what is found there, and kept, perturbs what is trained on."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.compiler.graph import Act, Graph
from taxo.compiler.plan import first_word, simultaneous
from taxo.compiler.searches import Refusal
from taxo.compiler.states import is_before
from taxo.language.scope import Scope
from taxo.language.syntax import Attribute, Expression, Name
from taxo.language.vocabulary import VALUES, Grain, Place

HELD_OUT = ("loss", "u", "p", "y", "correct", "margin", "gradnorm")


def unfit_there(act: Act, graph: Graph) -> Iterator[Refusal]:
    """What a search on held-out data asks for and this version cannot run."""
    item, on = act.item, act.item.infer.on
    if on is None or not act.there:
        return
    if on.name.text != "validation":
        yield f"a search on `{on.name}`", on.span, "write `on validation`"
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
