"""The checks of what a method asks for and starts from: `needs`, held-out data, and the base objective."""

from __future__ import annotations

from math import isinf

from taxo.language.constants import constant
from taxo.language.errors import Diagnostic, Related
from taxo.language.method import Method
from taxo.language.objectives import base_objective
from taxo.language.options import check_options
from taxo.language.printer import expression_text
from taxo.language.shapes import Reader, Shapes
from taxo.language.spelling import shortened, suggest
from taxo.language.syntax import Call, Expression, Name, names
from taxo.language.vocabulary import HELD, NEEDS, OBJECTIVES, Place, Shape

PENALTY = Reader(Place.WEIGHTS, "weights")


def check_needs(method: Method, shapes: Shapes) -> None:
    """Note what is asked for and does not exist, twice, or in the wrong way."""
    findings, seen, owned = shapes.findings, set[str](), dict[str, Call]()
    for call in method.needs:
        name = call.name.text
        if name not in NEEDS:
            findings.unknown_word("need", call.name, NEEDS)
            continue
        if name in seen:
            findings.error("T103", f"`{name}` is asked for twice", call.span, "keep one of them")
        seen.add(name)
        _check_owned(call, owned, shapes)
        check_options(call, NEEDS[name].options, shapes, Reader(Place.DATA, f"`{name}`"))


def _check_owned(call: Call, owned: dict[str, Call], shapes: Shapes) -> None:
    """What one of them has for itself no other one has."""
    thing = NEEDS[call.name.text].owns
    other = owned.setdefault(thing, call) if thing else call
    if other.name.text != call.name.text:
        related = tuple(Related(f"`{one.name}`", one.span) for one in (other, call) if one.span is not None)
        message = f"`{other.name}` and `{call.name}` both claim the {thing}"
        found = Diagnostic("T212", message, call.span, f"a model has one {thing}: keep one", "error", related)
        shapes.findings.add(found)


def check_held(call: Call, shapes: Shapes) -> None:
    """Note a held-out set that does not exist, or that nobody asked for."""
    row = HELD.get(call.name.text)
    if row is None:
        shapes.findings.unknown_word("held-out set", call.name, HELD)
        return
    check_options(call, row.options, shapes)
    if call.name.text in NEEDS:
        shapes.asked_for(Name(call.name.text, span=call.span), call.name.text)


def check_objective(node: Expression, shapes: Shapes) -> None:
    """Note a base objective that does not exist, and penalties that are no numbers."""
    call, penalties = base_objective(node)
    if call is None:
        shown = shortened(expression_text(node))
        shapes.findings.error("T205", f"`{shown}` is no objective", node.span, suggest("", OBJECTIVES))
    elif call.name.text not in OBJECTIVES:
        shapes.findings.unknown_word("objective", call.name, OBJECTIVES)
    else:
        check_options(call, OBJECTIVES[call.name.text].options, shapes)
    if call is None or call.name.text not in OBJECTIVES:
        shapes.scope.read |= {name.text for name in names(node)}
        return
    for penalty in penalties:
        shape = shapes.of(penalty, PENALTY)
        shapes.among(penalty, shape, (Shape.SCALAR,), "is no penalty")
        value = constant(penalty, shapes.scope.constants())
        if value is not None and isinf(value):
            message = f"`{shortened(expression_text(penalty))}` makes every loss infinite"
            shapes.findings.error("T206", message, penalty.span, "a penalty is a finite number")
