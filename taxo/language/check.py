"""Whether a method means something: names, words, shapes, domains and the four coordinates."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TypeVar

from taxo.language.clauses import check_perturbation
from taxo.language.constants import constant
from taxo.language.declarations import check_declarations, check_unused
from taxo.language.errors import Diagnostic, TaxoError
from taxo.language.findings import Enough, Findings
from taxo.language.lexer import DEEPEST_TREE
from taxo.language.method import Branch, Method
from taxo.language.options import check_number
from taxo.language.scope import Scope
from taxo.language.shapes import Shapes
from taxo.language.source import Span
from taxo.language.vocabulary import Option

WEIGHT = Option("the branch's share of each sample's loss", per_sample=True)
NAMES = ("T201", "T202", "T208")  # the codes of names that somebody else should declare or read
M = TypeVar("M", bound=Method)


def check(method: Method, lost: Sequence[Span] = ()) -> list[Diagnostic]:
    """Everything that is wrong with a method, and what is worth knowing, in the order of the text.

    `lost` are parts of its text that could not be read: what they may have declared or read is no error.
    """
    findings = Findings()
    with suppress(Enough):
        _check(method, findings)
    gone = {span.text for span in lost}
    found = [one for one in findings.items if not (one.code in NAMES and _quoted(one) in gone)]
    return sorted(found, key=lambda one: one.span.start if one.span else -1)


def _check(method: Method, findings: Findings) -> None:
    scope = Scope(method)
    circle = scope.circle()
    if circle:
        item = scope.lets[circle[0]]
        through = " through " + " and ".join(f"`{name}`" for name in circle[1:-1]) if circle[1:-1] else ""
        findings.error(
            "T201", f"`{item.name}` is defined by itself{through}", item.name.span, "break the circle"
        )
        return
    if scope.depth() > DEEPEST_TREE:
        deepest = list(scope.lets.values())[-1]
        message = f"`let`s within `let`s are nested deeper than {DEEPEST_TREE}"
        findings.error("T104", message, deepest.name.span, "put fewer of them into one another")
        return
    shapes = Shapes(scope, findings)
    check_declarations(method, shapes)
    _check_branches(method, shapes)
    _check_weights(method, shapes)
    for item in method.perturbations():
        check_perturbation(item, shapes)
    check_unused(scope, findings)


def _check_branches(method: Method, shapes: Shapes) -> None:
    seen: set[str] = set()
    for clause in method.clauses:
        if not isinstance(clause, Branch):
            continue
        check_number("weight", WEIGHT, clause.weight, shapes)
        if clause.name and clause.name.text in seen:
            message = f"two branches are called `{clause.name}`"
            shapes.findings.error("T103", message, clause.name.span, "rename one of them")
        seen |= {clause.name.text} if clause.name else set()


def _check_weights(method: Method, shapes: Shapes) -> None:
    """Some branch must count."""
    branches = [clause for clause in method.clauses if isinstance(clause, Branch)]
    values = shapes.scope.constants()
    if branches and all(constant(branch.weight, values) == 0 for branch in branches):
        span = branches[0].weight.span or branches[0].span
        shapes.findings.error(
            "T206", "every branch has weight 0", span, "give one of them a share of the loss"
        )


def _quoted(finding: Diagnostic) -> str:
    """The word that a message is about."""
    return finding.message.split("`")[1] if "`" in finding.message else ""


def errors(findings: Sequence[Diagnostic]) -> list[Diagnostic]:
    """The findings that must be mended."""
    return [finding for finding in findings if finding.severity == "error"]


def verify(method: M) -> M:
    """The method itself, if nothing is wrong with it."""
    wrong = errors(check(method))
    if wrong:
        raise TaxoError(wrong)
    return method
