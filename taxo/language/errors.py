"""Every message taxo gives a user: one stable code, a place, and a way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from taxo.language.codes import SPEC_CODES, Code, Severity
from taxo.language.run_codes import RUN_CODES
from taxo.language.source import Span
from taxo.language.spelling import nearest, suggest

CODES: dict[str, Code] = SPEC_CODES | RUN_CODES


@dataclass(frozen=True, slots=True)
class Related:
    """Another place that a message is about."""

    message: str
    span: Span


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message: what is wrong, where, and what to do."""

    code: str
    message: str
    span: Span | None = None
    help: str | None = None
    severity: Severity = "error"
    related: tuple[Related, ...] = ()

    def __str__(self) -> str:
        place = f"{self.span}: " if self.span else ""
        lines = [f"{place}{self.severity}[{self.code}]: {self.message}"]
        if self.span:
            lines.append(self.span.excerpt())
        for one in self.related:
            lines += [f"  {one.span}: {one.message}", one.span.excerpt()]
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, object]:
        """The message as plain values, for editors."""
        found: dict[str, object] = {
            "code": self.code,
            "page": f"docs/errors/{self.code}.md",
            "severity": self.severity,
            "message": self.message,
            "help": self.help,
            **_placed(self.span),
        }
        if self.related:
            found["related"] = [{"message": one.message, **_placed(one.span)} for one in self.related]
        return found


def _placed(span: Span | None) -> dict[str, object]:
    return {
        "file": span.source.name if span else None,
        "line": span.line if span else None,
        "column": span.column if span else None,
        "length": span.end - span.start if span else None,
    }


class TaxoError(Exception):
    """What taxo raises for anything a user can mend; it carries every message found."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(map(str, self.diagnostics)))


def fail(code: str, message: str, span: Span | None = None, help: str | None = None) -> NoReturn:
    """Raise a `TaxoError` of one message."""
    raise TaxoError([Diagnostic(code, message, span, help)])


__all__ = ["CODES", "Diagnostic", "Related", "Severity", "TaxoError", "fail", "nearest", "suggest"]
