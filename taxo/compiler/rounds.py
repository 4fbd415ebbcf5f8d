"""What a method asks for between rounds of training."""

from __future__ import annotations

from taxo.compiler.lines import Act, acts_of
from taxo.compiler.selected import selected_share
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.method import Method
from taxo.language.scope import Scope
from taxo.language.syntax import Binary, Call, Expression, Name
from taxo.language.vocabulary import HELD, HESSIANS, SOLVERS

TOLERANCE = 0.1  # what a direction to first order may lack


def between(method: Method, scope: Scope) -> list[Act]:
    """The acts of a method that amend the data between rounds."""
    return [act for act in acts_of(method, scope) if act.item.every is not None]


def rounds_of(method: Method, scope: Scope) -> int:
    """How many rounds a run has."""
    asked = scope.needs.get("rounds")
    if not between(method, scope) or asked is None or not asked.arguments:
        return 1
    return int(constant(asked.arguments[0].value, scope.constants()) or 1)


def appends(act: Act) -> bool:
    """Whether the samples that an act amends join the data."""
    return act.item.amend is None or act.item.amend.text == "append"


def solver_of(act: Act) -> dict[str, Expression]:
    """The options of the solver of an act between rounds."""
    via = act.item.infer.via
    assert via is not None
    return given(via, SOLVERS["influence"].options)


def guide_of(act: Act) -> Expression:
    """The share of the data that is the guide of an act between rounds."""
    on = act.item.infer.on
    assert on is not None
    return given(on, HELD["guide"].options)["share"]


def curvature_of(act: Act, scope: Scope) -> str:
    """Which curvature is inverted between rounds."""
    found = solver_of(act).get("curvature")
    word = None if found is None else scope.word(found)
    return word or str(SOLVERS["influence"].options["curvature"].default)


def inverse_of(act: Act, scope: Scope) -> tuple[str, dict[str, Expression]]:
    """How the inverse of the curvature is applied: by which word, and with what options.

    A parameter that is one of several words takes the options of all.
    """
    found = solver_of(act).get("hessian")
    said = found if isinstance(found, Call) else None
    name = Name(said.name.text) if said is not None else found
    default = str(SOLVERS["influence"].options["hessian"].default)
    word = default if name is None else scope.word(name) or default
    return word, {} if said is None else given(said, HESSIANS[word].options)


def selects_none(node: Expression | None, scope: Scope) -> bool:
    """Whether a condition selects no sample, whatever the data: it asks for the top of nothing."""
    if isinstance(node, Binary) and node.operator == "and":
        return selects_none(node.left, scope) or selects_none(node.right, scope)
    return selected_share(scope, node) == 0
