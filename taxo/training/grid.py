"""The folder of a comparison: what is compared, and the runs that are done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NoReturn, cast

from taxo.language.errors import fail
from taxo.training.datasets import find
from taxo.training.folder import (
    claim,
    commit,
    lasting,
    refuse_change,
    refuse_difference,
    versions,
    writing,
)
from taxo.training.measures import Measure, measure_of
from taxo.training.questions import Question, questions
from taxo.training.settings import Plain, Settings, change, from_json, to_json
from taxo.training.summary import Cell
from taxo.training.words import counted


@dataclass(frozen=True, slots=True)
class Entrant:
    """A method as the user typed it, its canonical text and its passes."""

    label: str
    text: str
    cost: str


@dataclass(frozen=True, slots=True)
class Swept:
    """A variant that a sweep made: of which method as typed, and the values it was given."""

    label: str
    method: str
    values: tuple[tuple[str, str], ...]


Key = tuple[int, str, str]  # the seed, the level of noise, and the method as typed
_WRONG = {"classes": "wrong labels", "targets": "gross errors", "points": "stray points"}


@dataclass(frozen=True, slots=True)
class Grid:
    """What is compared: methods as typed, how many seeds, the settings that all runs share, and questions.

    `noises` are the levels that each of them runs at, as words; `swept` are methods that a sweep made.
    """

    labels: tuple[str, ...]
    seeds: int
    settings: Settings
    asked: tuple[Question, ...] = ()
    noises: tuple[str, ...] = ("none",)
    swept: tuple[Swept, ...] = ()

    def runs(self) -> list[Key]:
        """Every run, seed by seed so that a stop leaves pairs."""
        levels = [(seed, noise) for seed in range(self.seeds) for noise in self.noises]
        return [(seed, noise, label) for seed, noise in levels for label in self.labels]

    def cells(self, cells: Iterable[Cell]) -> list[Cell]:
        """The runs that belong to this grid, each once; the folder may hold those of a larger one."""
        found = {(cell.seed, cell.noise, cell.label): cell for cell in cells}
        return [found[key] for key in self.runs() if key in found]

    def at(self, noise: str, seed: int = 0) -> Settings:
        """The settings of the runs at one level of noise."""
        return replace(change(self.settings, {"noise": noise}), seed=seed)

    def asked_for(self) -> dict[str, object]:
        """All that its runs and its table depend on, as plain values."""
        return {
            "methods": list(self.labels),
            "seeds": self.seeds,
            "noise": list(self.noises),
            "evaluate": [str(question) for question in self.asked],
            **{name: value for name, value in lasting(self.settings).items() if name != "noise"},
        }

    @property
    def measure(self) -> Measure:
        """What all its runs are measured by."""
        return measure_of(self.settings.data, self.settings.model)

    def title_at(self, noise: str) -> str:
        """What is compared at one level of noise, in one line."""
        settings = self.settings
        named = {
            _WRONG[find(settings.data).goal]: None if noise == "none" else noise,
            "long tail": settings.imbalance,
            "corrupted": settings.corrupt,
        }
        changes = "".join(f", {name} {change}" for name, change in named.items() if change is not None)
        return f"{settings.data}{changes}, {settings.model}, {counted(settings.epochs, 'epoch')}"


@dataclass(frozen=True, slots=True)
class GridFolder:
    """A folder that keeps a comparison; several workers share it if each has a name of its own."""

    path: Path
    worker: str = ""

    def begin(self, entrants: Sequence[Entrant], grid: Grid) -> None:
        """Write what is compared; a folder that is gone on with keeps the methods that ran in it before."""
        known = (self.path / "compare.json").exists()
        self.write("compare.json", _note(entrants, grid, self._methods(self._note()) if known else {}))

    def join(self, entrants: Sequence[Entrant], grid: Grid) -> None:
        """Begin, or go on with what another worker began; T508 if that is another comparison."""
        self.first("compare.json", _note(entrants, grid))
        said = f"`{self.path}` is the folder of another comparison"
        help = "give the same command as the other workers, or another `--storage`"
        before, now = (json.dumps(one.asked_for(), indent=2) for one in (self.origin(), grid))
        refuse_difference(before, now, str(self.path / "compare.json"), said, help)
        self.refuse_changes(entrants)

    def first(self, name: str, text: str) -> None:
        """Write a file unless it is there; of several workers at the same moment one alone does it."""
        side = self.path / f"{name}{self.worker}.new"
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            side.write_text(text, encoding="utf-8")
            with suppress(FileExistsError):
                _link(side, self.path / name)
            side.unlink()

    def claim(self) -> None:
        """Make the folder ready for a new comparison."""
        with writing(self.path):
            claim(self.path, "compare.json")

    def origin(self) -> Grid:
        """What was compared here."""
        note = self._note()
        try:
            settings = from_json(cast("Mapping[str, Plain]", note["settings"]))
            text = str(note["evaluate"])
            asked = questions(text, "--evaluate") if text else ()
            noises = [str(noise) for noise in cast("Sequence[object]", note["noises"])]
            swept = [_swept(one) for one in cast("Sequence[Mapping[str, object]]", note["swept"])]
            labels, seeds = tuple(self._methods(note)), int(str(note["seeds"]))
            return Grid(labels, seeds, settings, asked, tuple(noises), tuple(swept))
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
        with writing(self.path), (self.path / f"runs{self.worker}.jsonl").open("a") as file:
            file.write(json.dumps(asdict(cell)) + "\n")

    def cells(self) -> list[Cell]:
        """The finished runs of all workers; a last line that was cut off by a kill is left out."""
        texts = [path.read_text() for path in sorted(self.path.glob("runs*.jsonl"))]
        try:
            return [Cell(**json.loads(line)) for text in texts for line in text.split("\n")[:-1]]
        except (ValueError, TypeError) as error:
            self._unreadable(error)

    def write(self, name: str, text: str) -> None:
        """Write a file so that a reader finds the old one or the new one."""
        side = self.path / f"{name}{self.worker}.new"
        with writing(self.path):
            side.write_text(text, encoding="utf-8")
            side.replace(self.path / name)

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


def _link(side: Path, file: Path) -> None:
    """Give a file its second name, which must be new; where none can have two, a copy."""
    try:
        file.hardlink_to(side)
    except FileExistsError:
        raise
    except OSError:
        with file.open("xb") as copy:
            copy.write(side.read_bytes())


def _note(entrants: Sequence[Entrant], grid: Grid, before: Mapping[str, str] | None = None) -> str:
    """What `compare.json` says: what is compared, beside the methods that ran before, and by what."""
    note = {
        "methods": {**(before or {}), **{entrant.label: entrant.text for entrant in entrants}},
        "seeds": grid.seeds,
        "settings": to_json(grid.settings),
        "evaluate": ", ".join(map(str, grid.asked)),
        "noises": list(grid.noises),
        "swept": [asdict(one) for one in grid.swept],
        "versions": versions(),
        "commit": commit(),
    }
    return json.dumps(note, indent=2) + "\n"


def _swept(plain: Mapping[str, object]) -> Swept:
    pairs = cast("Sequence[tuple[str, str]]", plain["values"])
    return Swept(str(plain["label"]), str(plain["method"]), tuple((name, text) for name, text in pairs))
