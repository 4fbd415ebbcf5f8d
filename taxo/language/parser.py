"""Text to a method: the grammar's tree as items, and every syntax error of a file in one run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import TypeVar

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedToken, VisitError
from lark.parsers.lalr_interactive_parser import InteractiveParser

from taxo.language.build import Builder
from taxo.language.errors import Diagnostic, TaxoError, fail, nearest
from taxo.language.method import Method
from taxo.language.source import Source, Span
from taxo.language.syntax import EXPRESSIONS, Call, Expression
from taxo.resources import grammar_text

LONGEST_TEXT = 65_536
DEEPEST_TREE = 200
MOST_ERRORS = 20
ITEMS = ("cite", "null", "split", "param", "draw", "let", "perturb", "branch")

_ITEM = re.compile(rf'"(?:[^"\\\n]|\\.)*"|#[^\n]*|\b({"|".join(ITEMS)})\b')
T = TypeVar("T")


@cache
def _grammar() -> Lark:
    return Lark(
        grammar_text(),
        parser="lalr",
        start=["method", "expr", "reference"],
        propagate_positions=True,
        maybe_placeholders=True,
    )


@cache
def keywords() -> dict[str, str]:
    """The grammar's own words, each with its terminal."""
    spelt = {terminal.pattern.value: terminal.name for terminal in _grammar().terminals}
    return {word: name for word, name in spelt.items() if word.isalpha()} | {
        "minimize": "GOAL",
        "maximize": "GOAL",
    }


def parse_method(source: Source) -> tuple[Method, list[Diagnostic]]:
    """The method of a text, and what is wrong with its clauses so far.

    Raises `TaxoError` where no method can be made of the text.
    """
    return _parse(source, "method", Method)


def parse_expression(text: str, name: str = "<expression>") -> Expression:
    """The expression that a text spells."""
    return _whole(_parse(Source(name, text), "expr", EXPRESSIONS))


def parse_reference(text: str) -> tuple[Call, ...]:
    """The calls of `mixpert(eps: 0)+sam`, as given on a command line."""
    return _whole(_parse(Source("<method>", text), "reference", tuple))


def _whole(parsed: tuple[T, list[Diagnostic]]) -> T:
    value, findings = parsed
    if findings:
        raise TaxoError(findings)
    return value


def _parse(source: Source, start: str, kind: type[T] | tuple[type[T], ...]) -> tuple[T, list[Diagnostic]]:
    if len(source.text) > LONGEST_TEXT:
        span = Span(source, 0, 1)
        fail(
            "T104",
            f"the text is longer than {LONGEST_TEXT:,} characters",
            span,
            "a method is a page, not a book",
        )
    reader = _Reader(source, start)
    tree = reader.read()
    _check_depth(tree, source)
    builder = Builder(source)
    try:
        value = builder.transform(tree)
    except VisitError as error:
        raise error.orig_exc from None
    assert isinstance(value, kind)
    return value, reader.findings + builder.findings


def _check_depth(tree: Tree[Token], source: Source) -> None:
    """Refuse a tree so deep that walking it could overflow the stack."""
    level: list[Tree[Token]] = [tree]
    for _ in range(DEEPEST_TREE):
        level = [child for node in level for child in node.children if isinstance(child, Tree)]
        if not level:
            return
    fail("T104", f"nested deeper than {DEEPEST_TREE}", Span(source, 0, 1), "name the parts with `let`")


class _Reader:
    """One reading of a text: it notes an error, mends or drops what is wrong, and reads on."""

    def __init__(self, source: Source, start: str) -> None:
        self.source = source
        self.start = start
        self.tokens: list[Token] = []
        self.findings: list[Diagnostic] = []
        self.dropped = False
        self.session = _grammar().parse_interactive(source.text, start)

    def read(self) -> Tree[Token]:
        """The tree of the text, with misspelt keywords mended."""
        while True:
            try:
                for token in self.session.lexer_thread.lex(self.session.parser_state):
                    self.session.feed_token(token)
                    self.tokens.append(token)
                tree = self.session.feed_eof()
                if self.dropped:
                    raise TaxoError(self.findings)
                return tree
            except UnexpectedCharacters as error:
                self._note_character(error.pos_in_stream or 0)
            except UnexpectedToken as error:
                self._recover(error.token)

    def _note_character(self, position: int) -> None:
        """A character that no word can start with ends the reading."""
        character = self.source.text[position]
        shown = "a text without an end" if character == '"' else f"unexpected {character!r}"
        self._note(shown, Span(self.source, position, position + 1), self._expected())
        raise TaxoError(self.findings)

    def _recover(self, token: Token) -> None:
        """Mend the misspelt keyword, or drop the item and read on at the next one."""
        if len(self.findings) >= MOST_ERRORS:
            raise TaxoError(self.findings)
        ended = token.type == "$END"
        if self._mend(self.tokens if ended else [*self.tokens, token], ended):
            return
        end = len(self.source.text.rstrip())
        place = Span(self.source, end, end + 1) if ended else self._span(token)
        self._note("the text ends too early" if ended else f"unexpected `{token}`", place, self._expected())
        self.dropped = True
        if ended or not self._skip(token):
            raise TaxoError(self.findings)

    def _mend(self, tokens: list[Token], ended: bool) -> bool:
        """Take one of the last two words for the keyword it is nearly spelt like, if the text then goes on."""
        for spot in range(len(tokens) - 1, max(len(tokens) - 3, -1), -1):
            token = tokens[spot]
            for match in nearest(token, keywords(), 3) if token.type == "NAME" else ():
                mended = [
                    *tokens[:spot],
                    Token.new_borrow_pos(keywords()[match], match, token),
                    *tokens[spot + 1 :],
                ]
                session = self._replay(mended)
                if session is None or (ended and "$END" not in session.accepts()):
                    continue
                self._note(f"unexpected `{token}`", self._span(token), f"did you mean `{match}`?")
                self._resume(session, mended, self.session)
                return True
        return False

    def _skip(self, token: Token) -> bool:
        """Drop the item that holds the error; false where no further item follows."""
        at_item = token.type.lower() in ITEMS and token.start_pos is not None
        place = token.start_pos if at_item else token.end_pos
        found = next((item for item in _ITEM.finditer(self.source.text, place or 0) if item[1]), None)
        starts = [
            i for i, seen in enumerate(self.tokens) if seen.type.lower() in ITEMS and not self._depth(i)
        ]
        kept = self.tokens[: starts[-1]] if starts else self.tokens[:2]
        session = self._replay(kept)
        if found is None or session is None:
            return False
        rest = " " * found.start() + self.source.text[found.start() :]
        self._resume(session, kept, _grammar().parse_interactive(rest, self.start))
        return True

    def _depth(self, count: int) -> int:
        return sum({"LBRACE": 1, "RBRACE": -1}.get(token.type, 0) for token in self.tokens[:count])

    def _replay(self, tokens: Sequence[Token]) -> InteractiveParser | None:
        """A fresh parser that has read the tokens; None where it would not."""
        session = _grammar().parse_interactive("", self.start)
        try:
            for token in tokens:
                session.feed_token(token)
        except UnexpectedToken:
            return None
        return session

    def _resume(self, read: InteractiveParser, tokens: list[Token], unread: InteractiveParser) -> None:
        """Go on with what one parser has read and another has yet to read."""
        self.session = InteractiveParser(read.parser, read.parser_state, unread.lexer_thread)
        self.tokens = tokens

    def _expected(self) -> str:
        """What could stand here, in words."""
        spelt = {"NAME": "a name", "NUMBER": "a number", "STRING": "a text in quotes", "$END": "the end"}
        spelt |= {"GOAL": "`minimize` or `maximize`", "COMPARE": "a comparison"}
        patterns = {terminal.name: f"`{terminal.pattern.value}`" for terminal in _grammar().terminals}
        accepted = sorted(self.session.accepts(), key=lambda name: (name not in spelt, name))
        return "expected " + " or ".join((patterns | spelt)[name] for name in accepted[:8])

    def _span(self, token: Token) -> Span:
        start = token.start_pos or 0
        return Span(self.source, start, token.end_pos or start + 1)

    def _note(self, message: str, span: Span, hint: str) -> None:
        self.findings.append(Diagnostic("T101", message, span, hint))
