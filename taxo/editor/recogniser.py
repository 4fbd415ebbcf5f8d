"""The grammar's own parser as a guide through an unfinished text: it says what may come next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from functools import cache
from typing import TYPE_CHECKING, cast

from lark import Token
from lark.exceptions import UnexpectedToken
from lark.parsers.lalr_interactive_parser import InteractiveParser

from taxo.editor.tokens import keyword_types
from taxo.language.lexer import DEEPEST_TREE, grammar

if TYPE_CHECKING:
    from lark.parsers.lalr_parser_state import ParserState

MOST_REPAIRS = 200  # so that a hostile text cannot keep the editor waiting
DEEPEST_STACK = 20 * DEEPEST_TREE
NAME = Token("NAME", "name")


class Recogniser:
    """The parser after some tokens; those that cannot stand where they do are made to fit, or left out."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.session = _session()
        self.repairs: int = 0
        if tokens and tokens[0].type != "METHOD":
            self._take(Token("METHOD", "method"), NAME)
        for token in tokens:
            if self.repairs >= MOST_REPAIRS or len(self._state().state_stack) > DEEPEST_STACK:
                break
            self._feed(token)

    def accepted(self) -> frozenset[str]:
        """The terminals that may come next."""
        return frozenset(cast("set[str]", self.session.accepts()))

    def open(self) -> list[Token | None]:
        """What stands unfinished, outermost first: tokens, and None for each finished part."""
        values = cast("list[object]", self._state().value_stack)
        return [value if isinstance(value, Token) else None for value in values]

    def _feed(self, token: Token) -> None:
        """Take a token: as it is, behind a name that is missing, behind what ends early, or as a name."""
        if self._take(token):
            return
        self.repairs += 1
        marks = token.type in keyword_types() or token.type == "RBRACE"
        if self._take(NAME, token) or (marks and self._close(token)):
            return
        if token.type in keyword_types():
            self._take(Token.new_borrow_pos("NAME", str(token), token))

    def _take(self, *tokens: Token) -> bool:
        """Feed all the tokens, or none of them."""
        trial = self.session.copy(deepcopy_values=False)
        try:
            for token in tokens:
                trial.feed_token(token)
        except UnexpectedToken:
            return False
        self.session = trial
        return True

    def _close(self, token: Token) -> bool:
        """Give up what is unfinished, from the inside, until a token fits that starts or ends something."""
        before = self.session
        for _ in self._outwards():
            if token.type in self.session.choices() and self._take(token):
                return True
        self.session = before
        return False

    def _outwards(self) -> Iterator[None]:
        self.session = self.session.copy(deepcopy_values=False)
        state = self._state()
        while state.value_stack:
            state.value_stack.pop()
            state.state_stack.pop()
            yield

    def _state(self) -> ParserState[int]:
        return cast("ParserState[int]", self.session.parser_state)


def _session() -> InteractiveParser:
    """A parser that makes no trees."""
    session = grammar().parse_interactive("", "method")
    state = cast("ParserState[int]", session.parser_state)
    state.parse_conf = copy(state.parse_conf)
    state.parse_conf.callbacks = {}
    return session


@cache
def accepted_after(*types: str) -> frozenset[str]:
    """The grammar's own words that may follow some terminals in a method."""
    tokens = [Token("METHOD", "method"), NAME, *(Token(one, one.lower()) for one in types)]
    return Recogniser(tokens).accepted() & keyword_types()


@cache
def item_types() -> frozenset[str]:
    """The terminals that a part of a method starts with."""
    return accepted_after() | {"METHOD"}


@cache
def value_types() -> frozenset[str]:
    """The grammar's own words that a value starts with."""
    return accepted_after("LET", "NAME", "EQUAL")


@cache
def naming_types() -> frozenset[str]:
    """The grammar's own words that a declaration may take for its name."""
    return accepted_after("PARAM")


@cache
def clause_types() -> frozenset[str]:
    """The grammar's own words that a clause of a perturbation starts with."""
    return accepted_after("PERTURB", "NAME", "BY", "NAME", "LBRACE")
