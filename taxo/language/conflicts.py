"""Whether methods go together: what each claims for itself, and what one reads that another one writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations

from taxo.language.calling import given
from taxo.language.claims import leaves_simplex
from taxo.language.compose import expanded
from taxo.language.constants import constant
from taxo.language.coordinates import derive
from taxo.language.errors import Diagnostic, Related
from taxo.language.findings import Findings
from taxo.language.method import Branch, Method, Perturbation, Use
from taxo.language.objectives import base_objective
from taxo.language.printer import expression_text
from taxo.language.scope import Scope, acts_at, infers
from taxo.language.source import Span
from taxo.language.syntax import Call
from taxo.language.uses import Library
from taxo.language.vocabulary import DISTRIBUTIONS, LABELLED, NEEDS, SOLVERS, TARGETS, Place, Shape

WHY: dict[str, str] = {
    "head": "a model has one head, and both ask for another",
    "views": "a batch has one set of views",
    "replays": "a batch is replayed so many times, or so many",
    "base objective": "a step has one base objective",
    "split": "a batch is cut into parts in one way",
    "branches": "a batch is copied in one way, and each copy has one weight",
    "round loop": "there is one loop of rounds, and it amends the data once",
    "labels": "both look for the labels, and the one found last would count",
    "backward": "one backward serves the weights and one unknown",
}


@dataclass(frozen=True, slots=True)
class Claim:
    """Something that one method has for itself; equal uses of it go together."""

    thing: str
    use: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class Part:
    """One of the methods that make up a composition."""

    name: str
    span: Span | None
    method: Method
    scope: Scope

    def claims(self) -> Iterator[Claim]:
        """What it has for itself."""
        method = self.method
        for call in method.needs:
            owns = NEEDS[call.name.text].owns if call.name.text in NEEDS else ""
            yield Claim(owns or f"`{call.name}`", self._use(call), call.span)
        if method.loss is not None:
            call, _ = base_objective(method.loss)
            yield Claim("base objective", expression_text(call) if call else "", method.loss.span)
        if method.split is not None:
            yield Claim("split", f"split of {self.name}", method.split.span)
        for branch in method.branches():
            yield Claim("branches", f"branches of {self.name}", branch.span)
        for item in method.perturbations():
            yield from self._claims_of(item)

    def _use(self, call: Call) -> str:
        """A call with its values, or with names that are this part's own."""
        values = [constant(one.value, self.scope.constants()) for one in call.arguments]
        shown = [
            f"{self.name}.{expression_text(one.value)}" if value is None else f"{value:g}"
            for one, value in zip(call.arguments, values, strict=True)
        ]
        return f"{call.name}({', '.join(shown)})"

    def _claims_of(self, item: Perturbation) -> Iterator[Claim]:
        if item.every is not None:
            yield Claim("round loop", f"rounds of {self.name}", item.span)
        if item.target.text == "labels" and item.infer.manner.text and infers(item):
            yield Claim("labels", f"labels of {self.name}", item.span)
        via = item.infer.via
        if via is not None and via.name.text in SOLVERS:
            together = given(via, SOLVERS[via.name.text].options).get("simultaneous")
            if together is not None and self.scope.word(together) == "true":
                yield Claim("backward", f"backward of {self.name}", item.span)

    def reads(self, item: Perturbation) -> set[str]:
        """The names that a perturbation's form and condition depend on."""
        return {name for part in item.written() for name in self.scope.reads(part)}


def check_conflicts(method: Method, used: Mapping[str, Method], library: Library, findings: Findings) -> None:
    """Note what two methods of a composition cannot share, and pairs worth a second thought."""
    own = _alone(method)
    parts = {method.name.text: own}
    acts: list[tuple[Part, Perturbation]] = []
    for clause in method.clauses:
        if isinstance(clause, Use):
            name = clause.method.name.text
            if name in used and name not in parts:
                whole = expanded(used[name], library)
                parts[name] = Part(name, clause.span, whole, Scope(whole))
                acts += [(parts[name], item) for item in whole.perturbations()]
        else:
            items = clause.perturbations if isinstance(clause, Branch) else (clause,)
            acts += [(own, item) for item in items]
    for first, second in combinations(parts.values(), 2):
        _check_claims(first, second, findings)
        _check_labels(first, second, findings)
        _check_labels(second, first, findings)
    asking = any("outputs" in part.scope.needs for part in parts.values())
    if asking and not any(one.severity == "error" for one in findings.items):
        _check_simplex(method, library, [part for part in parts.values() if part is not own], findings)
    for (first, one), (second, other) in combinations(acts, 2):
        if first is not second:
            _check_order(first, one, second, other, findings)
            _check_directions(first, one, second, other, findings)


def _alone(method: Method) -> Part:
    """A method without those it uses."""
    rest = tuple(clause for clause in method.clauses if not isinstance(clause, Use))
    alone = method.model_copy(update={"clauses": rest})
    return Part(method.name.text, None, alone, Scope(alone))


def _check_claims(first: Part, second: Part, findings: Findings) -> None:
    claimed = {claim.thing: claim for claim in first.claims()}
    said: set[str] = set()
    for claim in second.claims():
        other = claimed.get(claim.thing)
        if other is None or other.use == claim.use or claim.thing in said:
            continue
        said.add(claim.thing)
        message = f"`{first.name}` and `{second.name}` both claim the {claim.thing}"
        hint = f"{WHY.get(claim.thing, 'it is given once')}: keep one of them"
        related = tuple(
            Related(f"claimed by `{part.name}`", one.span)
            for part, one in ((first, other), (second, claim))
            if one.span is not None
        )
        findings.add(Diagnostic("T212", message, second.span or first.span, hint, "error", related))


def _check_order(a: Part, one: Perturbation, b: Part, other: Perturbation, findings: Findings) -> None:
    """One of two on one value reads it, so that it sees the other's change if it comes second."""
    spot, at = acts_at(one), acts_at(other)
    if spot is None or at is None or spot != at or (one.every is None) != (other.every is None):
        return  # between rounds nothing of a step is in place
    reader = next((part for part, item in ((b, other), (a, one)) if spot.value in part.reads(item)), None)
    if reader is None:
        return
    message = f"`{reader.name}` reads the `{spot.value}` that both write: their order matters"
    hint = f"with `{b.name}` first it is another method"
    findings.add(Diagnostic("T307", message, b.span or a.span, hint, "note", _both(a, one, b, other)))


def _check_directions(a: Part, one: Perturbation, b: Part, other: Perturbation, findings: Findings) -> None:
    """One looks for what lowers the loss, the other for what raises it, at one place."""
    directions = {derive(one, a.scope).direction, derive(other, b.scope).direction}
    if one.target.text == other.target.text and directions == {"positive", "negative"}:
        message = f"`{a.name}` and `{b.name}` pull the {one.target} in opposite directions"
        hint = "give each a `where` of its own, so that they meet different samples"
        findings.add(Diagnostic("T306", message, b.span or a.span, hint, "warning", _both(a, one, b, other)))


def _check_labels(mixing: Part, reading: Part, findings: Findings) -> None:
    """Inputs and labels are mixed by one order, and something reads the labels in between."""
    mixed = _mixed(mixing)
    if mixed is None:
        return
    for item in reading.method.perturbations():
        place = TARGETS[item.target.text].place if item.target.text in TARGETS else Place.DATA
        read = sorted(reading.reads(item) & LABELLED)
        if read and Place.FEATURES < place < Place.LABELS:
            message = f"`{reading.name}` reads `{read[0]}` before `{mixing.name}` has mixed the labels"
            hint = "its inputs are mixed already: it acts by the label of one sample of each pair"
            related = _both(mixing, mixed, reading, item)
            findings.add(Diagnostic("T306", message, reading.span or mixing.span, hint, "warning", related))


def _check_simplex(method: Method, library: Library, parts: list[Part], findings: Findings) -> None:
    """One asks for another number of logits than classes, and labels that another moves do not follow."""
    whole = expanded(method, library)
    scope = Scope(whole)
    asked = scope.needs["outputs"]
    for item in whole.perturbations():
        mover = next((part for part in parts if _has(part, item)), None)
        if mover and leaves_simplex(item, scope):
            message = f"with `{expression_text(asked)}` the labels of `{mover.name}` leave the simplex"
            hint = "its form is about `C` classes, and labels have as many entries as there are logits"
            findings.error("T304", message, mover.span, hint)


def _has(part: Part, item: Perturbation) -> bool:
    return any(
        item.by.span is not None and item.by.span == one.by.span for one in part.method.perturbations()
    )


def _mixed(part: Part) -> Perturbation | None:
    """The perturbation of labels that shares an order of the batch with one of features, if there is one."""
    orders = {
        name
        for name, draw in part.scope.draws.items()
        if (row := DISTRIBUTIONS.get(draw.distribution.name.text)) and row.result is Shape.PERMUTATION
    }
    items = list(part.method.perturbations())
    by_target = {item.target.text: part.reads(item) & orders for item in items}
    if not by_target.get("features", set()) & by_target.get("labels", set()):
        return None
    return next(item for item in items if item.target.text == "labels")


def _both(a: Part, one: Perturbation, b: Part, other: Perturbation) -> tuple[Related, ...]:
    """Both clauses, to be quoted."""
    pairs = ((a, one), (b, other))
    return tuple(Related(f"of `{part.name}`", item.span) for part, item in pairs if item.span is not None)
