"""Everything that is wrong with a text, as it is typed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from taxo.catalog import examine
from taxo.editor.document import Document
from taxo.language.errors import Diagnostic, Severity, TaxoError

_ONE_WORD = re.compile(r"did you mean `([^`]+)`\?")


@dataclass(frozen=True, slots=True)
class Problem:
    """A message about the stretch `start:end` of a text; `instead` would mend it, where that is known."""

    start: int
    end: int
    severity: Severity
    code: str
    message: str
    instead: str | None = None


def problems(document: Document) -> list[Problem]:
    """Everything found in a text."""
    try:
        findings: Sequence[Diagnostic] = examine(document.source, document.stem)[1]
    except TaxoError as error:
        findings = error.diagnostics
    return [_problem(finding, len(document.text)) for finding in findings]


def _problem(finding: Diagnostic, length: int) -> Problem:
    """A finding as an editor shows it: the hint on a line of its own, the place inside the text."""
    start, end = (finding.span.start, finding.span.end) if finding.span else (0, 0)
    message = f"{finding.message}\n{finding.help}" if finding.help else finding.message
    meant = _ONE_WORD.fullmatch(finding.help or "")
    instead = meant.group(1) if meant and finding.span else None
    return Problem(min(start, length), min(end, length), finding.severity, finding.code, message, instead)
