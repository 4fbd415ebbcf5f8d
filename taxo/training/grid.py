"""The folder of a comparison: what is compared, and the runs that are done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn, cast

from taxo.language.errors import fail
from taxo.training.datasets import find
from taxo.training.folder import claim, commit, refuse_change, versions, writing
from taxo.training.measures import Measure, measure_of
from taxo.training.questions import Question, questions
from taxo.training.settings import Plain, Settings, from_json, to_json
from taxo.training.summary import Cell


@dataclass(frozen=True, slots=True)
class Entrant:
    """A method as the user typed it, its canonical text and its passes."""

    label: str
    text: str
    cost: str


_WRONG = {"classes": "wrong labels", "targets": "gross errors", "points": "stray points"}


@dataclass(frozen=True, slots=True)
class Grid:
    """What is compared: methods as typed, how many seeds, the settings that all runs share, and questions."""

    labels: tuple[str, ...]
    seeds: int
    settings: Settings
    asked: tuple[Question, ...] = ()

    def cells(self, cells: Iterable[Cell]) -> list[Cell]:
        """The runs that belong to this grid; the folder may hold those of a larger one."""
        return [cell for cell in cells if cell.label in self.labels and cell.seed < self.seeds]

    @property
    def measure(self) -> Measure:
        """What all its runs are measured by."""
        return measure_of(self.settings.data, self.settings.model)

    @property
    def title(self) -> str:
        """What is compared, in one line."""
        settings = self.settings
        named = {
            _WRONG[find(settings.data).goal]: settings.noise,
            "long tail": settings.imbalance,
            "corrupted": settings.corrupt,
        }
        changes = "".join(f", {name} {change}" for name, change in named.items() if change is not None)
        return f"{settings.data}{changes}, {settings.model}, {settings.epochs} epochs"


@dataclass(frozen=True, slots=True)
class GridFolder:
    """A folder that keeps a comparison."""

    path: Path

    def begin(self, entrants: Sequence[Entrant], grid: Grid) -> None:
        """Write what is compared; a folder that is gone on with keeps the methods that ran in it before."""
        known = (self.path / "compare.json").exists()
        methods = dict(self._methods(self._note())) if known else {}
        note = {
            "methods": methods | {entrant.label: entrant.text for entrant in entrants},
            "seeds": grid.seeds,
            "settings": to_json(grid.settings),
            "evaluate": ", ".join(map(str, grid.asked)),
            "versions": versions(),
            "commit": commit(),
        }
        with writing(self.path):
            (self.path / "compare.json").write_text(json.dumps(note, indent=2) + "\n")
            (self.path / "runs.jsonl").touch()

    def claim(self) -> None:
        """Make the folder ready for a new comparison."""
        with writing(self.path):
            claim(self.path, "compare.json")

    def origin(self) -> Grid:
        """What was compared here."""
        note = self._note()
        try:
            settings = from_json(cast("Mapping[str, Plain]", note["settings"]))
            text = str(note.get("evaluate", ""))  # what was begun before there were questions asks none
            asked = questions(text, "--evaluate") if text else ()
            return Grid(tuple(self._methods(note)), int(str(note["seeds"])), settings, asked)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._unreadable(error)

    def refuse_changes(self, entrants: Sequence[Entrant]) -> None:
        """T508 if a method that ran here has another specification now."""
        before = self._methods(self._note())
        for entrant in entrants:
            old = before.get(entrant.label, entrant.text)
            refuse_change(old, entrant.text, entrant.label, f"the specification of `{entrant.label}`")

    def add(self, cell: Cell) -> None:
        """Keep a finished run."""
        with writing(self.path), (self.path / "runs.jsonl").open("a") as file:
            file.write(json.dumps(asdict(cell)) + "\n")

    def cells(self) -> list[Cell]:
        """The finished runs; a last line that was cut off by a kill is left out."""
        lines = (self.path / "runs.jsonl").read_text().split("\n")[:-1]
        try:
            return [Cell(**json.loads(line)) for line in lines]
        except (ValueError, TypeError) as error:
            self._unreadable(error)

    def write(self, name: str, text: str) -> None:
        """Write one of the tables."""
        with writing(self.path):
            (self.path / name).write_text(text)

    def _note(self) -> Mapping[str, object]:
        try:
            return cast("Mapping[str, object]", json.loads((self.path / "compare.json").read_text()))
        except (OSError, ValueError) as error:
            self._unreadable(error)

    @staticmethod
    def _methods(note: Mapping[str, object]) -> Mapping[str, str]:
        return cast("Mapping[str, str]", note["methods"])

    def _unreadable(self, error: Exception) -> NoReturn:
        fail("T507", f"`{self.path}` holds no comparison that can be read: {error}", help="start a new one")
