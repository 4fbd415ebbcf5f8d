"""`taxo compare`: methods times seeds, to a table of means, errors and paired differences."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import Progress, TaskID

from taxo.catalog import whole
from taxo.language.errors import TaxoError, fail
from taxo.training import folder, table, words
from taxo.training.answers import answers
from taxo.training.columns import legend, with_columns
from taxo.training.data import load
from taxo.training.device import pick, tuned
from taxo.training.grid import Entrant, Grid, GridFolder
from taxo.training.interrupt import Interrupted, StopRequest
from taxo.training.loop import Recorder, fit
from taxo.training.measures import Measure
from taxo.training.metrics import EpochMetrics, best
from taxo.training.options import given_words, settings_from
from taxo.training.progress import bar, describe
from taxo.training.questions import Question, questions, refuse_unfit
from taxo.training.run import Run, prepare
from taxo.training.settings import Settings, change, to_json, with_params
from taxo.training.subject import Subject
from taxo.training.summary import Cell, Row, rows

DEFAULT_SEEDS = 5


def compare(namespace: Namespace) -> int:
    """Run the grid; 0 when done, 3 if a run failed, 130 when interrupted (finished runs are kept)."""
    console = Console(stderr=bool(namespace.json))
    kept = _kept(namespace)
    grid = _asked(namespace, kept)
    with tuned(grid.settings):
        entrants = _entrants(grid)
        if namespace.dry_run:
            _show(grid, entrants, bool(namespace.json))
            return 0
        place = _begin(namespace, kept, grid, entrants)
        whole = _run(grid, place, console, bool(namespace.quiet))
    cells = grid.cells(place.cells())
    found = rows(cells, [(entrant.label, entrant.cost) for entrant in entrants])
    found = with_columns(found, cells, grid.asked)
    _write(found, grid, place)
    if not whole:
        command = f"taxo compare --resume {shlex.quote(str(place.path))}"
        console.print(f"the finished runs are saved; go on with: {command}", soft_wrap=True, highlight=False)
        return 130
    _print(found, grid, place, bool(namespace.json))
    return 3 if any(row.failed for row in found) else 0


def _kept(namespace: Namespace) -> GridFolder | None:
    if namespace.resume is None:
        return None
    return GridFolder(Path(namespace.resume or namespace.output or folder.latest("compare.json")))


def _asked(namespace: Namespace, kept: GridFolder | None) -> Grid:
    labels = tuple(str(label) for label in namespace.methods)
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        fail("T103", f"`{twice}` is compared twice", help="name each method or variant once")
    seeds = None if namespace.seeds is None else words.whole(str(namespace.seeds), "--seeds", 1)
    typed = None if namespace.evaluate is None else questions(str(namespace.evaluate), "--evaluate")
    if kept is None:
        if not labels:
            fail("T503", "`taxo compare` needs methods", help="`taxo list` shows them")
        return Grid(labels, seeds or DEFAULT_SEEDS, settings_from(namespace), typed or ())
    origin = kept.origin()
    settings = with_params(change(origin.settings, given_words(namespace)), list(namespace.assignments))
    folder.refuse_setting(origin.settings, settings, kept.path / "compare.json")
    asked = origin.asked if typed is None else typed
    before, now = ("\n".join(map(str, each)) for each in (origin.asked, asked))
    folder.refuse_change(before, now, str(kept.path / "compare.json"), "what is evaluated")
    return Grid(labels or origin.labels, seeds or origin.seeds, settings, asked)


def _entrants(grid: Grid) -> list[Entrant]:
    """Compile every method once, so that a mistake in the last one shows before the first one trains."""
    refuse_unfit(grid.asked, grid.settings)
    data = load(grid.settings, pick(grid.settings.device))
    steps = [(label, prepare(label, grid.settings, data).step) for label in grid.labels]
    # with what each of them uses, which may be another file
    return [Entrant(label, str(whole(step.method)), step.plan.cost) for label, step in steps]


def _begin(
    namespace: Namespace, kept: GridFolder | None, grid: Grid, entrants: Sequence[Entrant]
) -> GridFolder:
    if kept is not None:
        kept.refuse_changes(entrants)
    place = kept or GridFolder(Path(namespace.output) if namespace.output else folder.default_path("compare"))
    if kept is None:
        place.claim()
    place.begin(entrants, grid)
    return place


def _run(grid: Grid, place: GridFolder, console: Console, quiet: bool) -> bool:
    """Run what is not done yet, seed by seed so that a stop leaves pairs; whether all of it was run."""
    done = {(cell.label, cell.seed) for cell in place.cells()}
    todo = [(seed, label) for seed in range(grid.seeds) for label in grid.labels if (label, seed) not in done]
    display = bar(console, hidden=quiet)
    watch = Watch(display, display.add_task("", total=len(todo) * grid.settings.epochs, note=""))
    try:
        with StopRequest() as stop, display:
            for number, (label, run) in enumerate(_runs(todo, grid.settings), 1):
                name = f"run {number}/{len(todo)}  {label}, seed {run.settings.seed}"
                watch.begin(name)
                cell = _cell(label, run, grid.asked, watch, stop)
                place.add(cell)
                if display.disable and not quiet:
                    line = f"{name}: {_result(cell, grid.measure)}"
                    console.print(line, soft_wrap=True, highlight=False, markup=False)
    except (Interrupted, KeyboardInterrupt):
        return False
    return True


def _runs(todo: Sequence[tuple[int, str]], shared: Settings) -> Iterator[tuple[str, Run]]:
    """Every run to do, on data that the methods of one seed share."""
    for seed, cells in groupby(todo, key=itemgetter(0)):
        settings = replace(shared, seed=seed)
        data = load(settings, pick(settings.device))
        for _, label in cells:
            yield label, prepare(label, settings, data)


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


def _cell(label: str, run: Run, asked: Sequence[Question], watch: Watch, stop: StopRequest) -> Cell:
    seed = run.settings.seed
    try:
        history = fit(run, watch, stop, Recorder())
        found = answers(Subject(run.step, run.data, seed), asked) if asked else None
    except TaxoError as error:
        # one method that diverges must not cost the others their runs; the table and the exit code say so
        return Cell(label, seed, None, None, None, error.diagnostics[0].message)
    seconds = median(metrics.seconds for metrics in history)
    return Cell(label, seed, history[-1].test_accuracy, best(history).test_accuracy, seconds, None, found)


def _result(cell: Cell, measure: Measure) -> str:
    return f"test {measure.said(cell.test)}" if cell.test is not None else f"{cell.failure}"


def _show(grid: Grid, entrants: Sequence[Entrant], as_json: bool) -> None:
    costs = {entrant.label: entrant.cost for entrant in entrants}
    if as_json:
        found = {"methods": costs, "seeds": grid.seeds, "settings": to_json(grid.settings)}
        print(json.dumps(found | {"evaluate": [str(question) for question in grid.asked]}))
        return
    settings = {name: value for name, value in to_json(grid.settings).items() if name != "seed"}
    asked = ", ".join(map(str, grid.asked)) or None
    folder.print_facts({"seeds": f"0 to {grid.seeds - 1}"} | settings | {"evaluate": asked})
    folder.print_facts(
        {f"method {number}": f"{label}  ({cost})" for number, (label, cost) in enumerate(costs.items(), 1)}
    )


def _write(found: Sequence[Row], grid: Grid, place: GridFolder) -> None:
    place.write("table.md", table.to_markdown(found, grid.title, grid.measure, legend(grid.asked)))
    place.write("table.csv", table.to_csv(found, grid.measure))


def _print(found: Sequence[Row], grid: Grid, place: GridFolder, as_json: bool) -> None:
    if as_json:
        print(table.to_json(found, str(place.path), grid.measure))
        return
    screen = Console()
    width = screen.width if screen.is_terminal else table.WIDE
    note = legend(grid.asked)
    for drawn in (
        table.to_rich(found, grid.title, width, grid.measure),
        *table.column_tables(found, width, note),
    ):
        if screen.is_terminal:
            screen.print(drawn)
        else:
            print(table.piped(drawn))
    screen.print(f"written to {place.path}", soft_wrap=True, highlight=False, markup=False)
