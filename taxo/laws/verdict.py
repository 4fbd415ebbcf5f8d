"""What a law says of a method: it holds, it fails, or it does not apply."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from taxo.language.source import Span
from taxo.laws.pools import Reason


class Outcome(StrEnum):
    """How a law answers."""

    HOLDS = "holds"
    FAILS = "fails"
    EXEMPT = "does not apply"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of a law, with what was measured or the reason, and the clause that is to blame."""

    outcome: Outcome
    measured: str
    span: Span | None = None

    @property
    def fails(self) -> bool:
        """Whether the law is broken."""
        return self.outcome is Outcome.FAILS


def decided(held: bool, measured: str, span: Span | None = None) -> Verdict:
    """That a law holds or fails."""
    return Verdict(Outcome.HOLDS if held else Outcome.FAILS, measured, span)


def exempt(reason: Reason) -> Verdict:
    """That a law does not apply."""
    return Verdict(Outcome.EXEMPT, reason.what, reason.span)
