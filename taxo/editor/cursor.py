"""What stands at a place of a text: the word there, what may stand there, and what it would belong to."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from lark import Token

from taxo.editor.recogniser import Recogniser, item_types
from taxo.editor.tokens import end, ends_value, in_prose, is_word, start, tokens
from taxo.editor.words import LIKE_VALUES, SECOND, Options, Row, family, kind_after, options_of, table

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

    @property
    def item(self) -> str:
        """The terminal of the innermost item around the place."""
        height = len(self._open)
        # A value that is spelt like an item is a value as long as nothing follows it.
        return self._item(height if self.in_expression else height - 1)

    @property
    def kind(self) -> str | None:
        """The kind of word that must stand here, if it is one of the vocabulary's."""
        if self.in_expression or "NAME" not in self.accepted or self.previous == "DOT":
            return None
        if self.before and ends_value(self.before[-1]):
            return SECOND.get(self.item)
        return kind_after(self.item, self.governor)

    @property
    def like_values(self) -> str | None:
        """The kind of word that may stand here beside values and functions."""
        return LIKE_VALUES.get(self.item) if self.in_expression else None

    @cached_property
    def call(self) -> Open | None:
        """The innermost call whose arguments these are."""
        return self._call(len(self._open))

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

    def _call(self, height: int) -> Open | None:
        stack = self._open
        for place in range(height - 1, 0, -1):
            token, name = stack[place], stack[place - 1]
            if token and token.type == "LPAR" and name and name.type == "NAME":
                rows = self._rows(place - 1)
                row, options = rows.get(str(name)), options_of(rows.get(str(name)))
                if row is None and self._governor(place - 1) == "COLON":
                    # a parameter that is one of these words: each takes the options that it knows
                    options = {
                        name: one for other in rows.values() for name, one in options_of(other).items()
                    }
                return Open(str(name), row, options, self._given(name))
        return None

    def _rows(self, height: int) -> dict[str, Row]:
        """The words of which a call may have its name, as what is open below it says."""
        governor, item = self._governor(height), self._item(height)
        if governor != "COLON":
            return table(kind_after(item, governor)) or table(LIKE_VALUES.get(item))
        outer, name = self._call(height - 2), self._open[height - 2]
        return family(outer.options.get(str(name))) if outer else {}

    def _governor(self, height: int) -> str:
        kinds = (token.type for token in reversed(self._open[:height]) if token)
        return next((kind for kind in kinds if kind not in _BETWEEN), "")

    def _item(self, height: int) -> str:
        kinds = (token.type for token in reversed(self._open[: max(height, 0)]) if token)
        return next((kind for kind in kinds if kind in item_types()), "")

    def _given(self, name: Token) -> frozenset[str]:
        """The options that the call of a name says already, before the place or behind it."""
        found, depth = set[str](), 0
        line = [*self.before, *self.behind]
        first = next((place for place, token in enumerate(line) if token is name), len(line))
        for token, other in zip(line[first + 1 :], line[first + 2 :], strict=False):
            depth += {"LPAR": 1, "RPAR": -1}.get(token.type, 0)
            if depth == 0 or token.type in ("LBRACE", "RBRACE"):
                break
            if depth == 1 and other.type == "COLON":
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
