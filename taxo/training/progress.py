"""How a run is watched: a bar on a terminal, one line per epoch elsewhere, or nothing."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column

from taxo.training.measures import MEASURES
from taxo.training.metrics import EpochMetrics


class Reporter(Protocol):
    """What the loop tells about its progress."""

    def batch(self) -> None:
        """A step is done."""
        ...

    def epoch(self, metrics: EpochMetrics) -> None:
        """An epoch is measured."""
        ...


class Silent:
    """Says nothing."""

    def batch(self) -> None:
        """Say nothing."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """Say nothing."""


class Lines:
    """One line per epoch."""

    def __init__(self, console: Console, epochs: int) -> None:
        self.console = console
        self.epochs = epochs

    def batch(self) -> None:
        """Say nothing before the epoch ends."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """Print the epoch's line."""
        number = f"{metrics.epoch + 1:>{len(str(self.epochs))}}/{self.epochs}"
        line = f"epoch {number}  {describe(metrics)}  {metrics.seconds:.2f} s{meters(metrics)}"
        self.console.print(line, soft_wrap=True, highlight=False, markup=False)


class Bar:
    """A bar that moves with every step and shows the last epoch's numbers.

    It asks how many steps are `left`, the present one among them: rounds may make their epochs longer.
    """

    def __init__(self, progress: Progress, task: TaskID, left: Callable[[], int]) -> None:
        self.progress = progress
        self.task = task
        self.left = left

    def batch(self) -> None:
        """Move on by one step."""
        completed = self.progress.tasks[self.progress.task_ids.index(self.task)].completed
        self.progress.update(self.task, total=completed + self.left(), advance=1)

    def epoch(self, metrics: EpochMetrics) -> None:
        """Show the epoch's numbers."""
        self.progress.update(self.task, note=describe(metrics) + meters(metrics))


def describe(metrics: EpochMetrics) -> str:
    """Loss and what is measured, in a few words."""
    said = MEASURES[metrics.measure].said
    parts = [f"loss {metrics.train_loss:.3f}", f"train {said(metrics.train_accuracy)}"]
    if metrics.validation_accuracy is not None:
        parts.append(f"validation {said(metrics.validation_accuracy)}")
    return "  ".join([*parts, f"test {said(metrics.test_accuracy)}"])


def meters(metrics: EpochMetrics) -> str:
    """The perturbations' meters in a few words."""
    return "".join(
        f"  {name}: " + ", ".join(f"{key} {value:.3g}" for key, value in meter.items() if isfinite(value))
        for name, meter in metrics.meters.items()
    )


def bar(console: Console, hidden: bool = False) -> Progress:
    """A progress display with room for a note; nothing is drawn where there is no terminal."""
    columns = (
        TextColumn("{task.description}", markup=False, table_column=Column(no_wrap=True)),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        # the note alone gives way on a narrow screen
        TextColumn(
            "{task.fields[note]}", style="dim", markup=False, table_column=Column(ratio=1, no_wrap=True)
        ),
    )
    return Progress(*columns, console=console, expand=True, disable=hidden or not console.is_terminal)
