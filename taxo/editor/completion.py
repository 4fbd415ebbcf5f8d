"""The words that may stand at a place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from lark import Token

from taxo.editor.cursor import Cursor, look
from taxo.editor.document import Document
from taxo.editor.recogniser import item_types, naming_types, value_types
from taxo.editor.references import methods_near, names_method
from taxo.editor.statements import DECLARING, enclosing, unknowns
from taxo.editor.tokens import ends_value, start
from taxo.editor.words import Options, Row, family, meaning, option_line, options_of, settable, table
from taxo.language.lexer import keywords
from taxo.language.vocabulary import BRANCH, CLAUSES, NEEDS, PASSES, VALUES, Function

Sort = Literal["option", "word", "name", "value", "function", "keyword", "method"]
_ORDER: tuple[Sort, ...] = ("option", "word", "name", "value", "function", "method", "keyword")

# The items whose names may stand in the place of a word behind a terminal.
_STOOD_FOR = {"AT": DECLARING, "NORM": {"PARAM"}}


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
    return cursor.kind is not None or names_method(cursor)


def _offers(document: Document, cursor: Cursor, offset: int) -> Iterator[Offer]:
    if names_method(cursor):
        yield from (Offer(name, "method", "method") for name in methods_near(document))
        return
    if "NAME" in cursor.accepted:
        yield from _names(document, cursor, offset)
    for word, terminal in keywords().items():
        if terminal in _own_words(cursor):
            yield Offer(word, "keyword", CLAUSES.get(word, ""))


def _own_words(cursor: Cursor) -> frozenset[str]:
    """The terminals that stand here as words of the grammar, not as names or values."""
    named = "NAME" in cursor.accepted and naming_types() <= cursor.accepted
    accepted = cursor.accepted - naming_types() if named else cursor.accepted
    starts_item = cursor.accepted & (item_types() - value_types())
    return accepted if starts_item else accepted - (item_types() & value_types())


def _names(document: Document, cursor: Cursor, offset: int) -> Iterator[Offer]:
    bare = cursor.following == "LPAR"
    if cursor.previous == "DOT":
        held = PASSES.get(str(cursor.before[-2]), BRANCH).values
        yield from (_offer(word, "value", VALUES[word], bare) for word in held)
    elif cursor.in_expression:
        words = list(_words(cursor))
        yield from words
        yield from _options(cursor)
        yield from _declared(document, *DECLARING) if words else _values(document, cursor, offset)
    elif cursor.kind:
        yield from _of_kind(cursor.kind, bare)
        yield from _declared(document, *_STOOD_FOR.get(cursor.governor, ()))
    elif cursor.governor not in DECLARING | {"METHOD"} and not ends_value(cursor.before[-1]):
        yield from _declared(document, *DECLARING)
        if cursor.governor == "OVER":
            yield from _modules(document)


def _words(cursor: Cursor) -> Iterator[Offer]:
    """The words that the option here takes."""
    option = cursor.call.options.get(cursor.option or "") if cursor.call else None
    if option is not None:
        yield from (Offer(word, "word", option.meaning) for word in option.words)
        rows = family(option).items()
        yield from (_offer(word, option.family, row, cursor.following == "LPAR") for word, row in rows)


def _options(cursor: Cursor) -> Iterator[Offer]:
    """The options that the call here does not give yet."""
    if cursor.call is None or not cursor.starts_argument:
        return
    for name, option in cursor.call.options.items():
        if name not in cursor.call.given:
            snippet = None if cursor.following == "COLON" else f"{name}: ${{1}}"
            yield Offer(name, "option", option_line(name, option), snippet)


def _values(document: Document, cursor: Cursor, offset: int) -> Iterator[Offer]:
    bare = cursor.following == "LPAR"
    yield from _declared(document, *DECLARING)
    yield from (Offer(str(name), "name", "the unknown") for name in _unknowns(document, offset))
    yield from (Offer(word, "word", f"what `{owner}` may be") for word, owner in document.words.items())
    if cursor.item == "PARAM" and cursor.call is None:
        yield from (Offer(word, "word", meaning(row)) for word, row in settable().items())
    for kind in filter(None, (cursor.like_values, "value", "function")):
        yield from _of_kind(kind, bare)


def _unknowns(document: Document, offset: int) -> Iterator[Token]:
    """The unknowns of the perturbation around an offset, but for the word that is being typed there."""
    around = enclosing(document.items, offset)
    for name in unknowns(around, document.declared) if around else ():
        if start(name) != offset:
            yield name


def _declared(document: Document, *kinds: str) -> Iterator[Offer]:
    """What is declared by items of some kinds."""
    for name, item in document.declared.items():
        if item.keyword.type in kinds:
            yield Offer(name, "name", str(item.keyword))


def _modules(document: Document) -> Iterator[Offer]:
    """The modules from outside that the text asks for."""
    asked = {str(token) for item in document.items if item.keyword.type == "NEEDS" for token in item.tokens}
    yield from (
        Offer(name, "name", row.meaning) for name, row in NEEDS.items() if row.module and name in asked
    )


def _of_kind(kind: str, bare: bool) -> Iterator[Offer]:
    yield from (_offer(word, kind, row, bare) for word, row in table(kind).items())


def _offer(word: str, kind: str, row: Row, bare: bool) -> Offer:
    sort: Sort = "value" if kind == "value" else "function" if kind == "function" else "word"
    return Offer(word, sort, f"{kind}: {meaning(row)}", None if bare else _snippet(word, kind, row))


def _snippet(word: str, kind: str, row: Row) -> str | None:
    """A call with holes for what must be given; a solver's options are named, as they are many."""
    if isinstance(row, Function):
        return f"{word}({', '.join(f'${{{place}}}' for place in range(1, row.fewest + 1))})"
    if kind == "form of a state":
        return f"{word}(${{1}})"
    holes = _holes(options_of(row), kind == "solver")
    return f"{word}({', '.join(holes)})" if holes else None


def _holes(options: Options, named: bool) -> list[str]:
    needed = [name for name, option in options.items() if option.default is None]
    return [
        f"{name}: ${{{place}}}" if named else f"${{{place}:{name}}}" for place, name in enumerate(needed, 1)
    ]
