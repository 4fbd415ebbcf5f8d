"""A text as tokens while it is being typed: whatever is no word is passed over, not refused."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import cast

from lark import Token
from lark.exceptions import UnexpectedCharacters

from taxo.language.lexer import LONGEST_TEXT, grammar, keywords
from taxo.language.vocabulary import VALUES

_LAST = {"NAME", "NUMBER", "PERCENT", "STRING", "RPAR", "RSQB", "RBRACE"}
# What is passed over at once: the rest of a text in quotes, of a word, or one other character.
_ODD = re.compile(r'"[^"\n]*"?|\w+|.', re.DOTALL)


@lru_cache(maxsize=16)
def tokens(text: str) -> tuple[Token, ...]:
    """The words of a text; of a text that no method can have, none."""
    found: list[Token] = []
    start = 0
    while start < len(text) <= LONGEST_TEXT:
        try:
            for token in grammar().lex(text[start:]):
                found.append(_moved(token, start))
            break
        except UnexpectedCharacters as error:
            odd = _ODD.match(text, start + cast(int, error.pos_in_stream))
            start = odd.end() if odd else len(text)
    return tuple(found)


def _moved(token: Token, shift: int) -> Token:
    return Token(token.type, str(token), start(token) + shift, end_pos=end(token) + shift)


def start(token: Token) -> int:
    """The offset of a token's first character."""
    return token.start_pos or 0


def end(token: Token) -> int:
    """The offset behind a token's last character."""
    return token.end_pos or 0


@cache
def keyword_types() -> frozenset[str]:
    """The terminals of the grammar's own words."""
    return frozenset(keywords().values())


def is_word(token: Token) -> bool:
    """Whether a token is a name or one of the grammar's own words."""
    return token.type == "NAME" or token.type in keyword_types()


def ends_value(token: Token) -> bool:
    """Whether a value can end with a token, so that no other starts right behind it."""
    return token.type in _LAST or str(token) in VALUES


def in_prose(text: str, found: Sequence[Token], offset: int) -> bool:
    """Whether an offset lies where nothing is code: in a comment or in quotes, or in too long a text."""
    if len(text) > LONGEST_TEXT:
        return True
    before = [token for token in found if start(token) < offset]
    if not before:
        gap = text[:offset]
    elif end(before[-1]) > offset:
        return before[-1].type == "STRING"
    else:
        gap = text[end(before[-1]) : offset]
    line = gap.rpartition("\n")[2]
    return "#" in line or '"' in line
