"""`taxo compare`: methods times seeds, to tables of means, errors and paired differences, and a page."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console

from taxo.language.errors import fail
from taxo.training import folder, table
from taxo.training.claims import Claims, worker
from taxo.training.columns import legend, with_columns
from taxo.training.data import load
from taxo.training.device import tuned
from taxo.training.grid import Entrant, Grid, GridFolder
from taxo.training.grid_runs import run_grid
from taxo.training.grid_words import asked, entrants
from taxo.training.plane import DRAWN, Spots, spots_of
from taxo.training.ranks import refuse_several
from taxo.training.report.grid_page import Contest, grid_page
from taxo.training.settings import to_json
from taxo.training.summary import Cell, Row, rows


def compare(namespace: Namespace) -> int:
    """Run the grid; 0 when done, 3 if a run failed, 130 when interrupted (finished runs are kept)."""
    refuse_several("taxo compare")
    console = Console(stderr=bool(namespace.json))
    kept = _kept(namespace)
    grid = asked(namespace, kept)
    with tuned(grid.settings):
        known = entrants(grid)
        if namespace.dry_run:
            _show(grid, known, bool(namespace.json))
            return 0
        place = _begin(namespace, kept, grid, known)
        claims = Claims(place.path / "claims") if namespace.storage is not None else None
        whole = run_grid(grid, place, console, bool(namespace.quiet), claims)
    cells = grid.cells(place.cells())
    found = [_level(grid, cells, known, noise) for noise in grid.noises]
    _write(found, cells, grid, known, place)
    if not whole:
        flags = f"--storage {shlex.quote(str(place.path))}" if claims else ""
        flags = flags or f"--resume {shlex.quote(str(place.path))}"
        command = f"the same command with {flags}" if claims else f"taxo compare {flags}"
        console.print(f"the finished runs are saved; go on with: {command}", soft_wrap=True, highlight=False)
        return 130
    _print(found, grid, place, bool(namespace.json))
    return 3 if any(row.failed for level in found for row in level) else 0


def _kept(namespace: Namespace) -> GridFolder | None:
    if namespace.storage is not None:
        if namespace.resume is not None or namespace.output is not None:
            message = "`--storage` is the folder that is written and gone on with"
            fail("T503", message, help="leave out `--output` and `--resume`")
        shared = _shared(namespace)
        begun = (shared.path / "compare.json").exists()
        return shared if begun and not namespace.methods else None
    if namespace.resume is None:
        return None
    return GridFolder(Path(namespace.resume or namespace.output or folder.latest("compare.json")))


def _shared(namespace: Namespace) -> GridFolder:
    return GridFolder(Path(namespace.storage), f"-{worker()}")


def _begin(namespace: Namespace, kept: GridFolder | None, grid: Grid, known: Sequence[Entrant]) -> GridFolder:
    if namespace.storage is not None:
        place = _shared(namespace)
        place.join(known, grid)
        return place
    if kept is not None:
        kept.refuse_changes(known)
        place = kept
    else:
        place = GridFolder(Path(namespace.output) if namespace.output else folder.default_path("compare"))
        place.claim()
    place.begin(known, grid)
    return place


def _level(grid: Grid, cells: Sequence[Cell], known: Sequence[Entrant], noise: str) -> list[Row]:
    """The rows of one level of noise."""
    own = [cell for cell in cells if cell.noise == noise]
    found = with_columns(rows(own, [(one.label, one.cost) for one in known]), own, grid.asked)
    return [replace(row, noise=noise) for row in found]


def _show(grid: Grid, known: Sequence[Entrant], as_json: bool) -> None:
    costs = {entrant.label: entrant.cost for entrant in known}
    shared = {name: value for name, value in to_json(grid.settings).items() if name != "noise"}
    if as_json:
        found = {"methods": costs, "seeds": grid.seeds, "noises": list(grid.noises), "settings": shared}
        print(json.dumps(found | {"evaluate": [str(question) for question in grid.asked]}))
        return
    settings = {name: value for name, value in shared.items() if name != "seed"}
    questions = ", ".join(map(str, grid.asked)) or None
    head = {"seeds": f"0 to {grid.seeds - 1}", "noise": ", ".join(grid.noises)}
    folder.print_facts(head | settings | {"evaluate": questions})
    folder.print_facts(
        {f"method {number}": f"{label}  ({cost})" for number, (label, cost) in enumerate(costs.items(), 1)}
    )


def _write(
    found: Sequence[Sequence[Row]],
    cells: Sequence[Cell],
    grid: Grid,
    known: Sequence[Entrant],
    place: GridFolder,
) -> None:
    note, measure = legend(grid.asked), grid.measure
    titles = [grid.title_at(noise) for noise in grid.noises]
    pairs = list(zip(found, titles, strict=True))
    place.write(
        "table.md", "\n".join(table.to_markdown(level, title, measure, note) for level, title in pairs)
    )
    place.write(
        "table.tex", "\n\n".join(table.to_latex(level, title, measure) for level, title in pairs) + "\n"
    )
    place.write("table.csv", table.to_csv([row for level in found for row in level], measure))
    texts = {one.label: one.text for one in known}
    place.write("report.html", grid_page(Contest(grid, found, cells, texts, _samples(grid, cells))))


def _samples(grid: Grid, cells: Sequence[Cell]) -> dict[str, Spots]:
    """The training samples of each level of noise, where the page draws them."""
    levels = dict.fromkeys(cell.noise for cell in cells if cell.plane is not None)
    return {noise: spots_of(load(grid.at(noise, DRAWN), torch.device("cpu"))) for noise in levels}


def _print(found: Sequence[Sequence[Row]], grid: Grid, place: GridFolder, as_json: bool) -> None:
    if as_json:
        print(table.to_json([row for level in found for row in level], str(place.path), grid.measure))
        return
    screen = Console()
    width = screen.width if screen.is_terminal else table.WIDE
    note = legend(grid.asked)
    for level, noise in zip(found, grid.noises, strict=True):
        for drawn in (
            table.to_rich(level, grid.title_at(noise), width, grid.measure),
            *table.column_tables(level, width, note),
        ):
            if screen.is_terminal:
                screen.print(drawn)
            else:
                print(table.piped(drawn))
    screen.print(f"written to {place.path}", soft_wrap=True, highlight=False, markup=False)
