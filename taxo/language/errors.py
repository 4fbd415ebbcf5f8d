"""Every message taxo gives a user: one stable code, a place, and a way out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NoReturn

from taxo.language.source import Span
from taxo.language.spelling import nearest, suggest

CODES: dict[str, str] = {
    "T101": "unexpected text",
    "T102": "a clause is missing",
    "T103": "a clause or name is given twice",
    "T104": "text too large or too deep",
    "T105": "the file's name is not the method's",
    "T201": "unknown name",
    "T202": "declared, never used",
    "T203": "a value downstream of its place",
    "T204": "wrong arguments",
    "T205": "unknown word",
    "T206": "a value outside its domain",
    "T207": "shapes do not fit",
    "T208": "the unknown is missing or not the only one",
    "T209": "two clauses exclude each other",
    "T210": "not in this version",
    "T301": "granularity coarser than derived",
    "T302": "manner is not what the form says",
    "T303": "direction contradicted",
    "T304": "labels leave the simplex",
    "T305": "granularity finer than derived",
    "T401": "something the method needs was not given",
    "T402": "a class without samples",
    "T403": "no such parameter",
    "T404": "a site that matches no module",
    "T405": "the model's output has the wrong shape",
    "T406": "index missing or out of range",
    "T407": "labels out of range",
    "T408": "inputs out of range",
    "T501": "no such data set",
    "T502": "the data set is not on this machine",
    "T503": "a setting that cannot be read",
    "T504": "no such model",
    "T505": "no such device",
    "T506": "a folder that cannot be written",
    "T507": "a checkpoint that cannot be read",
    "T508": "resumed with another specification",
    "T509": "data with a value that is not finite",
    "T601": "a loss that is not finite",
    "T602": "out of memory",
}

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One message: what is wrong, where, and what to do."""

    code: str
    message: str
    span: Span | None = None
    help: str | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        place = f"{self.span}: " if self.span else ""
        lines = [f"{place}{self.severity}[{self.code}]: {self.message}"]
        if self.span:
            lines.append(self.span.excerpt())
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, str | int | None]:
        """The message as plain values, for editors."""
        span = self.span
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "help": self.help,
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


__all__ = ["CODES", "Diagnostic", "Severity", "TaxoError", "fail", "nearest", "suggest"]
