"""What stands at a place of a text: the word there, what may stand there, and what it would belong to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lark import Token

from taxo.editor.recogniser import Recogniser
from taxo.editor.tokens import end, in_prose, is_word, start, tokens
from taxo.editor.words import Options, Row, options_of, table_after

# What stands between a word and the one it depends on, as in `within linf(1), box` and `sample + corpus`.
_BETWEEN = {"COMMA", "PLUS", "NAME"}


@dataclass(frozen=True, slots=True)
class Open:
    """A call whose arguments are being given: its name, its vocabulary row if it has one, its options."""

    name: str
    row: Row | None
    options: Options
    given: frozenset[str]


@dataclass(frozen=True)
class Cursor:
    """A place in a text: the tokens before it, the word it is in, and the tokens behind."""

    before: tuple[Token, ...]
    word: Token | None
    behind: tuple[Token, ...]
    prose: bool

    @cached_property
    def _recogniser(self) -> Recogniser:
        return Recogniser(self.before)

    @cached_property
    def _open(self) -> list[Token | None]:
        return self._recogniser.open()

    @cached_property
    def accepted(self) -> frozenset[str]:
        """The terminals that may stand here."""
        return self._recogniser.accepted()

    @property
    def previous(self) -> str:
        """The terminal just before."""
        return self.before[-1].type if self.before else ""

    @property
    def following(self) -> str:
        """The terminal just behind the word."""
        return self.behind[0].type if self.behind else ""

    @property
    def in_expression(self) -> bool:
        """Whether a value may stand here."""
        return "NUMBER" in self.accepted

    @property
    def governor(self) -> str:
        """The terminal that a name here depends on: `PERTURB`, `VIA`, an opening bracket."""
        return self._governor(len(self._open))

    def table(self) -> dict[str, Row]:
        """The words of the vocabulary of which one must stand here; none in an expression."""
        return {} if self.in_expression else table_after(self.governor)

    @cached_property
    def call(self) -> Open | None:
        """The innermost call whose arguments these are."""
        stack = self._open
        for place in range(len(stack) - 1, 0, -1):
            token, name = stack[place], stack[place - 1]
            if token and token.type == "LPAR" and name and name.type == "NAME":
                row = table_after(self._governor(place - 1)).get(str(name))
                return Open(str(name), row, options_of(row), self._given(name))
        return None

    @property
    def starts_argument(self) -> bool:
        """Whether the name of an option may stand here."""
        token = self._open[-1] if self._open else None
        opens = token is not None and token.type in ("LPAR", "COMMA")
        return opens and self.call is not None and self.in_expression

    @property
    def option(self) -> str | None:
        """The option whose value starts here."""
        name, colon = self._open[-2:] if len(self._open) > 1 else (None, None)
        return str(name) if name and colon and colon.type == "COLON" else None

    def _governor(self, height: int) -> str:
        for token in reversed(self._open[:height]):
            if token and token.type not in _BETWEEN:
                return token.type
        return ""

    def _given(self, name: Token) -> frozenset[str]:
        """The options that the call of a name says already, before the place or behind it."""
        found, depth = set[str](), 0
        line = [*self.before, *self.behind]
        first = next((place for place, token in enumerate(line) if token is name), len(line))
        for token, other in zip(line[first + 1 :], line[first + 2 :], strict=False):
            depth += {"LPAR": 1, "RPAR": -1}.get(token.type, 0)
            if depth == 0 or token.type in ("LBRACE", "RBRACE"):
                break
            if depth == 1 and token.type == "NAME" and other.type == "COLON":
                found.add(str(token))
        return frozenset(found)


def look(text: str, offset: int) -> Cursor:
    """What stands at an offset of a text."""
    found = tokens(text)
    words = [token for token in found if is_word(token) and start(token) <= offset <= end(token)]
    word = words[-1] if words else None
    first, last = (start(word), end(word)) if word else (offset, offset)
    return Cursor(
        tuple(token for token in found if end(token) <= first and token is not word),
        word,
        tuple(token for token in found if start(token) >= last and token is not word),
        in_prose(text, found, offset),
    )
