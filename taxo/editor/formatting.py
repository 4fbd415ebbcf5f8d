"""A whole text in its canonical form."""

from __future__ import annotations

from taxo.editor.document import Document
from taxo.language.errors import TaxoError
from taxo.language.layout import formatted
from taxo.language.parser import parse_method


def canonical(document: Document) -> str | None:
    """The text as `taxo fmt` writes it; None where it cannot be read to its end."""
    try:
        parsed = parse_method(document.source)
    except TaxoError:
        return None
    return None if parsed.findings else formatted(parsed.method, document.text)
