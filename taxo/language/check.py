"""Whether a method means something: names, words, shapes, domains and the four coordinates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TypeVar

from taxo.language.clauses import check_norm, check_perturbation
from taxo.language.conflicts import check_conflicts
from taxo.language.constants import constant
from taxo.language.declarations import check_declarations, check_unused
from taxo.language.errors import Diagnostic, TaxoError
from taxo.language.findings import Enough, Findings
from taxo.language.inferences import check_infers
from taxo.language.lexer import DEEPEST_TREE, LONGEST_TEXT
from taxo.language.method import Branch, Method, Perturbation
from taxo.language.null import check_null_point
from taxo.language.options import check_number, check_options
from taxo.language.scope import Scope
from taxo.language.shapes import Reader, Shapes
from taxo.language.source import Span
from taxo.language.uses import Library, check_uses, used_methods
from taxo.language.vocabulary import ORIGINS, VALUES, Option, Place

MOST_PARTS = 10_000  # of an expression in which `let`s are written out
WEIGHT = Option("the branch's share of each sample's loss", most=1e9, per_sample=True)
WEIGHING = Reader(Place.LOSS, "a weight")
NAMES = ("T201", "T202", "T208", "T211")  # the codes of names that somebody else should declare or read
M = TypeVar("M", bound=Method)


def check(method: Method, lost: Sequence[Span] = (), library: Library | None = None) -> list[Diagnostic]:
    """Everything that is wrong with a method, and what is worth knowing, in the order of the text.

    `lost` are parts of its text that could not be read: what they may have declared or read is no error.
    `library` knows the methods that this one uses; without one they are taken as they are.
    """
    findings = Findings()
    with suppress(Enough):
        _check(method, findings, library)
    found = [one for one in findings.items if not _excused(one, method, lost)]
    return sorted(found, key=lambda one: one.span.start if one.span else -1)


def _excused(one: Diagnostic, method: Method, lost: Sequence[Span]) -> bool:
    """Whether a finding may be about a part that could not be read."""
    if one.code in NAMES:
        return _quoted(one) in {span.text for span in lost}
    blocks = [item.span for item in method.perturbations() if item.span and one.span == item.target.span]
    return one.code == "T102" and any(
        block.start <= span.start < block.end for block in blocks for span in lost
    )


def _check(method: Method, findings: Findings, library: Library | None) -> None:
    scope = Scope(method, used_methods(method, library, findings))
    circle = scope.circle()
    if circle:
        item = scope.declared[circle[0]]
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
    if scope.size() > MOST_PARTS:
        deepest = list(scope.lets.values())[-1]
        message = f"`let`s that are read in one another make more than {MOST_PARTS:,} parts"
        findings.error("T104", message, deepest.name.span, "read each of them less often")
        return
    shapes = Shapes(scope, findings)
    check_declarations(method, shapes)
    _check_branches(method, shapes)
    _check_weights(method, shapes)
    _check_updates(method, shapes)
    _check_perturbations(method, shapes)
    check_infers(method, shapes)
    if not findings.items:
        check_null_point(method, findings)
    check_uses(method, shapes, library)
    if library is not None and scope.used:
        check_conflicts(method, scope.used, library, findings)
    check_unused(scope, findings)


def _check_perturbations(method: Method, shapes: Shapes) -> None:
    """Those outside of branches act in each, so that they read no branch before it is there."""
    above: set[str] = set()
    for clause in method.clauses:
        if isinstance(clause, Perturbation):
            check_perturbation(clause, shapes, frozenset())
        elif isinstance(clause, Branch):
            for item in clause.perturbations:
                check_perturbation(item, shapes, frozenset(above))
            above |= {clause.name.text} if clause.name else set()


def _check_branches(method: Method, shapes: Shapes) -> None:
    seen: set[str] = set()
    for clause in method.branches():
        check_number("weight", WEIGHT, clause.weight, shapes, WEIGHING)
        if clause.name and clause.name.text in seen:
            message = f"two branches are called `{clause.name}`"
            shapes.findings.error("T103", message, clause.name.span, "rename one of them")
        elif clause.name and (clause.name.text in shapes.scope.declared or clause.name.text in VALUES):
            message = f"the branch `{clause.name}` has the name of a value"
            shapes.findings.error("T103", message, clause.name.span, "rename it")
        seen |= {clause.name.text} if clause.name else set()
        if clause.norm is not None:
            check_norm(clause.norm, shapes)
        if clause.on is not None and clause.on.name.text not in ORIGINS:
            shapes.findings.unknown_word("batch", clause.on.name, ORIGINS)
        elif clause.on is not None:
            check_options(clause.on, ORIGINS[clause.on.name.text].options, shapes)


def _check_updates(method: Method, shapes: Shapes) -> None:
    """One pass of a step updates running statistics, so that no two may be told to."""
    norms = [one.norm for one in (*method.branches(), *method.perturbations()) if one.norm is not None]
    updating = [norm for norm in norms if norm.text == "update"]
    if len(updating) > 1:
        message = "two passes of a step update running statistics"
        shapes.findings.error("T209", message, updating[1].span, "keep one `norm update`")


def _check_weights(method: Method, shapes: Shapes) -> None:
    """Some branch must count."""
    branches, values = method.branches(), shapes.scope.constants()
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


def _too_long(method: Method) -> Iterator[Diagnostic]:
    """A method that no file could hold is none."""
    if len(str(method)) > LONGEST_TEXT:
        message = f"its text is longer than {LONGEST_TEXT:,} characters"
        yield Diagnostic("T104", message, None, "a method is a page, not a book")


def verify(method: M, library: Library | None = None) -> M:
    """The method itself, if nothing is wrong with it."""
    wrong = errors(check(method, library=library)) or list(_too_long(method))
    if wrong:
        raise TaxoError(wrong)
    return method
