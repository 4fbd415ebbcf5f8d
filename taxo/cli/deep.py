"""`taxo check --deep`: the laws on a method, as a table or as plain values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from taxo.language.method import Method

if TYPE_CHECKING:
    from taxo.laws.verdict import Verdict

STYLES = {"holds": "green", "fails": "bold red", "does not apply": "dim"}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one law says of one method."""

    method: str
    law: str
    verdict: Verdict

    @property
    def place(self) -> str:
        """The clause that is to blame, as `file:line`."""
        span = self.verdict.span
        return f"{Path(span.source.name).name}:{span.line}" if span else ""

    def to_json(self) -> dict[str, object]:
        """The judgement as plain values, for editors."""
        span = self.verdict.span
        return {
            "method": self.method,
            "law": self.law,
            "verdict": self.verdict.outcome.value,
            "measured": self.verdict.measured,
            "file": span.source.name if span else None,
            "line": span.line if span else None,
            "column": span.column if span else None,
        }


def judge(method: Method, slow: bool) -> Iterator[Judgement]:
    """Every law on a method; the slow ones only where they are asked for."""
    import torch

    from taxo.laws.judge import QUICK, verdicts
    from taxo.laws.reasons import LAWS

    torch.set_num_threads(1)  # the toys are too small to gain from more
    for law, verdict in verdicts(method, tuple(LAWS) if slow else QUICK):
        yield Judgement(method.name.text, law, verdict)


def show(title: str, judgements: Sequence[Judgement], width: int) -> None:
    """Print the judgements on one method as a table."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(f"the laws on {title}"), box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("law", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("what was measured", overflow="fold")
    for one in judgements:
        outcome = one.verdict.outcome.value
        measured = f"{one.verdict.measured} ({one.place})" if one.place else one.verdict.measured
        table.add_row(one.law, Text(outcome, STYLES[outcome]), Text(measured))
    Console(width=width).print(table)
