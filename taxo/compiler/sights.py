"""What looking ahead asks for and this version cannot run yet."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.compiler.ahead import Ahead, aheads, early_lines
from taxo.compiler.graph import Graph
from taxo.compiler.held import unknown_there
from taxo.compiler.made import is_module
from taxo.compiler.passage import TEACHER
from taxo.compiler.plan import simultaneous
from taxo.compiler.searches import Refusal
from taxo.compiler.states import is_before
from taxo.language.syntax import Attribute, Expression, Name
from taxo.language.vocabulary import Place


def blind(graph: Graph) -> Iterator[Refusal]:
    """What a method that looks ahead has beside that."""
    found = aheads(graph)
    for one in found:
        yield from _held_out(one)
        yield from _unknown(one)
        yield from _goal(one, graph)
    if found:
        yield from _lines(graph)
        yield from _kept(graph)


def _held_out(one: Ahead) -> Iterator[Refusal]:
    on = one.infer.on
    if on is not None and on.name.text != "validation":
        yield f"looking ahead on `{on.name}`", on.span, "write `on validation`"


def _unknown(one: Ahead) -> Iterator[Refusal]:
    """Unknowns are added to images, logits, labels or losses, in sets that need no value to be around."""
    act, scope = one.act, one.scope
    if act is not None and (act.place == Place.WEIGHTS or act.inner or act.spot.value == "p"):
        yield (
            "looking ahead for an unknown here",
            act.item.span,
            "perturb features, logits, labels or the loss",
        )
    for region in one.infer.within:
        if region.name.text == "box" or act is None:
            yield f"the set `{region.name}` when looking ahead", region.span, "drop it"
    networks = [name for name in one.names if scope.network(name) or is_module(name, scope)]
    if networks and not one.kept:
        yield f"`keep: false` of the network `{networks[0]}`", one.infer.span, "keep it"
    states = [name for name in one.names if name in scope.states]
    if states and one.kept:
        hint = "a state keeps what it is made of: `lookahead(..., keep: false)` moves it for one step"
        yield f"keeping what is found of the state `{states[0]}`", one.infer.span, hint


def _goal(one: Ahead, graph: Graph) -> Iterator[Refusal]:
    """What is held out has labels and is passed unperturbed; nothing else is known of it."""
    goal, scope = one.infer.goal, graph.scope
    for part in () if goal is None else scope.parts(goal.objective):
        name = part.text if isinstance(part, Name) else ""
        if _is_taught(part):
            continue
        if unknown_there(part, scope) or name in scope.states or name in scope.draws:
            yield "this, of held-out samples,", part.span, "make the goal of `loss`, `u`, `y` and numbers"


def _is_taught(part: Expression) -> bool:
    """Whether a part is what a teacher says, which can be asked of any input."""
    owner = part.owner if isinstance(part, Attribute) else part
    return isinstance(owner, Name) and owner.text == TEACHER


def _lines(graph: Graph) -> Iterator[Refusal]:
    """Lines pass one after the other, and search before they pass."""
    infer = aheads(graph)[0].infer
    if any(line.carry is not None for line in graph.lines):
        yield "looking ahead beside the previous batch", infer.span, "drop the branch on it"
    for number, line in enumerate(graph.lines):
        for act in line.acts:
            if simultaneous(act, graph.scope):
                yield "`simultaneous` beside looking ahead", act.item.infer.span, "drop it"
            if number not in early_lines(graph) and graph.found_before(act, number):
                hint = "search in a branch that reads no other"
                yield "a search behind another branch, beside looking ahead,", act.item.infer.span, hint


def _kept(graph: Graph) -> Iterator[Refusal]:
    for state in graph.scope.states.values():
        if is_before(state) and graph.used(state.name.text):
            yield f"the state `{state.name}`, when looking ahead,", state.span, "drop `before`"
