"""The run folder: what ran, with what, how it went, and where it stopped."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import unified_diff
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import cast
from uuid import uuid4

from taxo.catalog import parse
from taxo.language.errors import fail
from taxo.runtime.step import Step
from taxo.training import checkpoint, events
from taxo.training.checkpoint import Checkpoint
from taxo.training.device import describe
from taxo.training.inspection import meters
from taxo.training.loaders import DATA_PACKAGES
from taxo.training.loop import Recorder
from taxo.training.metrics import EpochMetrics
from taxo.training.ranks import wait, writes
from taxo.training.run import Run, prepare, restore
from taxo.training.settings import Plain, Settings, change, from_json, to_json
from taxo.variants import split_reference, split_values

RUNS = Path("runs")
WHERE = ("device", "data_root", "workers", "cuda_graph")


@dataclass(frozen=True, slots=True)
class Origin:
    """What `run.json` says that a resumed run needs: the method as typed, the settings, the run's name."""

    method: str
    settings: Settings
    run: str


class RunFolder(Recorder):
    """A folder that keeps one run; of several processes one writes it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def watched(self, run: Run, metrics: EpochMetrics) -> EpochMetrics:
        """The metrics with the meters of one batch that is the same at all epochs, the direction's too."""
        return replace(metrics, meters=meters(run))

    def record(self, metrics: EpochMetrics) -> None:
        """Append the epoch to `metrics.jsonl`, and to what TensorBoard reads."""
        if not writes():
            return
        with writing(self.path):
            with (self.path / "metrics.jsonl").open("a") as file:
                file.write(metrics.to_line() + "\n")
            with (self.path / events.FILE).open("ab") as file:
                file.write(events.event(metrics))

    def save(self, state: Checkpoint) -> None:
        """Replace `last/`."""
        if not writes():
            return
        with writing(self.path):
            checkpoint.save(self.path / "last", replace(state, run=self.origin().run))

    def mark_best(self) -> None:
        """Replace `best/` by `last/`."""
        if not writes():
            return
        with writing(self.path):
            checkpoint.copy(self.path / "last", self.path / "best")

    def checkpoint(self, name: str) -> Checkpoint:
        """Its `last/` or `best/`; T507 for one that another run wrote."""
        state, own = checkpoint.load(self.path / name), self.origin().run
        if state.run != own:
            message = f"the checkpoint `{self.path / name}` is of another run"
            fail("T507", message, help="put its own back, or start a new run from it: `--init`")
        return state

    def origin(self) -> Origin:
        """What was run here."""
        try:
            note = cast("Mapping[str, object]", json.loads((self.path / "run.json").read_text()))
            settings = from_json(cast("Mapping[str, Plain]", note["settings"]))
            return Origin(str(note["method"]), settings, str(note.get("run", "")))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            fail("T507", f"`{self.path}` holds no run that can be read: {error}", help="give a run folder")


def create(path: Path, typed: str, run: Run) -> RunFolder:
    """A new run folder that says what is about to run."""
    note = {
        "run": uuid4().hex,
        "method": typed,
        "name": str(run.step.method.name),
        "cost": run.step.plan.cost,
        "settings": to_json(run.settings),
        "device": describe(run.losses.device),
        "versions": versions(),
        "commit": commit(),
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
    }
    if not writes():
        return RunFolder(path)
    with writing(path):
        claim(path, "run.json")
        (path / "method.taxo").write_text(f"{run.step.method}")
        (path / "program.py").write_text(run.step.source)
        (path / "metrics.jsonl").write_text("")
        (path / events.FILE).write_bytes(events.head())
        (path / "run.json").write_text(json.dumps(note, indent=2) + "\n")
    return RunFolder(path)


def resume(folder: RunFolder, run: Run) -> list[EpochMetrics]:
    """Take the run back to where the folder's run stopped; the metrics up to there."""
    same_method(folder.path / "method.taxo", run.step)
    if run.step.method.uses():  # a method that it uses may have changed
        program = folder.path / "program.py"
        refuse_change(_read(program), run.step.source, str(program), "the program")
    restore(run, folder.checkpoint("last"))
    file = folder.path / "metrics.jsonl"
    history = _history(file, run.position.epoch + run.position.measured)
    # a run that was killed between measuring and saving has a line too many: that epoch is run again
    wait()  # until every process has read it
    if writes():
        with writing(folder.path):
            checkpoint.replace_text(file, "".join(metrics.to_line() + "\n" for metrics in history))
            (folder.path / events.FILE).write_bytes(events.head() + b"".join(map(events.event, history)))
    return history


def trained(folder: RunFolder, weights: str, device: str | None = None) -> Run:
    """The folder's run as it was at one of its checkpoints, by the specification that it ran."""
    origin, file = folder.origin(), folder.path / "method.taxo"
    where = {"cuda_graph": "off"} if device is None else {"cuda_graph": "off", "device": device}
    settings = change(origin.settings, where)
    place = Path(split_values(split_reference(origin.method)[0])[0])
    # what it uses lies beside the file that was typed, and may have changed
    beside = place.resolve().parent if place.suffix == ".taxo" else None
    run = prepare(parse(_read(file), str(file), beside), settings, begun=True)
    if run.step.method.uses():
        program = folder.path / "program.py"
        refuse_change(_read(program), run.step.source, str(program), "the program")
    restore(run, folder.checkpoint(weights))
    if run.average is not None:
        run.average.put()
    return run


def _history(file: Path, epochs: int) -> list[EpochMetrics]:
    try:
        history = [EpochMetrics.from_line(line) for line in file.read_text().splitlines()[:epochs]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        fail("T507", f"`{file}` cannot be read: {error}", help="start a new run")
    if [metrics.epoch for metrics in history] != list(range(epochs)):
        fail("T507", f"`{file}` has not every epoch of the {epochs} that are done", help="start a new run")
    return history


def same_method(file: Path, step: Step) -> None:
    """Refuse, with a diff, to go on with another specification than the one in `file`."""
    refuse_change(_read(file), str(step.method), str(file), "the specification")


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError as error:
        fail("T507", f"`{file}` cannot be read: {error}", help="start a new run")


def refuse_change(before: str, now: str, file: str, what: str) -> None:
    """T508 with a diff if two texts differ."""
    said = f"{what} has changed since the run began"
    refuse_difference(before, now, file, said, "undo the change, or start a new run")


def refuse_difference(before: str, now: str, file: str, said: str, help: str) -> None:
    """T508 that says what is wrong, with a diff, if two texts differ."""
    if before == now:
        return
    diff = "\n".join(unified_diff(before.splitlines(), now.splitlines(), file, "now", lineterm="", n=1))
    fail("T508", f"{said}\n{diff}", help=help)


def refuse_setting(before: Settings, now: Settings, file: Path) -> None:
    """T508 if settings differ in more than where a run finds and computes things."""
    texts = [json.dumps(lasting(settings), indent=2) for settings in (before, now)]
    refuse_change(texts[0], texts[1], str(file), "a setting")


def lasting(settings: Settings) -> dict[str, Plain]:
    """The settings that must stay as they are, as plain values."""
    return {name: None if name in WHERE else value for name, value in to_json(settings).items()}


def print_facts(facts: Mapping[str, Plain]) -> None:
    """One line per fact, for `--dry-run`."""
    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):{width}}{_said(value)}")


def _said(value: Plain) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}={said}" for name, said in value.items()) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None else str(value)


def default_path(name: str) -> Path:
    """`runs/<time>-<name>`, with a number if two runs begin in one second."""
    stem = f"{datetime.now():%Y%m%d-%H%M%S}-{name}"
    number = 1
    while (RUNS / (stem if number == 1 else f"{stem}-{number}")).exists():
        number += 1
    return RUNS / (stem if number == 1 else f"{stem}-{number}")


def latest(file: str) -> Path:
    """The folder under `runs/` whose `file` is the newest."""
    found = sorted(RUNS.glob(f"*/{file}"), key=lambda path: (path.stat().st_mtime_ns, path))
    if not found:
        fail("T507", "no run to go on with in `runs/`", help="give its folder: `--resume DIR`")
    return RUNS / found[-1].relative_to(RUNS).parts[0]


def claim(path: Path, file: str) -> None:
    """Make a folder ready for a new run; a folder that already holds one is left alone."""
    if (path / file).exists():
        fail(
            "T506",
            f"`{path}` already holds a run",
            help=f"`--resume {path}` goes on with it, or choose another",
        )
    path.mkdir(parents=True, exist_ok=True)


@contextmanager
def writing(path: Path) -> Generator[None]:
    """Turn the system's refusal to write into a message that names the folder."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "choose another folder with `--output DIR`"
        if (path / "last" / "state.json").exists():
            hint = f"mend that, then go on from the last checkpoint by `--resume {path}`"
        fail("T506", f"`{path}` cannot be written: {reason.lower()}", help=hint)


def versions(*more: str) -> dict[str, str]:
    """The versions of what the numbers depend on."""
    found = {"python": platform.python_version()}
    for package in ("taxo", "torch", "numpy", "scikit-learn", "safetensors", *DATA_PACKAGES, *more):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def commit() -> str | None:
    """The git commit of the working folder, if it is in a repository."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
