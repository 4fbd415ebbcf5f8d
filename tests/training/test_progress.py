"""What a watcher sees."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from taxo.training.metrics import EpochMetrics
from taxo.training.progress import Bar, Lines, Records, bar

METRICS = EpochMetrics(8, 0.4125, 0.812, 0.601, 0.803, 0.1, 0.05, {"v": {"fired": 0.45, "size": 2.125}})


def test_one_line_per_epoch():
    console = Console(file=StringIO(), width=40)
    lines = Lines(console, 100)
    lines.batch()
    lines.epoch(METRICS)
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue() == (
        "epoch   9/100  loss 0.412  train 81.2%  validation 60.1%  test 80.3%  0.05 s"
        "  v: fired 0.45, size 2.12\n"
    )


def test_the_bar_moves_with_steps_and_shows_the_last_epoch():
    console = Console(file=StringIO(), force_terminal=True, width=140)
    display = bar(console)
    task = display.add_task("name [a]", total=10, completed=2, note="")
    with display:
        reporter = Bar(display, task, lambda: 8)
        reporter.batch()
        reporter.epoch(METRICS)
    assert display.tasks[0].completed == 3
    assert isinstance(console.file, StringIO)
    text = console.file.getvalue()
    assert "name [a]" in text
    assert "3/10" in text
    assert "loss 0.412" in text


def test_the_bar_is_as_long_as_what_is_left():
    display = bar(Console(file=StringIO(), force_terminal=True))
    task = display.add_task("name", total=10, completed=2, note="")
    left = iter([8, 12])  # after two steps a round makes the epochs longer
    shown = Bar(display, task, lambda: next(left))
    for number in range(1, 5):
        shown.batch()
        assert display.tasks[0].completed == 2 + number
        assert display.tasks[0].total == (10 if number < 3 else 16)
        if number == 2:
            shown.epoch(METRICS)


@pytest.mark.parametrize("width", [50, 80, 140])
def test_a_narrow_screen_shows_all_that_is_measured(width: int):
    console = Console(file=StringIO(), force_terminal=True, width=width)
    display = bar(console)
    task = display.add_task("mixpert", total=10, note="")
    with display:
        Bar(display, task, lambda: 10).epoch(METRICS)
    assert isinstance(console.file, StringIO)
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", console.file.getvalue()).replace("\n", " ")
    said = ("loss 0.412", "validation 60.1%", "test 80.3%", "v: fired 0.45, size 2.12", "0/10", "-:--:--")
    assert all(words in " ".join(shown.split()) for words in said)


def test_records_are_the_lines_of_the_metrics_file():
    console = Console(file=StringIO(), width=40)
    records = Records(console)
    records.batch()
    records.epoch(METRICS)
    assert isinstance(console.file, StringIO)
    assert EpochMetrics.from_line(console.file.getvalue()) == METRICS


def test_no_bar_without_a_terminal_or_when_hidden():
    assert bar(Console(file=StringIO())).disable
    assert bar(Console(file=StringIO(), force_terminal=True), hidden=True).disable
