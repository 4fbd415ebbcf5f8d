"""Text to the grammar's tree: misspelt words are mended, broken parts dropped, and every error is found.

The grammar's own words are reserved, so a text falls into tokens without knowing where it stands. Repairs are
tried on a recogniser, which is the parser without its trees; the tree is built once, of the mended tokens.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cache
from typing import cast

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from taxo.language.errors import Diagnostic, TaxoError, fail
from taxo.language.source import Source, Span
from taxo.language.spelling import listed, nearest, shortened
from taxo.language.vocabulary import LATER
from taxo.resources import grammar_text

LONGEST_TEXT = 32_768
DEEPEST_TREE = 200
MOST_ERRORS = 20
AHEAD = 8  # how many tokens beyond an error a repair is judged by
END = "$END"
ITEMS = ("CITE", "NULL", "SPLIT", "PARAM", "DRAW", "LET", "PERTURB", "BRANCH")
CLAUSES = ("WHERE", "DIRECTION", "INFER", "GRANULARITY")
OPERAND = {"NAME", "NUMBER", "STRING", "LPAR", "MINUS", "NOT"}
OPERATORS = {"PLUS", "MINUS", "STAR", "SLASH", "CARET", "COMPARE", "AND", "OR", "IF", "LSQB", "DOT", "PERCENT"}
SPELT = {"NAME": "a name", "NUMBER": "a number", "STRING": "a text in quotes", END: "the end"}
LOOKALIKES = {"−": "-", "–": "-", "×": "*", "·": "*", "÷": "/", "≤": "<=", "≥": ">=", "≠": "!="} | dict.fromkeys(
    "“”„‘’'", '"'
)


@cache
def grammar() -> Lark:
    """The parser of the language."""
    return Lark(
        grammar_text(),
        parser="lalr",
        lexer="basic",
        start=["method", "expr", "reference"],
        propagate_positions=True,
        maybe_placeholders=True,
    )


@cache
def keywords() -> dict[str, str]:
    """The grammar's own words, each with its terminal: they are reserved."""
    spelt = {str(terminal.pattern.value): str(terminal.name) for terminal in grammar().terminals}
    return {word: name for word, name in spelt.items() if word.isalpha()}


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


@dataclass(slots=True)
class Reader:
    """One reading of a text as a rule of the grammar; `lost` are the parts that had to be dropped."""

    source: Source
    start: str
    findings: list[Diagnostic] = field(default_factory=list[Diagnostic])
    lost: list[Span] = field(default_factory=list[Span])

    def read(self) -> Tree[Token]:
        """The tree of the text; raises where so much is wrong that there is none."""
        if len(self.source.text) > LONGEST_TEXT:
            message = f"the text is longer than {LONGEST_TEXT:,} characters"
            fail("T104", message, Span(self.source, 0, 1), "a method is a page, not a book")
        tokens = self._tokens()
        self._check_brackets(tokens)
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

    def _tokens(self) -> list[Token]:
        """The words of the text and its end; characters that no word has are all noted, then raised."""
        text = self.source.text
        while True:
            try:
                end = len(text.rstrip())
                return [*grammar().lex(text), Token(END, "", end, end_pos=end + 1)]
            except UnexpectedCharacters as error:
                place = cast(int, error.pos_in_stream)
                span = self._odd(text, place)
                text = text[:place] + " " * (span.end - place) + text[span.end :]
            if len(self.findings) >= MOST_ERRORS or not text.strip():
                break
            if not self._odd_ahead(text):
                break
        raise TaxoError(self.findings)

    def _odd_ahead(self, text: str) -> bool:
        """Whether a text holds more characters that no word has."""
        try:
            for _ in grammar().lex(text):
                pass
        except UnexpectedCharacters:
            return True
        return False

    def _odd(self, text: str, place: int) -> Span:
        """Note a character that no word has, with the word or text it spoils."""
        letter = text[place]
        if letter == '"':
            stop = text.find("\n", place)
            span = Span(self.source, place, len(text) if stop < 0 else stop)
            end = text.find('"', place + 1, span.end)
            if end < 0:
                self._note("a text in quotes has no end", span, 'end it with `"` on the same line')
            else:
                span = Span(self.source, place, end + 1)
                self._note("a text in quotes holds a backslash or an unprintable character", span, "drop it")
            return span
        if letter == "_" or letter.isalnum():
            before = re.search(r"\w*\Z", text[:place])
            after = re.compile(r"\w*").match(text, place)
            start = before.start() if before else place
            span = Span(self.source, start, after.end() if after else place + 1)
            hint = "a name starts with a letter of a-z; letters, digits and single `_` follow"
            self._note(f"`{shortened(span.text)}` is no name", span, hint)
            return span
        shown = f"`{letter}`" if letter.isprintable() else f"the character U+{ord(letter):04X}"
        plain = LOOKALIKES.get(letter)
        hint = f"write `{plain}`" if plain else "drop it"
        span = Span(self.source, place, place + 1)
        self._note(f"unexpected {shown}", span, hint)
        return span

    def _check_brackets(self, tokens: Sequence[Token]) -> None:
        """Refuse brackets so deep that a walk over their tree could overflow the stack."""
        depth = 0
        for token in tokens:
            depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(str(token), 0)
            if depth > DEEPEST_TREE:
                fail("T104", f"nested deeper than {DEEPEST_TREE}", self._span(token), "name parts with `let`")

    def _recogniser(self) -> InteractiveParser:
        """The parser, without making trees; a copy of it costs little."""
        session = grammar().parse_interactive("", self.start)
        plain = copy(session.parser_state.parse_conf)
        plain.callbacks = {}
        session.parser_state.parse_conf = plain
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
        mended = max(self._mends(tokens, spot, accepted), key=reach, default=None)
        if mended is not None and reach(mended) > spot:
            return mended
        finding = self._unexpected(tokens[spot], accepted)
        if self.start != "method":
            self.findings.append(finding)
            return None
        shorter = self._without(tokens, spot, spot + 1, finding)
        if tokens[spot].type not in (END, *ITEMS, *CLAUSES) and reach(shorter) > min(spot + 2, len(tokens) - 1):
            return shorter
        return self._without_part(tokens, spot, finding)

    def _mends(self, tokens: list[Token], spot: int, accepted: set[str]) -> Iterator[Repair]:
        """Other words for the last ones: a reserved word nearly spelt, a name for a reserved word, a brace."""
        token = tokens[spot]
        for place in range(spot, max(spot - 3, -1), -1):
            word = tokens[place]
            for match in nearest(word, keywords(), 5) if word.type == "NAME" else ():
                hint = f"did you mean `{match}`?"
                finding = Diagnostic("T101", f"unexpected `{shortened(word)}`", self._span(word), hint)
                yield Repair(_swapped(tokens, place, keywords()[match], match), finding)
        if "NAME" in accepted and token in keywords():
            message = f"`{token}` is a word of the language, not a name"
            finding = Diagnostic("T101", message, self._span(token), "choose another name")
            yield Repair(_swapped(tokens, spot, "NAME", token), finding)
        if "RBRACE" in accepted and token.type in (END, *ITEMS):
            place = "at the end" if token.type == END else f"before `{token}`"
            finding = Diagnostic("T101", f"a `}}` is missing {place}", self._span(token), "close the block")
            yield Repair([*tokens[:spot], Token.new_borrow_pos("RBRACE", "}", token), *tokens[spot:]], finding)

    def _without(self, tokens: list[Token], start: int, end: int, finding: Diagnostic) -> Repair:
        spans = tuple(map(self._span, tokens[start:end]))
        return Repair([*tokens[:start], *tokens[end:]], finding, spans)

    def _without_part(self, tokens: list[Token], spot: int, finding: Diagnostic) -> Repair | None:
        """Drop the clause or item that the error is in, a perturbation or branch with all its clauses."""
        starts = (*ITEMS, *CLAUSES)
        first = next((i for i in range(spot - 1, -1, -1) if tokens[i].type in starts), None)
        if first is None:
            self.findings.append(finding)
            return None
        last = spot
        if tokens[first].type in ("PERTURB", "BRANCH"):
            last = _closed(tokens, first)
        while tokens[last].type not in (*starts, "RBRACE", END):
            last += 1
        return self._without(tokens, first, max(last, spot), finding)

    def _unexpected(self, token: Token, accepted: set[str]) -> Diagnostic:
        span, word = self._span(token), shortened(token)
        if token.type == END:
            return Diagnostic("T101", "the text ends too early", span, _expected(accepted))
        if word in LATER["item"] | LATER["clause"]:
            return Diagnostic("T210", f"`{word}` is not in this version", span, _expected(accepted))
        return Diagnostic("T101", f"unexpected `{word}`", span, _expected(accepted))

    def _span(self, token: Token) -> Span:
        start = token.start_pos or 0
        return Span(self.source, start, token.end_pos or start + 1)

    def _note(self, message: str, span: Span, hint: str) -> None:
        self.findings.append(Diagnostic("T101", message, span, hint))


def _accepted(session: InteractiveParser, tokens: Sequence[Token]) -> int:
    """How many of the tokens a parser accepts."""
    for count, token in enumerate(tokens):
        try:
            session.feed_token(token)
        except UnexpectedToken:
            return count
    return len(tokens)


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
    if accepted >= OPERAND:
        return "expected an expression"
    if accepted >= set(ITEMS) and "RBRACE" not in accepted:
        return "expected an item, such as `param` or `perturb`"
    left = accepted - OPERATORS
    if not left or (left == {"LPAR"}):
        return "expected an operator"
    words = [_spellings()[name].strip("`") for name in sorted(left, key=lambda name: (name not in SPELT, name))]
    return "expected " + listed(words[:8]).replace("`a name`", "a name").replace("`the end`", "the end")
