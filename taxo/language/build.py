"""The grammar's tree to a method and its items, bottom up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from lark import Token
from lark.tree import Meta

from taxo.language.expressions import ExpressionBuilder, as_node, each, of_kind
from taxo.language.method import (
    Branch,
    Choices,
    Draw,
    Goal,
    Inference,
    Interval,
    Let,
    Method,
    Param,
    Perturbation,
    Setting,
)
from taxo.language.source import Span
from taxo.language.syntax import Call, Expression, Word

NEEDED = {
    "direction": "add a line `direction positive`, `direction negative` or `direction mixed`",
    "infer": "add a line such as `infer prior` or `infer adversarial maximize loss within ... via ...`",
    "granularity": "add a line `granularity sample`, `granularity category` or `granularity corpus`",
}
UNSAID = Word("")


@dataclass(frozen=True, slots=True)
class Entry:
    """One clause of a perturbation, or one single-valued item of a method."""

    key: str
    value: object
    span: Span


class Builder(ExpressionBuilder):
    """Turns each rule of the grammar into the node or item of its name."""

    def cite(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`cite "..."`."""
        return Entry("cite", str(parts[0])[1:-1], self.span(meta))

    def split(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`split e`."""
        return Entry("split", parts[0], self.span(meta))

    def null(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`null name = e, ...`."""
        return Entry("null", each(parts, Setting), self.span(meta))

    def setting(self, meta: Meta, parts: Sequence[object]) -> Setting:
        """`name = e`."""
        return Setting(name=self.word(parts[0]), value=as_node(parts[1]), span=self.span(meta))

    def param(self, meta: Meta, parts: Sequence[object]) -> Param:
        """`param name = e in domain`."""
        domain = cast("Choices | Interval | None", parts[2])
        default = as_node(parts[1])
        return Param(name=self.word(parts[0]), default=default, domain=domain, span=self.span(meta))

    def choices(self, meta: Meta, parts: Sequence[object]) -> Choices:
        """`{a, b}`."""
        return Choices(choices=tuple(map(as_node, parts)), span=self.span(meta))

    def interval(self, meta: Meta, parts: Sequence[object]) -> Interval:
        """`[a, b] log`."""
        low, high, scale = parts
        if scale is not None and str(scale) != "log":
            self.note("T205", f"`{scale}` is no scale", self.word(scale).span, "did you mean `log`?")
        return Interval(low=as_node(low), high=as_node(high), log=scale is not None, span=self.span(meta))

    def draw(self, meta: Meta, parts: Sequence[object]) -> Draw:
        """`draw name ~ distribution per scope like e`."""
        name, distribution, per, like = parts
        return Draw(
            name=self.word(name),
            distribution=cast(Call, distribution),
            per=self.word(per),
            like=as_node(like) if like is not None else None,
            span=self.span(meta),
        )

    def let(self, meta: Meta, parts: Sequence[object]) -> Let:
        """`let name = e`."""
        return Let(name=self.word(parts[0]), value=as_node(parts[1]), span=self.span(meta))

    def branch(self, meta: Meta, parts: Sequence[object]) -> Branch:
        """`branch name weight e { ... }`."""
        name, weight, *perturbations = parts
        return Branch(
            name=self.optional_word(name),
            weight=as_node(weight),
            perturbations=each(perturbations, Perturbation),
            span=self.span(meta),
        )

    def where(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`where e`."""
        return Entry("where", parts[0], self.span(meta))

    def direction(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`direction word`."""
        return Entry("direction", self.word(parts[0]), self.span(meta))

    def granularity(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`granularity word + word`."""
        return Entry("granularity", tuple(map(self.word, parts)), self.span(meta))

    def infer(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`infer manner goal within sets via solver`."""
        manner, goal, *sets, via = parts
        inference = Inference(
            manner=self.word(manner),
            goal=cast("Goal | None", goal),
            within=each((region for region in sets if region is not None), Call),
            via=cast("Call | None", via),
            span=self.span(meta),
        )
        return Entry("infer", inference, self.span(meta))

    def goal(self, meta: Meta, parts: Sequence[object]) -> Goal:
        """`minimize e`, `maximize e`."""
        return Goal(kind=self.word(parts[0]), objective=as_node(parts[1]), span=self.span(meta))

    def perturb(self, meta: Meta, parts: Sequence[object]) -> Perturbation:
        """`perturb target at site by form { clauses }`."""
        target, site, form, *clauses = parts
        entries = self._single(each(clauses, Entry))
        broken = any(meta.start_pos <= span.start < meta.end_pos for span in self.lost)
        for key in NEEDED:
            if key not in entries and not broken:
                message = f"`perturb {target}` says no `{key}`"
                self.note("T102", message, self.span(cast(Token, target)), NEEDED[key])
        return Perturbation(
            target=self.word(target),
            at=as_node(site) if site is not None else None,
            by=as_node(form),
            where=cast("Expression | None", entries.get("where")),
            direction=cast(Word, entries.get("direction", UNSAID)),
            infer=cast(Inference, entries.get("infer", Inference(manner=UNSAID))),
            granularity=cast("tuple[Word, ...]", entries.get("granularity", (UNSAID,))),
            span=self.span(meta),
        )

    def method(self, meta: Meta, parts: Sequence[object]) -> Method:
        """A whole file."""
        name, *rest = parts
        texts = [str(part)[1:-1] for part in rest if isinstance(part, Token)]
        entries = [part for part in rest if isinstance(part, Entry)]
        single = self._single(entry for entry in entries if entry.key != "cite")
        if len(texts) > 2:
            self.note(
                "T103",
                "a third text: a method has a title and a summary",
                self.span(cast(Token, rest[2])),
                "join them",
            )
        return Method(
            name=self.word(name),
            title=texts[0] if len(texts) > 1 else "",
            summary=texts[1] if len(texts) > 1 else "".join(texts),
            cite=tuple(str(entry.value) for entry in entries if entry.key == "cite"),
            null=cast("tuple[Setting, ...]", single.get("null", ())),
            split=cast("Expression | None", single.get("split")),
            params=of_kind(rest, Param),
            draws=of_kind(rest, Draw),
            lets=of_kind(rest, Let),
            clauses=tuple(part for part in rest if isinstance(part, (Perturbation, Branch))),
            span=self.span(meta),
        )

    def _single(self, entries: Iterable[Entry]) -> dict[str, object]:
        """The entries by key; a second one of a key is noted."""
        found: dict[str, object] = {}
        for entry in entries:
            if entry.key in found:
                self.note("T103", f"`{entry.key}` is said twice", entry.span, "keep one of them")
            found.setdefault(entry.key, entry.value)
        return found
