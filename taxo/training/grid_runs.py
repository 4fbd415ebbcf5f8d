"""Running what is left of a comparison, one run after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from statistics import median

from rich.console import Console
from rich.progress import Progress, TaskID

from taxo.language.errors import TaxoError
from taxo.training.answers import answers
from taxo.training.claims import Alone, Claims
from taxo.training.data import Data, load
from taxo.training.device import pick
from taxo.training.grid import Grid, GridFolder, Key
from taxo.training.interrupt import Interrupted, StopRequest
from taxo.training.loop import Recorder, fit
from taxo.training.measures import Measure
from taxo.training.metrics import EpochMetrics, best
from taxo.training.plane import DRAWN, drawable, plane_of
from taxo.training.progress import bar, describe
from taxo.training.questions import Question
from taxo.training.run import Run, measured, prepare
from taxo.training.subject import Subject
from taxo.training.summary import Cell


class Watch:
    """Moves the one bar of all runs, an epoch at a time."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self.progress = progress
        self.task = task

    def begin(self, name: str) -> None:
        """Say which run it is."""
        self.progress.update(self.task, description=name)

    def batch(self) -> None:
        """Wait for the epoch's end."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """Move on by one epoch."""
        self.progress.update(self.task, advance=1, note=describe(metrics))


class Shelf:
    """The data of the last seed and level of noise, which the methods of one seed share."""

    def __init__(self, grid: Grid) -> None:
        self.grid = grid
        self.place: tuple[int, str] | None = None
        self.data: Data | None = None

    def run(self, key: Key) -> Run:
        """A run that has not begun."""
        seed, noise, label = key
        settings = self.grid.at(noise, seed)
        if self.place != (seed, noise) or self.data is None:
            self.place, self.data = (seed, noise), load(settings, pick(settings.device))
        return prepare(label, settings, self.data)


def run_grid(
    grid: Grid, place: GridFolder, console: Console, quiet: bool, claims: Claims | None = None
) -> bool:
    """Run what nobody has done or does yet; whether all of it is done in the end."""
    held = claims or Alone()
    todo = _missing(grid, place)
    display = bar(console, hidden=quiet)
    watch = Watch(display, display.add_task("", total=len(todo) * grid.settings.epochs, note=""))
    shelf, number = Shelf(grid), 0
    try:
        with StopRequest() as stop, display, held:
            while todo:
                key = next((key for key in todo if held.take(key)), None)
                if key is None:
                    held.wait(stop)
                elif key in _missing(grid, place):  # another worker may have finished it since we looked
                    number += 1
                    name = f"run {number}/{len(todo) + number - 1}  {_named(key, grid)}"
                    watch.begin(name)
                    cell = cell_of(key, shelf.run(key), grid.asked, watch, stop)
                    place.add(cell)
                    held.drop(key)
                    if display.disable and not quiet:
                        line = f"{name}: {_result(cell, grid.measure)}"
                        console.print(line, soft_wrap=True, highlight=False, markup=False)
                else:
                    held.drop(key)
                todo = _missing(grid, place)
    except (Interrupted, KeyboardInterrupt):
        return False
    return True


def _missing(grid: Grid, place: GridFolder) -> list[Key]:
    done = {(cell.seed, cell.noise, cell.label) for cell in place.cells()}
    return [key for key in grid.runs() if key not in done]


def _named(key: Key, grid: Grid) -> str:
    seed, noise, label = key
    return f"{label}, {noise}, seed {seed}" if len(grid.noises) > 1 else f"{label}, seed {seed}"


def cell_of(key: Key, run: Run, asked: Sequence[Question], watch: Watch, stop: StopRequest) -> Cell:
    """What a run comes to, or why it failed."""
    seed, noise, label = key
    try:
        history = fit(run, watch, stop, Recorder())
        with measured(run):
            found = answers(Subject(run.step, run.data, seed), asked) if asked else None
            seen = _seen(run) if seed == DRAWN else None
    except TaxoError as error:
        # one method that diverges must not cost the others their runs; the table and the exit code say so
        return Cell(label, seed, None, None, None, error.diagnostics[0].message, noise=noise)
    seconds = median(metrics.seconds for metrics in history)
    curves = {
        "test": [metrics.test_accuracy for metrics in history],
        "loss": [metrics.train_loss for metrics in history],
    }
    final, chosen = history[-1].test_accuracy, best(history).test_accuracy
    return Cell(label, seed, final, chosen, seconds, None, found, noise, curves, seen)


def _seen(run: Run) -> dict[str, object] | None:
    """What the model says of the plane, where the page draws one."""
    return asdict(plane_of(run.step, run.data)) if drawable(run) else None


def _result(cell: Cell, measure: Measure) -> str:
    return f"test {measure.said(cell.test)}" if cell.test is not None else f"{cell.failure}"
