"""How a run is watched: a bar on a terminal, one line per epoch elsewhere, or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import isfinite
from typing import Protocol

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Column
from rich.text import Text

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


class Records:
    """One line of JSON per epoch, the one that `metrics.jsonl` has."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def batch(self) -> None:
        """Say nothing before the epoch ends."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """Print the epoch's line."""
        self.console.print(metrics.to_line(), soft_wrap=True, highlight=False, markup=False)


class Bar:
    """A bar that moves with every step and shows the last epoch's numbers.

    At the first step of an epoch it asks how many are `left`, that one among them: rounds make epochs longer.
    """

    def __init__(self, progress: Progress, task: TaskID, left: Callable[[], int]) -> None:
        self.progress = progress
        self.task = task
        self.left = left
        self._asked = False

    def batch(self) -> None:
        """Move on by one step."""
        if not self._asked:
            completed = self.progress.tasks[self.progress.task_ids.index(self.task)].completed
            self.progress.update(self.task, total=completed + self.left())
            self._asked = True
        self.progress.advance(self.task)

    def epoch(self, metrics: EpochMetrics) -> None:
        """Show the epoch's numbers."""
        told = [describe(metrics), *(f"{name}: {said}" for name, said in _meters(metrics))]
        self.progress.update(self.task, note="\n".join(told))
        self._asked = False


def describe(metrics: EpochMetrics) -> str:
    """Loss and what is measured, in a few words."""
    said = MEASURES[metrics.measure].said
    parts = [f"loss {metrics.train_loss:.3f}", f"train {said(metrics.train_accuracy)}"]
    if metrics.validation_accuracy is not None:
        parts.append(f"validation {said(metrics.validation_accuracy)}")
    return "  ".join([*parts, f"test {said(metrics.test_accuracy)}"])


def meters(metrics: EpochMetrics) -> str:
    """The perturbations' meters in a few words."""
    return "".join(f"  {name}: {said}" for name, said in _meters(metrics))


def _meters(metrics: EpochMetrics) -> list[tuple[str, str]]:
    return [
        (name, ", ".join(f"{key} {value:.3g}" for key, value in meter.items() if isfinite(value)))
        for name, meter in metrics.meters.items()
    ]


class Display(Progress):
    """Bars, and under them what there is to say, in lines of its own so that narrow screens show all."""

    def get_renderables(self) -> Iterator[RenderableType]:
        """The bars, then the notes."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            note = str(task.fields.get("note", ""))
            if note:
                yield Text(note, style="dim", overflow="fold")


def bar(console: Console, hidden: bool = False) -> Progress:
    """A progress display with room for a note; nothing is drawn where there is no terminal."""
    columns = (
        # a long description alone gives way on a narrow screen
        TextColumn("{task.description}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    return Display(*columns, console=console, expand=True, disable=hidden or not console.is_terminal)
