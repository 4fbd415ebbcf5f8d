"""The items of a text as tokens show them, so that a text with mistakes has them too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from sys import maxsize

from lark import Token

from taxo.editor.recogniser import accepted_after, clause_types, item_types, naming_types, value_types
from taxo.editor.tokens import end, ends_value, start
from taxo.language.vocabulary import VALUES

DECLARING = {"PARAM", "DRAW", "LET", "STATE", "BRANCH"}


@dataclass(frozen=True, slots=True)
class Statement:
    """One item: its first word, the name behind it, and its tokens up to the next item or its last brace.

    `reach` is where something else begins, which for an unfinished item is behind its last token.
    """

    keyword: Token
    name: Token | None
    tokens: tuple[Token, ...]
    reach: int

    @property
    def start(self) -> int:
        """The offset of its first character."""
        return start(self.keyword)

    @property
    def end(self) -> int:
        """The offset behind its last character."""
        return end(self.tokens[-1])

    def head(self) -> tuple[Token, ...]:
        """Its tokens up to the block that it opens."""
        if self.keyword.type not in ("PERTURB", "BRANCH"):
            return self.tokens
        stop = next((i for i, token in enumerate(self.tokens) if token.type == "LBRACE"), len(self.tokens))
        return self.tokens[:stop]


def statements(tokens: Sequence[Token]) -> list[Statement]:
    """The items of a text in order; those in a branch follow it."""
    ends: dict[int, int] = {}
    waiting: list[tuple[int, int]] = []
    depth = 0
    for place, token in enumerate(tokens):
        before = tokens[place - 1] if place else None
        if token.type == "RBRACE":
            depth -= 1
            while waiting and waiting[-1][1] >= depth:
                first, level = waiting.pop()
                ends[first] = place + (level == depth)
        elif _starts_item(token, before, depth):
            while waiting and waiting[-1][1] >= depth:
                ends[waiting.pop()[0]] = place
            waiting.append((place, depth))
        depth += token.type == "LBRACE"
    ends |= {first: len(tokens) for first, _ in waiting}
    return [_statement(tokens, first, ends[first]) for first in sorted(ends)]


def _starts_item(token: Token, before: Token | None, depth: int) -> bool:
    """Whether a token starts an item, and no clause or value that has the same first word."""
    if token.type not in item_types() or (token.type in clause_types() and depth):
        return False
    return token.type not in value_types() or before is None or ends_value(before)


def _statement(tokens: Sequence[Token], first: int, last: int) -> Statement:
    second = tokens[first + 1] if first + 1 < last else None
    name = second if second and _names(tokens[first], second) else None
    if tokens[last - 1].type == "RBRACE":
        reach = end(tokens[last - 1])
    else:
        reach = start(tokens[last]) if last < len(tokens) else maxsize
    return Statement(tokens[first], name, tuple(tokens[first:last]), reach)


def _names(keyword: Token, second: Token) -> bool:
    """Whether a token is the name behind an item's first word, be it one of the grammar's own words."""
    if second.type in naming_types():
        return accepted_after(keyword.type) == naming_types()
    return second.type == "NAME" or str(second) in VALUES


def declarations(items: Sequence[Statement]) -> dict[str, Statement]:
    """What a text declares, by name; the first of two counts."""
    found: dict[str, Statement] = {}
    for item in items:
        if item.keyword.type in DECLARING and item.name is not None:
            found.setdefault(str(item.name), item)
    return found


def enclosing(items: Sequence[Statement], offset: int) -> Statement | None:
    """The perturbation around an offset."""
    around = [item for item in items if item.keyword.type == "PERTURB" and item.start <= offset <= item.reach]
    return around[-1] if around else None


def unknowns(item: Statement, declared: dict[str, Statement]) -> Iterator[Token]:
    """The names in a perturbation's form that nothing declares."""
    head = item.head()
    first = next((place for place, token in enumerate(head) if token.type == "BY"), len(head))
    for place in range(first + 1, len(head)):
        token = head[place]
        called = place + 1 < len(head) and head[place + 1].type == "LPAR"
        known = str(token) in VALUES or str(token) in declared
        if token.type == "NAME" and not (called or known or head[place - 1].type == "DOT"):
            yield token
