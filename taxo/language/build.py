"""The grammar's tree to a method and its items, bottom up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from lark import Token
from lark.tree import Meta

from taxo.language.expressions import ExpressionBuilder, as_node, each, of_kind
from taxo.language.method import (
    UNINFERRED,
    UNSAID,
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
    State,
    Use,
)
from taxo.language.source import Span
from taxo.language.spelling import phrase
from taxo.language.syntax import Argument, Call, Expression, Word
from taxo.language.vocabulary import SCALES

NEEDED = {
    "direction": "add a line `direction positive`, `direction negative` or `direction mixed`",
    "granularity": "add a line `granularity sample`, `granularity category` or `granularity corpus`",
}


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

    def needs(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`needs call, ...`."""
        return Entry("needs", each(parts, Call), self.span(meta))

    def objective(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`loss e`."""
        return Entry("loss", parts[0], self.span(meta))

    def use(self, meta: Meta, parts: Sequence[object]) -> Use:
        """`use name(parameter: e)`."""
        return Use.made(method=cast(Call, parts[0]), span=self.span(meta))

    def split(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`split e`."""
        return Entry("split", parts[0], self.span(meta))

    def null(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`null name = e, ...`."""
        return Entry("null", each(parts, Setting), self.span(meta))

    def setting(self, meta: Meta, parts: Sequence[object]) -> Setting:
        """`name = e`."""
        return Setting.made(name=self.word(parts[0]), value=as_node(parts[1]), span=self.span(meta))

    def param(self, meta: Meta, parts: Sequence[object]) -> Param:
        """`param name per grain = e like e in domain`."""
        name, per, default, like, domain = parts
        return Param.made(
            name=self.word(name),
            per=self.optional_word(per),
            default=as_node(default),
            like=as_node(like) if like is not None else None,
            domain=cast("Choices | Interval | None", domain),
            span=self.span(meta),
        )

    def state(self, meta: Meta, parts: Sequence[object]) -> State:
        """`state name per grain = e every period order from e`."""
        name, per, value, every, order, start = parts
        return State.made(
            name=self.word(name),
            per=self.word(per),
            value=as_node(value),
            every=self.optional_word(every),
            order=self.optional_word(order),
            start=as_node(start) if start is not None else None,
            span=self.span(meta),
        )

    def choices(self, meta: Meta, parts: Sequence[object]) -> Choices:
        """`{a, b}`."""
        return Choices.made(choices=tuple(map(as_node, parts)), span=self.span(meta))

    def interval(self, meta: Meta, parts: Sequence[object]) -> Interval:
        """`[a, b] log`."""
        low, high, scale = parts
        if scale is not None and str(scale) not in SCALES:
            hint = f"did you mean {phrase([f'`{one}`' for one in SCALES])}?"
            self.note("T205", f"`{scale}` is no scale", self.word(scale).span, hint)
        return Interval.made(
            low=as_node(low), high=as_node(high), log=scale is not None, span=self.span(meta)
        )

    def draw(self, meta: Meta, parts: Sequence[object]) -> Draw:
        """`draw name ~ distribution per scope like e`."""
        name, distribution, per, like = parts
        return Draw.made(
            name=self.word(name),
            distribution=cast(Call, distribution),
            per=self.word(per),
            like=as_node(like) if like is not None else None,
            span=self.span(meta),
        )

    def let(self, meta: Meta, parts: Sequence[object]) -> Let:
        """`let name = e`."""
        return Let.made(name=self.word(parts[0]), value=as_node(parts[1]), span=self.span(meta))

    def branch(self, meta: Meta, parts: Sequence[object]) -> Branch:
        """`branch name on batch weight e norm word { ... }`."""
        name, on, weight, norm, *perturbations = parts
        return Branch.made(
            name=self.optional_word(name),
            on=cast("Call | None", on),
            weight=as_node(weight),
            norm=self.optional_word(norm),
            perturbations=each(perturbations, Perturbation),
            span=self.span(meta),
        )

    def where(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`where e`."""
        return Entry("where", parts[0], self.span(meta))

    def every(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`every round word`."""
        return Entry("every", (self.word(parts[0]), self.optional_word(parts[1])), self.span(meta))

    def during(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`during word`."""
        return Entry("during", self.word(parts[0]), self.span(meta))

    def norm(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`norm word`."""
        return Entry("norm", self.word(parts[0]), self.span(meta))

    def direction(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`direction word on data`."""
        return Entry("direction", (self.word(parts[0]), self.optional_word(parts[1])), self.span(meta))

    def granularity(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`granularity word + word`."""
        return Entry("granularity", tuple(map(self.word, parts)), self.span(meta))

    def infer(self, meta: Meta, parts: Sequence[object]) -> Entry:
        """`infer ...`."""
        return Entry("infer", parts[0], self.span(meta))

    def inference(self, meta: Meta, parts: Sequence[object]) -> Inference:
        """`manner over names goal within sets on data via solver`."""
        manner, over, goal, within, on, via = parts
        return Inference.made(
            manner=self.word(manner),
            over=cast("tuple[Word, ...]", over or ()),
            goal=cast("Goal | None", goal),
            within=cast("tuple[Call, ...]", within or ()),
            on=cast("Call | None", on),
            via=cast("Call | None", via),
            span=self.span(meta),
        )

    def over(self, meta: Meta, parts: Sequence[object]) -> tuple[Word, ...]:
        """`over name, name`."""
        return tuple(map(self.word, parts))

    def within(self, meta: Meta, parts: Sequence[object]) -> tuple[Call, ...]:
        """`within set, set`."""
        return each(parts, Call)

    def bounds(self, meta: Meta, parts: Sequence[object]) -> Call:
        """`box [a, b]`."""
        ends = tuple(Argument(None, as_node(end), span=as_node(end).span) for end in parts[1:])
        return Call(self.word(parts[0]), ends, span=self.span(meta))

    def goal(self, meta: Meta, parts: Sequence[object]) -> Goal:
        """`minimize e`, `maximize e`."""
        return Goal.made(kind=self.word(parts[0]), objective=as_node(parts[1]), span=self.span(meta))

    def perturb(self, meta: Meta, parts: Sequence[object]) -> Perturbation:
        """`perturb target at site by form { clauses }`."""
        target, site, form, *clauses = parts
        entries = self._single(each(clauses, Entry))
        if not any(meta.start_pos <= span.start < meta.end_pos for span in self.lost):
            self._check_needed(cast(Token, target), entries)
        direction, against = cast("tuple[Word, Word | None]", entries.get("direction", (UNSAID, None)))
        every, amend = cast("tuple[Word | None, Word | None]", entries.get("every", (None, None)))
        return Perturbation.made(
            target=self.word(target),
            at=as_node(site) if site is not None else None,
            by=as_node(form),
            where=cast("Expression | None", entries.get("where")),
            every=every,
            amend=amend,
            during=cast("Word | None", entries.get("during")),
            direction=direction,
            against=against,
            infer=cast(Inference, entries.get("infer", UNINFERRED)),
            norm=cast("Word | None", entries.get("norm")),
            granularity=cast("tuple[Word, ...]", entries.get("granularity", (UNSAID,))),
            span=self.span(meta),
        )

    def _check_needed(self, target: Token, entries: Mapping[str, object]) -> None:
        for key, hint in NEEDED.items():
            if key not in entries:
                self.note("T102", f"`perturb {target}` says no `{key}`", self.span(target), hint)

    def method(self, meta: Meta, parts: Sequence[object]) -> Method:
        """A whole file."""
        name, *rest = parts
        texts = [token for token in rest if isinstance(token, Token)]
        if len(texts) > 2:
            message = "a third text: a method has a title and a summary"
            self.note("T103", message, self.span(texts[2]), "join them")
        said = [str(token)[1:-1] for token in texts]
        entries = [part for part in rest if isinstance(part, Entry)]
        single = self._single(entry for entry in entries if entry.key not in ("cite", "infer"))
        return Method.made(
            name=self.word(name),
            title=said[0] if len(said) > 1 else "",
            summary=said[1] if len(said) > 1 else "".join(said),
            cite=tuple(str(entry.value) for entry in entries if entry.key == "cite"),
            null=cast("tuple[Setting, ...]", single.get("null", ())),
            needs=cast("tuple[Call, ...]", single.get("needs", ())),
            loss=cast("Expression | None", single.get("loss")),
            split=cast("Expression | None", single.get("split")),
            params=of_kind(rest, Param),
            draws=of_kind(rest, Draw),
            lets=of_kind(rest, Let),
            states=of_kind(rest, State),
            clauses=tuple(part for part in rest if isinstance(part, (Perturbation, Branch, Use))),
            infers=tuple(cast(Inference, entry.value) for entry in entries if entry.key == "infer"),
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
