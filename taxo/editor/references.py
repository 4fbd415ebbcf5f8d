"""Other methods that a text names: `use OTHER`."""

from __future__ import annotations

from pathlib import Path

from taxo.catalog import shipped
from taxo.editor.cursor import Cursor
from taxo.editor.document import SUFFIX, Document
from taxo.resources import methods_folder

USE = "use"


def names_method(cursor: Cursor) -> bool:
    """Whether the name at a place is another method's, the first behind `use` or one more behind a `+`."""
    if cursor.before and str(cursor.before[-1]) == USE:
        return True
    return cursor.governor == USE.upper() and "NAME" in cursor.accepted and not cursor.in_expression


def methods_near(document: Document) -> list[str]:
    """The methods that a text may name: the shipped ones, and those beside its file."""
    beside = list(document.path.parent.glob(f"*{SUFFIX}")) if document.path else list[Path]()
    return sorted({*shipped(), *(path.stem for path in beside)} - {document.stem or ""})


def file_of(name: str, document: Document) -> Path | None:
    """The file of another method."""
    folders = [methods_folder(), *([document.path.parent] if document.path else [])]
    paths = (folder / f"{name}{SUFFIX}" for folder in folders)
    return next((path for path in paths if path.is_file()), None)
