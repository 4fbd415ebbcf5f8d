"""Tokens to the grammar's tree: misspelt words are mended, broken parts dropped, and every error is found.

Repairs are tried on a recogniser, which is the parser without its trees. The tree is built once, at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, cast

from lark import Token, Tree
from lark.exceptions import UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from taxo.language.errors import Diagnostic, TaxoError
from taxo.language.lexer import END, MOST_ERRORS, Lexer, grammar, keywords, span_of
from taxo.language.source import Source, Span
from taxo.language.spelling import nearest, phrase, shortened, suggest

if TYPE_CHECKING:
    from lark.parsers.lalr_parser_state import ParserState

AHEAD = 8  # how many tokens beyond an error a repair is judged by
ITEMS = ("CITE", "NULL", "NEEDS", "SPLIT", "USE", "PARAM", "DRAW", "LET", "STATE", "PERTURB", "BRANCH")
# Words inside expressions: where a clause's word fits too, that one comes first.
WITHIN = {"IN", "IF", "ELSE", "AND", "OR", "NOT"}
CLAUSES = ("WHERE", "EVERY", "DURING", "DIRECTION", "INFER", "NORM", "GRANULARITY")
OPERAND = {"NAME", "LOSS", "WEIGHT", "NORM", "NUMBER", "STRING", "LPAR", "MINUS", "NOT"}
OPERATORS = {
    "PLUS",
    "MINUS",
    "STAR",
    "SLASH",
    "CARET",
    "COMPARE",
    "AND",
    "OR",
    "IF",
    "IN",
    "ELSE",
    "LSQB",
    "DOT",
    "PERCENT",
}
NAMES = {"NAME", "LOSS", "WEIGHT", "NORM"}
SPELT = {"NAME": "a name", "NUMBER": "a number", "STRING": "a text in quotes", END: "the end"}


@cache
def _spellings() -> dict[str, str]:
    """How messages call each terminal."""
    return {str(one.name): f"`{one.pattern.value}`" for one in grammar().terminals} | SPELT


@dataclass(frozen=True, slots=True)
class Repair:
    """A way to go on after an error: other tokens, what to say, and what is lost."""

    tokens: list[Token]
    finding: Diagnostic
    lost: tuple[Span, ...] = ()
    meant: str = ""


@dataclass(slots=True)
class Reader:
    """One reading of a text as a rule of the grammar; `lost` are the parts that had to be dropped."""

    source: Source
    start: str
    findings: list[Diagnostic] = field(default_factory=list[Diagnostic])
    lost: list[Span] = field(default_factory=list[Span])

    def read(self) -> Tree[Token]:
        """The tree of the text; raises where so much is wrong that there is none."""
        tokens = Lexer(self.source).tokens()
        while (spot := _accepted(self._recogniser(), tokens)) < len(tokens):
            repair = self._repair(tokens, spot) if len(self.findings) < MOST_ERRORS else None
            if repair is None:
                raise TaxoError(self.findings)
            self.findings.append(repair.finding)
            self.lost += repair.lost
            tokens = repair.tokens
        session = grammar().parse_interactive("", self.start)
        trees = [session.feed_token(token) for token in tokens]
        return cast("Tree[Token]", trees[-1])

    def _recogniser(self) -> InteractiveParser:
        """The parser, without making trees; a copy of it costs little."""
        session = grammar().parse_interactive("", self.start)
        state = cast("ParserState[int]", session.parser_state)
        state.parse_conf = copy(state.parse_conf)
        state.parse_conf.callbacks = {}
        return session

    def _repair(self, tokens: list[Token], spot: int) -> Repair | None:
        """The best way on from a token that cannot stand where it does."""
        first = max(spot - 2, 0)
        base = self._recogniser()
        _accepted(base, tokens[:first])

        def reach(repair: Repair) -> int:
            shift = len(repair.tokens) - len(tokens)
            ahead = repair.tokens[first : spot + shift + AHEAD]
            return _accepted(base.copy(deepcopy_values=False), ahead) + first - shift

        before = base.copy(deepcopy_values=False)
        _accepted(before, tokens[first:spot])
        accepted = cast("set[str]", before.accepts())
        mends = list(self._mends(tokens, spot, accepted))
        mended = max(mends, key=reach, default=None)
        if mended is not None and reach(mended) > spot:
            return _as_good(mended, [one for one in mends if reach(one) == reach(mended)])
        finding = self._unexpected(tokens[spot], accepted)
        if self.start != "method":
            self.findings.append(finding)
            return None
        shorter = self._without(tokens, spot, spot + 1, finding)
        if tokens[spot].type not in (END, *ITEMS, *CLAUSES) and reach(shorter) > min(
            spot + 2, len(tokens) - 1
        ):
            return shorter
        complete = spot > 1 and bool(
            accepted & {"PARAM", "GRANULARITY"}
        )  # an item or clause ends before the error
        return self._without_part(tokens, spot, spot if complete else None, finding)

    def _mends(self, tokens: list[Token], spot: int, accepted: set[str]) -> Iterator[Repair]:
        """Other words for the last ones: a reserved word nearly spelt, a name for a reserved one, a brace."""
        token = tokens[spot]
        for place in range(spot, max(spot - 3, -1), -1):
            word = tokens[place]
            near = nearest(word, keywords(), 5) if word.type == "NAME" else []
            for match in sorted(near, key=lambda one: keywords()[one] in WITHIN):
                hint = f"did you mean `{match}`?"
                finding = Diagnostic(
                    "T101", f"unexpected `{shortened(word)}`", span_of(word, self.source), hint
                )
                yield Repair(_swapped(tokens, place, keywords()[match], match), finding, meant=match)
        if "NAME" in accepted and accepted <= NAMES and token in keywords():
            message = f"`{token}` is a word of the language, not a name"
            finding = Diagnostic("T101", message, span_of(token, self.source), "choose another name")
            yield Repair(_swapped(tokens, spot, "NAME", token), finding)
        if "RBRACE" in accepted and token.type in (END, *ITEMS):
            place = "at the end" if token.type == END else f"before `{token}`"
            finding = Diagnostic(
                "T101", f"a `}}` is missing {place}", span_of(token, self.source), "close the block"
            )
            yield Repair(
                [*tokens[:spot], Token.new_borrow_pos("RBRACE", "}", token), *tokens[spot:]], finding
            )

    def _without(self, tokens: list[Token], start: int, end: int, finding: Diagnostic) -> Repair:
        spans = tuple(span_of(token, self.source) for token in tokens[start:end])
        return Repair([*tokens[:start], *tokens[end:]], finding, spans)

    def _without_part(
        self, tokens: list[Token], spot: int, first: int | None, finding: Diagnostic
    ) -> Repair | None:
        """Drop the clause or item that the error is in, a perturbation or branch with all its clauses."""
        starts = (*ITEMS, *CLAUSES)
        if first is None:
            first = next((i for i in range(spot - 1, -1, -1) if tokens[i].type in starts), None)
        if first is None or tokens[first].type == END:
            self.findings.append(finding)
            return None
        last = max(first + 1, spot)
        if tokens[first].type in ("PERTURB", "BRANCH"):
            last = _closed(tokens, first)
        while tokens[last].type not in (*starts, "RBRACE", END):
            last += 1
        return self._without(tokens, first, last, finding)

    def _unexpected(self, token: Token, accepted: set[str]) -> Diagnostic:
        span, word = span_of(token, self.source), shortened(token)
        if token.type == END:
            return Diagnostic("T101", "the text ends too early", span, _expected(accepted))
        return Diagnostic("T101", f"unexpected `{word}`", span, _expected(accepted))


def _accepted(session: InteractiveParser, tokens: Sequence[Token]) -> int:
    """How many of the tokens a parser accepts."""
    for count, token in enumerate(tokens):
        try:
            session.feed_token(token)
        except UnexpectedToken:
            return count
    return len(tokens)


def _as_good(mended: Repair, others: list[Repair]) -> Repair:
    """A repair whose hint names all words that are as near and do as well."""
    span = mended.finding.span
    words = [one.meant for one in others if one.meant and one.finding.span == span]
    hint = suggest(span.text, words) if span else ""
    named = f"`{mended.meant}`" in hint
    return replace(mended, finding=replace(mended.finding, help=hint)) if named else mended


def _swapped(tokens: list[Token], place: int, kind: str, word: str) -> list[Token]:
    """The tokens with another one in a place."""
    return [*tokens[:place], Token.new_borrow_pos(kind, word, tokens[place]), *tokens[place + 1 :]]


def _closed(tokens: list[Token], first: int) -> int:
    """The place behind the block that starts after `first`; the next item where there is none."""
    depth = 0
    for place in range(first + 1, len(tokens)):
        kind = tokens[place].type
        depth += {"LBRACE": 1, "RBRACE": -1}.get(kind, 0)
        if kind == "RBRACE" and depth <= 0:
            return place + (depth == 0)
        if depth == 0 and (kind in ITEMS or kind == END):
            return place
    return len(tokens) - 1


def _expected(accepted: set[str]) -> str:
    """What could stand in a place, in words."""
    if accepted >= OPERAND - {"NOT"}:
        return "expected an expression"
    if accepted >= set(ITEMS) and "RBRACE" not in accepted:
        return "expected an item, such as `param` or `perturb`"
    left = accepted - OPERATORS - (NAMES - {"NAME"} if NAMES - {"LOSS"} <= accepted else set[str]())
    if not left or (left == {"LPAR"}):
        return "expected an operator"
    words = [_spellings()[name] for name in sorted(left, key=lambda name: (name not in SPELT, name))]
    return "expected " + phrase(words[:8])
