"""The folder of a search: what is searched, the trials, and the winner as a file of its own."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import cast

from taxo.catalog import library_for, load, whole
from taxo.language.errors import fail
from taxo.training.domains import Domain
from taxo.training.folder import claim, commit, refuse_change, versions, writing
from taxo.training.settings import Plain, Settings, from_json, to_json
from taxo.training.studies import Frozen, Search
from taxo.variants import variant


@dataclass(frozen=True, slots=True)
class Quest:
    """What is searched: a method as typed, the settings of its runs, how many seeds, how many trials."""

    typed: str
    settings: Settings
    seeds: int
    trials: int

    @property
    def text(self) -> str:
        """The whole specification, with what it uses."""
        return str(whole(load(self.typed)))


@dataclass(frozen=True, slots=True)
class TuneFolder:
    """A folder that keeps a search."""

    path: Path

    def begin(self, quest: Quest, domains: Sequence[Domain], storage: str) -> None:
        """Write what is searched."""
        note = {
            "method": quest.typed,
            "text": quest.text,
            "settings": to_json(quest.settings),
            "seeds": quest.seeds,
            "trials": quest.trials,
            "domains": {domain.name: str(domain) for domain in domains},
            "storage": storage,
            "versions": versions("optuna"),
            "commit": commit(),
        }
        self.write("tune.json", json.dumps(note, indent=2) + "\n")

    def claim(self) -> None:
        """Make the folder ready for a new search."""
        with writing(self.path):
            claim(self.path, "tune.json")

    def origin(self) -> tuple[Quest, str]:
        """What was searched here, and where its trials are kept; T508 if the method is another now."""
        try:
            note = cast("Mapping[str, object]", json.loads((self.path / "tune.json").read_text()))
            settings = from_json(cast("Mapping[str, Plain]", note["settings"]))
            quest = Quest(str(note["method"]), settings, int(str(note["seeds"])), int(str(note["trials"])))
            before, storage = str(note["text"]), str(note["storage"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            fail("T507", f"`{self.path}` holds no search that can be read: {error}", help="start a new one")
        refuse_change(before, quest.text, quest.typed, f"the specification of `{quest.typed}`")
        return quest, storage

    def write(self, name: str, text: str) -> None:
        """Write a file of the folder."""
        with writing(self.path):
            (self.path / name).write_text(text, encoding="utf-8")

    def keep(self, quest: Quest, search: Search) -> Path:
        """Write the trials, and the winner as a specification; where that is."""
        self.write("trials.csv", trials_csv(search))
        winner = search.study.best_trial
        method = load(quest.typed)
        given = dict(quest.settings.params) | search.values(winner)
        file = f"{method.name}.taxo"
        self.write(file, f"{provenance(quest, search)}{variant(method, given, library_for(method))}")
        return self.path / file


def provenance(quest: Quest, search: Search) -> str:
    """Where the winner's values come from, as comments."""
    winner, settings = search.study.best_trial, to_json(quest.settings)
    said = ", ".join(f"{name} {settings[name]}" for name in _TOLD if settings[name] is not None)
    found = ", ".join(f"{name} = {text}" for name, text in search.values(winner).items())
    over = f"{quest.seeds} seeds" if quest.seeds > 1 else f"seed {settings['seed']}"
    ended = len(search.done()) + len(search.pruned())
    return (
        f"# `{quest.typed}`, tuned by `taxo tune`: trial {winner.number + 1} of {ended}.\n"
        f"# {found}: {winner.value:.6g} on the validation samples, mean of the best epoch over {over}.\n"
        f"# {said}.\n\n"
    )


_TOLD = ("data", "noise", "imbalance", "corrupt", "validation", "model", "epochs", "batch_size", "lr")


def trials_csv(search: Search) -> str:
    """Every trial that is over: what it set, and what it reached; `pruned` ones reached nothing."""
    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [domain.name for domain in search.domains]
    writer.writerow(["trial", "state", "validation", "test", *names])
    told: list[tuple[Frozen, str]] = [(trial, "done") for trial in search.done()]
    told += [(trial, "pruned") for trial in search.pruned()]
    for trial, state in sorted(told, key=lambda pair: pair[0].number):
        values = search.values(trial)
        value = trial.value if state == "done" else ""
        test = trial.user_attrs.get("test", "")
        writer.writerow([trial.number + 1, state, value, test, *(values.get(name, "") for name in names)])
    return text.getvalue()
