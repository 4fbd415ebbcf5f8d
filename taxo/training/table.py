"""A comparison as a table: for the terminal, Markdown, CSV and JSON; no torch here."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from io import StringIO

from rich import box
from rich.table import Table

from taxo.training.summary import Estimate, Row

WIDE = 96
WIDE_ONLY = ("best %",)
HEADERS = ("method", "test %", "difference", "best %", "s / epoch", "passes")


def shown(estimate: Estimate | None, signed: bool = False) -> str:
    """A share as percent with its standard error; a star says beyond noise."""
    if estimate is None:
        return "–"
    mean = f"{estimate.mean * 100:{'+' if signed else ''}.1f}"
    error = "" if estimate.error is None else f" ± {estimate.error * 100:.1f}"
    return mean + error + (" *" if signed and estimate.beyond_noise else "")


def texts(row: Row) -> tuple[str, ...]:
    """A row's cells as a person reads them."""
    label = row.label if not row.failed else f"{row.label} ({row.failed} of {row.runs} failed)"
    seconds = "–" if row.seconds is None else f"{row.seconds:.3f}"
    return (label, shown(row.test), shown(row.difference, signed=True), shown(row.best), seconds, row.cost)


def caption(rows: Sequence[Row], wide: bool) -> str:
    """What the numbers are."""
    seeds = rows[0].runs
    best = " best: test accuracy at the epoch of the highest validation accuracy." if wide else ""
    return (
        f"test: accuracy on clean test labels after the last epoch, mean ± standard error of {seeds} seeds. "
        f"difference: to {rows[0].label}, paired by seed; * beyond noise (Student's t, 95%).{best}"
    )


def to_rich(rows: Sequence[Row], title: str, width: int = WIDE) -> Table:
    """The table for a terminal or a pipe, with the best mean in bold; a narrow one has no `best %`."""
    table = Table(title=title, caption=caption(rows, width >= WIDE), box=box.SIMPLE_HEAD)
    table.title_justify = table.caption_justify = "left"
    shown_columns = [n for n, header in enumerate(HEADERS) if width >= WIDE or header not in WIDE_ONLY]
    for number in shown_columns:
        right = 0 < number < len(HEADERS) - 1
        table.add_column(
            HEADERS[number], justify="right" if right else "left", no_wrap=number > 0, overflow="fold"
        )
    top = max((row.test.mean for row in rows if row.test), default=None)
    for row in rows:
        best = row.test is not None and row.test.mean == top
        cells = [_escape(texts(row)[number]) for number in shown_columns]
        table.add_row(*cells, style="bold" if best else None)
    return table


def to_markdown(rows: Sequence[Row], title: str) -> str:
    """The table as Markdown."""
    lines = [[cell.replace("|", "\\|") for cell in texts(row)] for row in rows]
    rule = ["---", "---:", "---:", "---:", "---:", "---"]
    body = "\n".join(f"| {' | '.join(line)} |" for line in [HEADERS, rule, *lines])
    return f"# {title}\n\n{body}\n\n{caption(rows, wide=True)}\n"


def to_csv(rows: Sequence[Row]) -> str:
    """The table as CSV: shares, not percent, and every digit."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    pairs = ("test", "difference", "best")
    names = [name for pair in pairs for name in (pair, f"{pair}_error")]
    writer.writerow(["method", *names, "seconds_per_epoch", "passes", "runs", "failed"])
    for row in rows:
        estimates = (row.test, row.difference, row.best)
        numbers = [number for estimate in estimates for number in _pair(estimate)]
        writer.writerow([row.label, *numbers, row.seconds, row.cost, row.runs, row.failed])
    return text.getvalue()


def to_json(rows: Sequence[Row], folder: str) -> str:
    """The table as JSON; the first row is the baseline."""
    return json.dumps({"folder": folder, "baseline": rows[0].label, "rows": [asdict(row) for row in rows]})


def _pair(estimate: Estimate | None) -> tuple[float | None, float | None]:
    return (None, None) if estimate is None else (estimate.mean, estimate.error)


def _escape(text: str) -> str:
    return text.replace("[", "\\[")
