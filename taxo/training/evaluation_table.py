"""What a run has answered, as tables for a terminal or a pipe; no torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from rich import box
from rich.markup import escape
from rich.table import Table

from taxo.training.choices import SEVERITIES
from taxo.training.columns import columns
from taxo.training.questions import Answer, Question


def number_table(values: Mapping[str, float], asked: Sequence[Question], title: str) -> Table:
    """One line for each number, with what it says and how it was asked for."""
    table = Table(title=escape(title), box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("", no_wrap=True)
    table.add_column("", justify="right", no_wrap=True)
    table.add_column("what it is", overflow="fold")
    said = {question.name: f" [{question}]" if question.texts else "" for question in asked}
    for column in columns(asked):
        if column.name in values:
            meaning = escape(f"{column.meaning}{said[column.question]}")
            table.add_row(column.heading, column.shown(values[column.name]), meaning)
    return table


def corruption_table(errors: Answer, relative: Mapping[str, float]) -> Table:
    """The error under each corruption at each severity, and relative to a baseline's if there is one."""
    table = Table(title="error % by severity", box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("corruption", no_wrap=True)
    for severity in SEVERITIES:
        table.add_column(str(severity), justify="right")
    table.add_column("mean", justify="right")
    if relative:
        table.add_column("CE %", justify="right")
    for name, found in errors.items():
        cells = [f"{value * 100:.1f}" for value in (*found, fmean(found))]
        last = [f"{relative[name] * 100:.1f}" if name in relative else "–"] if relative else []
        table.add_row(name, *cells, *last)
    return table
