"""Text to words: the grammar's own are reserved, so that a text falls into tokens by itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import cast

from lark import Lark, Token
from lark.exceptions import UnexpectedCharacters

from taxo.language.errors import Diagnostic, TaxoError, fail
from taxo.language.source import Source, Span
from taxo.language.spelling import shortened
from taxo.language.vocabulary import GOALS
from taxo.resources import grammar_text

LONGEST_TEXT = 16_384
DEEPEST_TREE = 100
MOST_ERRORS = 20
END = "$END"
LOOKALIKES = {
    "−": "-",
    "–": "-",
    "×": "*",
    "·": "*",
    "÷": "/",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
} | dict.fromkeys("“”„‘’'", '"')


@cache
def grammar() -> Lark:
    """The parser of the language."""
    return Lark(
        grammar_text(),
        parser="lalr",
        lexer="basic",
        start=["method", "expr", "inference", "reference"],
        propagate_positions=True,
        maybe_placeholders=True,
    )


@cache
def keywords() -> dict[str, str]:
    """The grammar's own words, each with its terminal: they are reserved."""
    spelt = {str(terminal.pattern.value): str(terminal.name) for terminal in grammar().terminals}
    return {word: name for word, name in spelt.items() if word.isalpha()}


@cache
def reserved() -> frozenset[str]:
    """The grammar's words that are never names; a goal is a word of its table."""
    names = {str(rule.expansion[0].name) for rule in grammar().rules if rule.origin.name == "name"}
    return frozenset(word for word, kind in keywords().items() if kind not in names) - set(GOALS)


@dataclass(slots=True)
class Lexer:
    """One reading of a text as tokens; `findings` are the characters that no word has."""

    source: Source
    findings: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def tokens(self) -> list[Token]:
        """The words of the text and its end; raises where characters spoil it, or it is too large."""
        if len(self.source.text) > LONGEST_TEXT:
            message = f"the text is longer than {LONGEST_TEXT:,} characters"
            fail("T104", message, Span(self.source, 0, 1), "a method is a page, not a book")
        tokens = self._words()
        self._check_brackets(tokens)
        return tokens

    def _words(self) -> list[Token]:
        """The tokens; characters that no word has are all noted, then raised."""
        text, tokens = self.source.text, list[Token]()
        for _ in range(MOST_ERRORS):
            session = grammar().parse_interactive(text, "method")
            try:
                tokens = list(session.lexer_thread.lex(session.parser_state))
            except UnexpectedCharacters as error:
                span = self._odd(text, cast(int, error.pos_in_stream))
                text = text[: span.start] + " " * (span.end - span.start) + text[span.end :]
                continue
            break
        if self.findings:
            raise TaxoError(self.findings)
        end = tokens[-1].end_pos or 0 if tokens else len(text.rstrip())
        return [*tokens, Token(END, "", end, end_pos=end + 1)]

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
                fail(
                    "T104",
                    f"nested deeper than {DEEPEST_TREE}",
                    span_of(token, self.source),
                    "name parts with `let`",
                )

    def _note(self, message: str, span: Span, hint: str) -> None:
        self.findings.append(Diagnostic("T101", message, span, hint))


def span_of(token: Token, source: Source) -> Span:
    """Where a token stands."""
    start = token.start_pos or 0
    return Span(source, start, token.end_pos or start + 1)
