"""The grammar's tree to syntax nodes, bottom up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar, cast

from lark import Token, Tree
from lark.tree import Meta

from taxo.language.errors import Diagnostic
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
Rule = Callable[[Meta, Sequence[object]], object]


class ExpressionBuilder:
    """Turns each rule of an expression into the node of its name; `lost` are the parts dropped before."""

    def __init__(self, source: Source, lost: Sequence[Span] = ()) -> None:
        self.source = source
        self.lost = lost
        self.findings: list[Diagnostic] = []

    def build(self, tree: Tree[Token]) -> object:
        """The value of a tree, made from its leaves up."""
        made: dict[int, object] = {}
        for node in tree.iter_subtrees():
            rule = cast(Rule, getattr(self, str(node.data)))
            parts = [made.pop(id(child)) if isinstance(child, Tree) else child for child in node.children]
            made[id(node)] = rule(node.meta, parts)
        return made[id(tree)]

    def span(self, place: Meta | Token) -> Span:
        """Where a piece of the tree stands."""
        start, end = getattr(place, "start_pos", 0), getattr(place, "end_pos", 0)
        return Span(self.source, start or 0, end or 0)

    def word(self, token: object) -> Word:
        """The word of a token."""
        assert isinstance(token, Token)
        return Word(str(token), span=self.span(token))

    def optional_word(self, token: object) -> Word | None:
        """The word of a token that may be absent."""
        return self.word(token) if token is not None else None

    def number(self, meta: Meta, parts: Sequence[object]) -> Number:
        """`8`, `0.5`, `15%`."""
        written, span = float(str(parts[0])), self.span(meta)
        if written == float("inf"):
            self.note("T206", "a number this large cannot be held", span, "for infinity write `inf`")
            return Number(0.0, span=span)
        return Number(written, parts[1] is not None, span=span)

    def string(self, meta: Meta, parts: Sequence[object]) -> String:
        """`"layer3"`."""
        return String(str(parts[0])[1:-1], span=self.span(meta))

    def name(self, meta: Meta, parts: Sequence[object]) -> Name:
        """`eta`."""
        return Name(str(parts[0]), span=self.span(meta))

    def group(self, meta: Meta, parts: Sequence[object]) -> Expression:
        """`( e )`."""
        return replace(as_node(parts[0]), span=self.span(meta))

    def unary(self, meta: Meta, parts: Sequence[object]) -> Unary:
        """`-e`, `not e`."""
        return Unary(str(parts[0]), as_node(parts[1]), span=self.span(meta))

    def binary(self, meta: Meta, parts: Sequence[object]) -> Binary:
        """`a + b`."""
        left, operator, right = parts
        return Binary(str(operator), as_node(left), as_node(right), span=self.span(meta))

    def member(self, meta: Meta, parts: Sequence[object]) -> Member:
        """`e in top(share)`."""
        return Member(as_node(parts[0]), cast(Call, parts[1]), span=self.span(meta))

    def conditional(self, meta: Meta, parts: Sequence[object]) -> Conditional:
        """`a if c else b`."""
        value, condition, otherwise = map(as_node, parts)
        return Conditional(value, condition, otherwise, span=self.span(meta))

    def index(self, meta: Meta, parts: Sequence[object]) -> Index:
        """`e[i]`."""
        return Index(as_node(parts[0]), as_node(parts[1]), span=self.span(meta))

    def attribute(self, meta: Meta, parts: Sequence[object]) -> Expression:
        """`clean.loss`."""
        owner, word = as_node(parts[0]), self.word(parts[1])
        if not isinstance(owner, Name):
            self.note(
                "T101", "only the name of a pass stands before a dot", owner.span, "such as `clean.loss`"
            )
            return owner
        return Attribute(owner, word, span=self.span(meta))

    def argument(self, meta: Meta, parts: Sequence[object]) -> Argument:
        """`e` or `name: e`."""
        return Argument(self.optional_word(parts[0]), as_node(parts[1]), span=self.span(meta))

    def arguments(self, meta: Meta, parts: Sequence[object]) -> tuple[Argument, ...]:
        """`(a, name: b)`."""
        return each(parts, Argument)

    def call(self, meta: Meta, parts: Sequence[object]) -> Call:
        """`pgd(steps: 5)`, `box`."""
        arguments = cast("tuple[Argument, ...] | None", parts[1])
        return Call(self.word(parts[0]), arguments or (), span=self.span(meta))

    apply = call

    def reference(self, meta: Meta, parts: Sequence[object]) -> tuple[Call, ...]:
        """`mixpert(eps: 0)+sam`."""
        return each(parts, Call)

    def note(self, code: str, message: str, span: Span | None, hint: str) -> None:
        """Remember something that is wrong."""
        self.findings.append(Diagnostic(code, message, span, hint))


def as_node(value: object) -> Expression:
    """A part of the tree that the grammar says is an expression."""
    return cast(Expression, value)


def each(values: Iterable[object], kind: type[T]) -> tuple[T, ...]:
    """The values as a tuple of one kind; an absent optional part is left out."""
    return tuple(cast(T, value) for value in values if value is not None)


def of_kind(values: Iterable[object], kind: type[T]) -> tuple[T, ...]:
    """The values that are of one kind."""
    return tuple(value for value in values if isinstance(value, kind))
