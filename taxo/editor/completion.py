"""The words that may stand at a place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lark import Token

from taxo.editor.cursor import Cursor, look
from taxo.editor.document import Document
from taxo.editor.keywords import KEYWORDS
from taxo.editor.references import methods_near, names_method
from taxo.editor.statements import DECLARING, enclosing, unknowns
from taxo.editor.tokens import start
from taxo.editor.words import Options, Row, kind, meaning, option_line, options_of, table_name_after
from taxo.language.lexer import keywords
from taxo.language.vocabulary import FUNCTIONS, SOLVERS, VALUES, Function

Sort = Literal["option", "word", "name", "value", "function", "keyword", "method"]
_ORDER: tuple[Sort, ...] = ("option", "word", "name", "value", "function", "method", "keyword")


@dataclass(frozen=True, slots=True)
class Offer:
    """A word that may stand at a place; `snippet` is what to insert, with `${1:...}` to be filled in."""

    label: str
    sort: Sort
    detail: str
    snippet: str | None = None

    @property
    def rank(self) -> int:
        """Its place among offers of other sorts, the likeliest first."""
        return _ORDER.index(self.sort)


@dataclass(frozen=True, slots=True)
class Completion:
    """What may be put in place of the stretch `start:end`."""

    offers: tuple[Offer, ...]
    start: int
    end: int


def complete(document: Document, offset: int, by_space: bool = False) -> Completion:
    """The words that fit at an offset; after a space alone, only where they are few."""
    cursor = look(document.text, offset)
    first = start(cursor.word) if cursor.word else offset
    if cursor.prose or _in_number(document.text, first) or (by_space and not _is_narrow(cursor)):
        return Completion((), offset, offset)
    offers: dict[str, Offer] = {}
    for offer in _offers(document, cursor, first):
        offers.setdefault(offer.label, offer)
    ranked = sorted(offers.values(), key=lambda offer: offer.rank)
    return Completion(tuple(ranked), first, offset)


def _in_number(text: str, first: int) -> bool:
    """Whether a word would run into the number or word before it."""
    return text[first - 1 : first].isalnum()


def _is_narrow(cursor: Cursor) -> bool:
    return bool(cursor.table()) or names_method(cursor)


def _offers(document: Document, cursor: Cursor, offset: int) -> Iterator[Offer]:
    if names_method(cursor):
        yield from (Offer(name, "method", "method") for name in methods_near(document))
        return
    if "NAME" in cursor.accepted:
        yield from _names(document, cursor, offset)
    for word, terminal in keywords().items():
        if terminal in cursor.accepted:
            yield Offer(word, "keyword", KEYWORDS.get(word, ""))


def _names(document: Document, cursor: Cursor, offset: int) -> Iterator[Offer]:
    bare = cursor.following == "LPAR"
    if cursor.previous == "DOT":
        yield from (_offer(word, "VALUES", row, bare) for word, row in VALUES.items() if row.clean)
    elif cursor.in_expression:
        words = list(_words(cursor))
        yield from words
        yield from _options(cursor)
        yield from _declared(document) if words else _values(document, offset, bare)
    elif cursor.table():
        table = table_name_after(cursor.governor)
        yield from (_offer(word, table, row, bare) for word, row in cursor.table().items())
    elif cursor.governor not in DECLARING | {"METHOD"}:
        yield from _declared(document)


def _words(cursor: Cursor) -> Iterator[Offer]:
    """The words that the option here takes."""
    option = cursor.call.options.get(cursor.option or "") if cursor.call else None
    if option is not None:
        yield from (Offer(word, "word", option.meaning) for word in option.words)


def _options(cursor: Cursor) -> Iterator[Offer]:
    """The options that the call here does not give yet."""
    if cursor.call is None or not cursor.starts_argument:
        return
    for name, option in cursor.call.options.items():
        if name not in cursor.call.given:
            snippet = None if cursor.following == "COLON" else f"{name}: ${{1}}"
            yield Offer(name, "option", option_line(name, option), snippet)


def _values(document: Document, offset: int, bare: bool) -> Iterator[Offer]:
    yield from _declared(document)
    yield from (Offer(str(name), "name", "the unknown") for name in _unknowns(document, offset))
    yield from (_offer(word, "VALUES", row, bare) for word, row in VALUES.items())
    yield from (_offer(word, "FUNCTIONS", row, bare) for word, row in FUNCTIONS.items())


def _unknowns(document: Document, offset: int) -> Iterator[Token]:
    """The unknowns of the perturbation around an offset, but for the word that is being typed there."""
    around = enclosing(document.items, offset)
    for name in unknowns(around, document.declared) if around else ():
        if start(name) != offset:
            yield name


def _declared(document: Document) -> Iterator[Offer]:
    for name, item in document.declared.items():
        yield Offer(name, "name", str(item.keyword))


def _offer(word: str, table: str, row: Row, bare: bool) -> Offer:
    sort: Sort = "value" if table == "VALUES" else "function" if table == "FUNCTIONS" else "word"
    detail = f"{kind(table)}: {meaning(word, row)}".removesuffix(": ")
    return Offer(word, sort, detail, None if bare else _snippet(word, row))


def _snippet(word: str, row: Row) -> str | None:
    """A call with holes for what must be given; a solver's options are named, as they are many."""
    if isinstance(row, Function):
        return f"{word}({', '.join(f'${{{place}}}' for place in range(1, len(row.shapes) + 1))})"
    holes = _holes(options_of(row), word in SOLVERS)
    return f"{word}({', '.join(holes)})" if holes else None


def _holes(options: Options, named: bool) -> list[str]:
    needed = [name for name, option in options.items() if option.default is None]
    return [
        f"{name}: ${{{place}}}" if named else f"${{{place}:{name}}}" for place, name in enumerate(needed, 1)
    ]
