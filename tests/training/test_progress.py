"""What a watcher sees."""

from __future__ import annotations

from io import StringIO

from rich.console import Console

from taxo.training.metrics import EpochMetrics
from taxo.training.progress import Bar, Lines, bar

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
    left = [8, 7, 12, 11]  # after two steps a round makes the epochs longer
    for number, steps in enumerate(left, 1):
        Bar(display, task, lambda steps=steps: steps).batch()
        assert display.tasks[0].completed == 2 + number
        assert display.tasks[0].total == (10 if number < 3 else 16)


def test_no_bar_without_a_terminal_or_when_hidden():
    assert bar(Console(file=StringIO())).disable
    assert bar(Console(file=StringIO(), force_terminal=True), hidden=True).disable
