"""The grammar's tree to syntax nodes and method items, bottom up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar, cast

from lark import Token, v_args
from lark.tree import Meta
from lark.visitors import Transformer_NonRecursive

from taxo.language.errors import Diagnostic
from taxo.language.method import (
    Branch,
    Choices,
    Clause,
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
from taxo.language.source import Source, Span
from taxo.language.syntax import (
    Argument,
    Attribute,
    Binary,
    Call,
    Conditional,
    Expression,
    Index,
    Member,
    Name,
    Number,
    String,
    Unary,
    Word,
)

T = TypeVar("T")
NEEDED = ("direction", "infer", "granularity")
UNSAID = Word("")


@dataclass(frozen=True, slots=True)
class Entry:
    """One clause of a perturbation, or one single-valued item of a method."""

    key: str
    value: object
    span: Span


@v_args(meta=True)
class Builder(Transformer_NonRecursive[Token, object]):
    """Turns each rule of the grammar into the node or item of its name."""

    def __init__(self, source: Source) -> None:
        super().__init__()
        self.source = source
        self.findings: list[Diagnostic] = []

    def _span(self, place: Meta | Token) -> Span:
        start, end = getattr(place, "start_pos", 0), getattr(place, "end_pos", 0)
        return Span(self.source, start or 0, end or 0)

    def _word(self, token: object) -> Word:
        assert isinstance(token, Token)
        return Word(str(token), span=self._span(token))

    def _optional_word(self, token: object) -> Word | None:
        return self._word(token) if token is not None else None

    # Expressions

    def number(self, meta: Meta, parts: Sequence[object]) -> Number:
        """`8`, `0.5`, `15%`."""
        return Number(float(str(parts[0])), parts[1] is not None, span=self._span(meta))

    def string(self, meta: Meta, parts: Sequence[object]) -> String:
        """`"layer3"`."""
        return String(str(parts[0])[1:-1], span=self._span(meta))

    def name(self, meta: Meta, parts: Sequence[object]) -> Name:
        """`eta`."""
        return Name(str(parts[0]), span=self._span(meta))

    def group(self, meta: Meta, parts: Sequence[object]) -> Expression:
        """`( e )`."""
        return replace(_expression(parts[0]), span=self._span(meta))

    def unary(self, meta: Meta, parts: Sequence[object]) -> Unary:
        """`-e`, `not e`."""
        return Unary(str(parts[0]), _expression(parts[1]), span=self._span(meta))

    def binary(self, meta: Meta, parts: Sequence[object]) -> Binary:
        """`a + b`."""
        left, operator, right = parts
        return Binary(str(operator), _expression(left), _expression(right), span=self._span(meta))

    def member(self, meta: Meta, parts: Sequence[object]) -> Member:
        """`e in top(share)`."""
        return Member(_expression(parts[0]), cast(Call, parts[1]), span=self._span(meta))

    def conditional(self, meta: Meta, parts: Sequence[object]) -> Conditional:
        """`a if c else b`."""
        value, condition, otherwise = map(_expression, parts)
        return Conditional(value, condition, otherwise, span=self._span(meta))

    def index(self, meta: Meta, parts: Sequence[object]) -> Index:
        """`e[i]`."""
        return Index(_expression(parts[0]), _expression(parts[1]), span=self._span(meta))

    def attribute(self, meta: Meta, parts: Sequence[object]) -> Expression:
        """`clean.loss`."""
        owner, word = _expression(parts[0]), self._word(parts[1])
        if not isinstance(owner, Name):
            self._note("T101", "only a name can stand before a dot", owner.span, "write `clean.loss`")
            return owner
        return Attribute(owner, word, span=self._span(meta))

    def argument(self, meta: Meta, parts: Sequence[object]) -> Argument:
        """`e` or `name: e`."""
        return Argument(self._optional_word(parts[0]), _expression(parts[1]), span=self._span(meta))

    def arguments(self, meta: Meta, parts: Sequence[object]) -> tuple[Argument, ...]:
        """`(a, name: b)`."""
        return _all(parts, Argument)

    def call(self, meta: Meta, parts: Sequence[object]) -> Call:
        """`pgd(steps: 5)`, `box`."""
        arguments = cast("tuple[Argument, ...] | None", parts[1])
        return Call(self._word(parts[0]), arguments or (), span=self._span(meta))

    apply = call

    def reference(self, meta: Meta, parts: Sequence[object]) -> tuple[Call, ...]:
        """`mixpert(eps: 0)+sam`."""
        return _all(parts, Call)

    # Items

    def cite(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`cite "..."`."""
        return Entry("cite", str(parts[0])[1:-1], self._span(meta))

    def split(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`split e`."""
        return Entry("split", parts[0], self._span(meta))

    def null(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`null name = e, ...`."""
        return Entry("null", _all(parts, Setting), self._span(meta))

    def setting(self, meta: Meta, parts: Sequence[object]) -> Setting:
        """`name = e`."""
        return Setting(name=self._word(parts[0]), value=_expression(parts[1]), span=self._span(meta))

    def param(self, meta: Meta, parts: Sequence[object]) -> Param:
        """`param name = e in domain`."""
        domain = cast("Choices | Interval | None", parts[2])
        default = _expression(parts[1])
        return Param(name=self._word(parts[0]), default=default, domain=domain, span=self._span(meta))

    def choices(self, meta: Meta, parts: Sequence[object]) -> Choices:
        """`{a, b}`."""
        return Choices(choices=tuple(map(_expression, parts)), span=self._span(meta))

    def interval(self, meta: Meta, parts: Sequence[object]) -> Interval:
        """`[a, b] log`."""
        low, high, log = parts
        return Interval(
            low=_expression(low), high=_expression(high), log=log is not None, span=self._span(meta)
        )

    def draw(self, meta: Meta, parts: Sequence[object]) -> Draw:
        """`draw name ~ distribution per scope like e`."""
        name, distribution, per, like = parts
        return Draw(
            name=self._word(name),
            distribution=cast(Call, distribution),
            per=self._word(per),
            like=_expression(like) if like is not None else None,
            span=self._span(meta),
        )

    def let(self, meta: Meta, parts: Sequence[object]) -> Let:
        """`let name = e`."""
        return Let(name=self._word(parts[0]), value=_expression(parts[1]), span=self._span(meta))

    def branch(self, meta: Meta, parts: Sequence[object]) -> Branch:
        """`branch name weight e { ... }`."""
        name, weight, *perturbations = parts
        return Branch(
            name=self._optional_word(name),
            weight=_expression(weight),
            perturbations=_all(perturbations, Perturbation),
            span=self._span(meta),
        )

    # Perturbations

    def where(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`where e`."""
        return Entry("where", parts[0], self._span(meta))

    def direction(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`direction word`."""
        return Entry("direction", self._word(parts[0]), self._span(meta))

    def granularity(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`granularity word + word`."""
        return Entry("granularity", tuple(map(self._word, parts)), self._span(meta))

    def infer(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`infer manner goal within sets via solver`."""
        manner, goal, *sets, via = parts
        inference = Inference(
            manner=self._word(manner),
            goal=cast("Goal | None", goal),
            within=_all((region for region in sets if region is not None), Call),
            via=cast("Call | None", via),
            span=self._span(meta),
        )
        return Entry("infer", inference, self._span(meta))

    def goal(self, meta: Meta, parts: Sequence[object]) -> Goal:
        """`minimize e`, `maximize e`."""
        return Goal(kind=self._word(parts[0]), objective=_expression(parts[1]), span=self._span(meta))

    def perturb(self, meta: Meta, parts: Sequence[object]) -> Perturbation:
        """`perturb target at site by form { clauses }`."""
        target, site, form, *clauses = parts
        entries = self._single(_all(clauses, Entry))
        for key in NEEDED:
            if key not in entries:
                message = f"`perturb {target}` says no `{key}`"
                self._note("T102", message, self._span(cast(Token, target)), f"add a line `{key} ...`")
        return Perturbation(
            target=self._word(target),
            at=_expression(site) if site is not None else None,
            by=_expression(form),
            where=cast("Expression | None", entries.get("where")),
            direction=cast(Word, entries.get("direction", UNSAID)),
            infer=cast(Inference, entries.get("infer", Inference(manner=UNSAID))),
            granularity=cast("tuple[Word, ...]", entries.get("granularity", (UNSAID,))),
            span=self._span(meta),
        )

    def method(self, meta: Meta, parts: Sequence[object]) -> Method:
        """A whole file."""
        name, *rest = parts
        texts = [str(part)[1:-1] for part in rest if isinstance(part, Token)]
        entries = [part for part in rest if isinstance(part, Entry)]
        single = self._single(entry for entry in entries if entry.key != "cite")
        if len(texts) > 2:
            self._note(
                "T103", "more than a title and a sentence", self._span(cast(Token, rest[2])), "join them"
            )
        return Method(
            name=self._word(name),
            title=texts[0] if len(texts) > 1 else "",
            summary=texts[1] if len(texts) > 1 else "".join(texts),
            cite=tuple(str(entry.value) for entry in entries if entry.key == "cite"),
            null=cast("tuple[Setting, ...]", single.get("null", ())),
            split=cast("Expression | None", single.get("split")),
            params=_some(rest, Param),
            draws=_some(rest, Draw),
            lets=_some(rest, Let),
            clauses=tuple(cast(Clause, part) for part in rest if isinstance(part, (Perturbation, Branch))),
            span=self._span(meta),
        )

    def _single(self, entries: Iterable[Entry]) -> dict[str, object]:
        """The entries by key; a second one of a key is noted."""
        found: dict[str, object] = {}
        for entry in entries:
            if entry.key in found:
                self._note("T103", f"`{entry.key}` is said twice", entry.span, "keep one of them")
            found.setdefault(entry.key, entry.value)
        return found

    def _note(self, code: str, message: str, span: Span | None, hint: str) -> None:
        self.findings.append(Diagnostic(code, message, span, hint))


def _expression(value: object) -> Expression:
    return cast(Expression, value)


def _all(values: Iterable[object], kind: type[T]) -> tuple[T, ...]:
    """The values as a tuple of one kind; an absent optional part is left out."""
    return tuple(cast(T, value) for value in values if value is not None)


def _some(values: Iterable[object], kind: type[T]) -> tuple[T, ...]:
    """The values that are of one kind."""
    return tuple(value for value in values if isinstance(value, kind))
