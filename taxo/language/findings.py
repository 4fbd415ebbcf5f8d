"""The messages found in one method: each once, and not endlessly many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from taxo.language.errors import Diagnostic
from taxo.language.source import Span
from taxo.language.spelling import suggest
from taxo.language.syntax import Word

MOST_FINDINGS = 40


class Enough(Exception):
    """Raised when so much is wrong that more messages would help nobody."""


@dataclass(slots=True)
class Findings:
    """The messages found so far."""

    items: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def error(self, code: str, message: str, span: Span | None, hint: str | None = None) -> None:
        """Note something that must be mended."""
        self.add(Diagnostic(code, message, span, hint))

    def note(self, code: str, message: str, span: Span | None, hint: str | None = None) -> None:
        """Note something worth knowing."""
        self.add(Diagnostic(code, message, span, hint, "note"))

    def unknown_word(self, kind: str, word: Word, known: Iterable[str]) -> None:
        """Note a word that the vocabulary does not have."""
        self.error("T205", f"`{word}` is no {kind}", word.span, suggest(word.text, known))

    def add(self, finding: Diagnostic) -> None:
        """Note a finding, unless it is known already."""
        if finding not in self.items:
            self.items.append(finding)
        if len(self.items) >= MOST_FINDINGS:
            raise Enough
