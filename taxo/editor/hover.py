"""What the word at a place means."""

from __future__ import annotations

from dataclasses import dataclass

from lark import Token

from taxo.editor.cards import card
from taxo.editor.cursor import Cursor, look
from taxo.editor.document import Document
from taxo.editor.references import file_of, names_method
from taxo.editor.tokens import end, keyword_types, start
from taxo.editor.words import Row, details, family, found, meaning, option_line, signature, table
from taxo.language.vocabulary import CLAUSES, VALUES


@dataclass(frozen=True, slots=True)
class Hover:
    """Markdown about the stretch `start:end` of a text."""

    text: str
    start: int
    end: int


def hover(document: Document, offset: int) -> Hover | None:
    """What there is to say of the word at an offset."""
    cursor = look(document.text, offset)
    if cursor.word is None or cursor.prose:
        return None
    text = _said(document, cursor, cursor.word)
    return Hover(text, start(cursor.word), end(cursor.word)) if text else None


def _said(document: Document, cursor: Cursor, word: Token) -> str | None:
    if names_method(cursor):
        path = file_of(word, document)
        return card(path) if path else None
    if cursor.previous == "METHOD":
        return card(document.source)
    return (
        _required(cursor, word)
        or _option(cursor, word)
        or _keyword(cursor, word)
        or _declared(document, word)
        or _unknown(document, word)
        or _known(cursor, word)
        or _listed(document, word)
    )


def _required(cursor: Cursor, word: str) -> str | None:
    """A word where only those of one kind may stand."""
    row = table(cursor.kind).get(word)
    return _row(word, cursor.kind, row) if row is not None and cursor.kind else None


def _keyword(cursor: Cursor, word: Token) -> str | None:
    """One of the grammar's own words, where it is no value."""
    is_value = word in VALUES and (cursor.in_expression or cursor.previous == "DOT")
    if word.type not in keyword_types() or is_value:
        return None
    return f"`{word}`\n\n{CLAUSES.get(word, '')}".rstrip()


def _option(cursor: Cursor, word: str) -> str | None:
    """The name of an option, or a word that one takes."""
    if cursor.call is None:
        return None
    option = cursor.call.options.get(cursor.option or word)
    if option is not None and cursor.option and word in family(option):
        return _row(word, option.family, family(option)[word])
    named = cursor.starts_argument and cursor.following == "COLON"
    if option is None or not (named or (cursor.option and word in option.words)):
        return None
    return f"{option_line(cursor.option or word, option)}\n\noption of `{cursor.call.name}`"


def _declared(document: Document, word: str) -> str | None:
    """A declared name, with the text that declares it."""
    item = document.declared.get(word)
    if item is None:
        return None
    head = item.head()
    return f"```taxo\n{document.text[start(head[0]) : end(head[-1])]}\n```"


def _unknown(document: Document, word: Token) -> str | None:
    if document.unknown(word, start(word)) is None:
        return None
    return f"`{word}`\n\nthe unknown of this perturbation: its `infer` clause says how it is found"


def _listed(document: Document, word: str) -> str | None:
    owner = document.words.get(word)
    return f"`{word}`\n\nwhat `{owner}` may be" if owner else None


def _known(cursor: Cursor, word: str) -> str | None:
    """A word of the vocabulary, as its place suggests: a function before a bracket, else a value."""
    called = cursor.following == "LPAR"
    rows = found(word, cursor.like_values, "function" if called else "value")
    return "\n\n---\n\n".join(_row(word, kind, row) for kind, row in rows) or None


def _row(word: str, kind: str, row: Row) -> str:
    listed = "\n".join(f"- {line}" for line in details(row))
    return "\n\n".join(filter(None, [f"`{signature(word, row)}` ({kind})", meaning(row), listed]))
