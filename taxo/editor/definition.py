"""Where a name is declared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from taxo.editor.cursor import look
from taxo.editor.document import Document
from taxo.editor.references import file_of, names_method
from taxo.editor.tokens import end, start
from taxo.editor.words import table


@dataclass(frozen=True, slots=True)
class Definition:
    """The stretch `start:end` of the text itself, or of another file."""

    start: int
    end: int
    path: Path | None = None


def define(document: Document, offset: int) -> Definition | None:
    """Where the name at an offset is declared."""
    cursor = look(document.text, offset)
    word = cursor.word
    if word is None or word.type != "NAME" or cursor.prose:
        return None
    if names_method(cursor):
        path = file_of(word, document)
        return Definition(0, 0, path) if path else None
    is_option = cursor.starts_argument and cursor.following == "COLON"
    if cursor.previous in ("DOT", "METHOD") or is_option or word in table(cursor.kind):
        return None
    item = document.declared.get(word)
    if item is not None and item.name is not None:
        return Definition(start(item.name), end(item.name))
    unknown = document.unknown(word, start(word))
    return Definition(*unknown) if unknown else None
