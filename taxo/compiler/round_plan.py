"""What is done between rounds: the passes before each of them but the first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from taxo.compiler.lines import Act
from taxo.compiler.passage import RoundPass
from taxo.compiler.rounds import TOLERANCE, between, curvature_of, guide_of, inverse_of, solver_of
from taxo.language.constants import constant
from taxo.language.method import Method
from taxo.language.scope import Scope
from taxo.language.syntax import Expression
from taxo.language.vocabulary import HESSIANS, SOLVERS, Option


def round_passes(method: Method, scope: Scope) -> Iterator[RoundPass]:
    """The passes before a round of a method that amends its data."""
    for act in between(method, scope):
        guide = constant(guide_of(act), scope.constants()) or 0.0
        yield RoundPass("guide", share=guide)
        yield from _inverse(act, scope)
        # each sample's slope along the solution, and how that changes with its input
        yield RoundPass("influence", backwards=2, share=1 - guide)


def _inverse(act: Act, scope: Scope) -> Iterator[RoundPass]:
    """The pass whose graph the products share, and the products; `lissa` draws samples for each."""
    word, options = inverse_of(act, scope)
    samples = _whole(solver_of(act), SOLVERS["influence"].options, "samples", scope)
    steps = _whole(options, HESSIANS[word].options, "steps", scope)
    # J p is a backward of a backward, and Jᵀ another; the Hessian's one is of a backward, too
    each = 1 if curvature_of(act, scope) == "hessian" else 2
    if word == "lissa":
        yield RoundPass("product", steps, backwards=1 + each, samples=samples)
        return
    yield RoundPass("curvature", samples=samples)
    sooner = f"until {TOLERANCE:.0%} of the slope is left" if word == "cg" else ""
    yield RoundPass("product", steps, forwards=0, backwards=each, samples=samples, sooner=sooner)


def _whole(options: Mapping[str, Expression], rows: Mapping[str, Option], name: str, scope: Scope) -> int:
    value, default = options.get(name), rows[name].default
    known = None if value is None else constant(value, scope.constants())
    return int(known if known is not None else float(str(default)))
