"""A comparison as a table: for the terminal, Markdown, CSV and JSON; no torch here."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import asdict
from io import StringIO

from rich import box
from rich.console import Console
from rich.table import Table

from taxo.training.measures import ACCURACY, EXPLAINED, Measure
from taxo.training.summary import Estimate, Row, best_of

WIDE = 96
ROOM_FOR_LABEL, ROOM_FOR_COLUMN = 24, 16
BEST = 3  # the column that a narrow screen goes without


def headers(measure: Measure) -> tuple[str, ...]:
    """What stands over the columns."""
    test, best = (f"{word} {measure.heading}" for word in ("test", "best"))
    return ("method", test, "difference", best, "s / epoch", "passes")


def column_texts(row: Row) -> list[str]:
    """The cells of a row's further columns; a star: the difference to the first row is beyond noise."""
    return [
        shown(column.value, measure=ACCURACY if column.percent else EXPLAINED)
        + (" *" if column.difference is not None and column.difference.beyond_noise else "")
        for column in row.columns
    ]


def shown(estimate: Estimate | None, signed: bool = False, measure: Measure = ACCURACY) -> str:
    """A mean with its standard error, a share as percent; a star says beyond noise."""
    if estimate is None:
        return "–"
    scale, digits = (100, 1) if measure.percent else (1, 3)
    mean = f"{estimate.mean * scale:{'+' if signed else ''}.{digits}f}"
    error = "" if estimate.error is None else f" ± {estimate.error * scale:.{digits}f}"
    return mean + error + (" *" if signed and estimate.beyond_noise else "")


def texts(row: Row, measure: Measure = ACCURACY) -> tuple[str, ...]:
    """A row's cells as a person reads them."""
    label = row.label if not row.failed else f"{row.label} ({row.failed} of {row.runs} failed)"
    seconds = "–" if row.seconds is None else f"{row.seconds:.3f}"
    test, best = shown(row.test, measure=measure), shown(row.best, measure=measure)
    return (label, test, shown(row.difference, signed=True, measure=measure), best, seconds, row.cost)


def caption(rows: Sequence[Row], wide: bool, measure: Measure = ACCURACY) -> str:
    """What the numbers are."""
    runs, name = rows[0].runs, measure.name
    seeds = f"mean ± standard error of {runs} seeds" if runs > 1 else "one seed"
    best = f" best: test {name} at the epoch of the highest validation {name}." if wide else ""
    return (
        f"test: {measure.title} after the last epoch, {seeds}. "
        f"difference: to {rows[0].label}, paired by seed; * beyond noise (Student's t, 95%).{best}"
    )


def to_rich(rows: Sequence[Row], title: str, width: int = WIDE, measure: Measure = ACCURACY) -> Table:
    """The table for a terminal or a pipe, with the best mean in bold; a narrow one has no `best`."""
    table = Table(title=title, caption=caption(rows, width >= WIDE, measure), box=box.SIMPLE_HEAD)
    table.title_justify = table.caption_justify = "left"
    names = headers(measure)
    shown_columns = [number for number in range(len(names)) if width >= WIDE or number != BEST]
    for number in shown_columns:
        right = 0 < number < len(names) - 1
        table.add_column(
            names[number], justify="right" if right else "left", no_wrap=number > 0, overflow="fold"
        )
    for row, best in zip(rows, best_of([row.test for row in rows]), strict=True):
        cells = [_escape(texts(row, measure)[number]) for number in shown_columns]
        table.add_row(*cells, style="bold" if best else None)
    return table


def column_tables(rows: Sequence[Row], width: int = WIDE, note: str = "") -> list[Table]:
    """The further columns for a terminal or a pipe: as many tables as they need, explained under the last."""
    count, each = len(rows[0].columns), max(1, (width - ROOM_FOR_LABEL) // ROOM_FOR_COLUMN)
    tables = [_column_table(rows, slice(start, start + each)) for start in range(0, count, each)]
    for table in tables[-1:]:
        table.caption, table.caption_justify = _escape(_columns_caption(rows, note)), "left"
    return tables


def _column_table(rows: Sequence[Row], part: slice) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("method", overflow="fold")
    for column in rows[0].columns[part]:
        table.add_column(column.name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(_escape(row.label), *column_texts(row)[part])
    return table


def _columns_caption(rows: Sequence[Row], note: str) -> str:
    return f"{note} *: the difference to {rows[0].label}, paired by seed, is beyond noise."


def to_markdown(rows: Sequence[Row], title: str, measure: Measure = ACCURACY, note: str = "") -> str:
    """The table as Markdown, further columns before the last two."""
    more = [column.name for column in rows[0].columns]
    lines = [
        [cell.replace("|", "\\|") for cell in _with(texts(row, measure), column_texts(row))] for row in rows
    ]
    rule = _with(["---", "---:", "---:", "---:", "---:", "---"], ["---:"] * len(more))
    lines = [
        [_bold(cell) if best else cell for cell, best in zip(line, marks, strict=True)]
        for line, marks in zip(lines, best_cells(rows), strict=True)
    ]
    body = "\n".join(f"| {' | '.join(line)} |" for line in [_with(headers(measure), more), rule, *lines])
    found = f"# {title}\n\n{body}\n\n{caption(rows, wide=True, measure=measure)}\n"
    return f"{found}\n{_columns_caption(rows, note)}\n" if more else found


def _bold(cell: str) -> str:
    """A cell in bold, its star outside: inside it would end the bold."""
    number, star = (cell.removesuffix(" *"), " *") if cell.endswith(" *") else (cell, "")
    return f"**{number}**{star}"


def _with(cells: Sequence[str], more: Sequence[str]) -> list[str]:
    return [*cells[:-2], *more, *cells[-2:]]


def best_cells(rows: Sequence[Row]) -> list[list[bool]]:
    """Which cells of the Markdown hold the best mean of their column."""
    none = [False] * len(rows)
    test, best = (best_of(values) for values in ([row.test for row in rows], [row.best for row in rows]))
    more = [
        best_of([row.columns[number].value for row in rows], column.lower)
        for number, column in enumerate(rows[0].columns)
    ]
    return [list(marks) for marks in zip(none, test, none, best, *more, none, none, strict=True)]


def to_latex(rows: Sequence[Row], title: str, measure: Measure = ACCURACY) -> str:
    """The table for a paper that loads `booktabs`, the best mean of each column bold."""
    heads = _with(headers(measure), [column.name for column in rows[0].columns])
    lines = [_with(texts(row, measure), column_texts(row)) for row in rows]
    body = [
        " & ".join(
            f"\\textbf{{{latex(cell)}}}" if best else latex(cell)
            for cell, best in zip(line, marks, strict=True)
        )
        for line, marks in zip(lines, best_cells(rows), strict=True)
    ]
    return "\n".join(
        [
            f"% {title}",
            f"\\begin{{tabular}}{{l{'r' * (len(heads) - 2)}l}}",
            "\\toprule",
            " & ".join(map(latex, heads)) + r" \\",
            "\\midrule",
            *(f"{line} \\\\" for line in body),
            "\\bottomrule",
            "\\end{tabular}",
            *(f"% {line}" for line in caption(rows, wide=True, measure=measure).splitlines()),
        ]
    )


def latex(text: str) -> str:
    """Words as LaTeX prints them."""
    return "".join(_LATEX.get(letter, letter) for letter in text)


_LATEX = {
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "²": r"$^2$",
    "–": "--",
    "*": r"$^{*}$",
}


def to_csv(rows: Sequence[Row], measure: Measure = ACCURACY) -> str:
    """The table as CSV: shares, not percent, and every digit; further columns with their differences last."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    pairs = ("test", "difference", "best")
    names = [name for pair in pairs for name in (pair, f"{pair}_error")]
    more = [column.name.removesuffix(" %").replace(" ", "_") for column in rows[0].columns]
    parts = ("", "_error", "_difference", "_difference_error")
    further = [f"{name}{part}" for name in more for part in parts]
    last = ["seconds_per_epoch", "passes", "runs", "failed", "measure", "noise"]
    writer.writerow(["method", *names, *last, *further])
    for row in rows:
        estimates = (row.test, row.difference, row.best)
        numbers = [number for estimate in estimates for number in _pair(estimate)]
        counts = (row.seconds, row.cost, row.runs, row.failed)
        columns = [estimate for column in row.columns for estimate in (column.value, column.difference)]
        found = [number for estimate in columns for number in _pair(estimate)]
        writer.writerow([row.label, *numbers, *counts, measure.name, row.noise, *found])
    return text.getvalue()


def to_json(rows: Sequence[Row], folder: str, measure: Measure = ACCURACY) -> str:
    """The table as JSON; the first row is the baseline."""
    found = [asdict(row) for row in rows]
    return json.dumps({"folder": folder, "measure": measure.name, "baseline": rows[0].label, "rows": found})


def piped(shown: Table) -> str:
    """A table for a pipe, which has no width of its own: 100 columns, so that a log reads like the screen."""
    paper = Console(width=100, file=StringIO())
    with paper.capture() as captured:
        paper.print(shown)
    return "\n".join(line.rstrip() for line in captured.get().splitlines())


def _pair(estimate: Estimate | None) -> tuple[float | None, float | None]:
    return (None, None) if estimate is None else (estimate.mean, estimate.error)


def _escape(text: str) -> str:
    return text.replace("[", "\\[")
