"""`taxo train`: one run from a parsed command line to an exit code."""

from __future__ import annotations

import json
import shlex
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from taxo.language.errors import fail
from taxo.training import folder
from taxo.training.device import describe, tuned
from taxo.training.folder import RunFolder
from taxo.training.interrupt import Interrupted, StopRequest
from taxo.training.loop import fit
from taxo.training.measures import MEASURES
from taxo.training.metrics import EpochMetrics, best
from taxo.training.options import given_words, settings_from
from taxo.training.progress import Bar, Lines, Records, Reporter, Silent, bar
from taxo.training.ranks import joined, leave, refuse_other, writes
from taxo.training.run import Run, prepare, steps_left
from taxo.training.run_report import write_report
from taxo.training.settings import Plain, Settings, change, to_json, with_params
from taxo.training.words import counted


def train(namespace: Namespace) -> int:
    """Train one method; 0 when done, 130 when interrupted after saving."""
    console = Console(stderr=bool(namespace.json), soft_wrap=True)
    kept = _kept(namespace)
    typed, settings = _asked(namespace, kept)
    with joined(settings), tuned(settings):
        run = prepare(typed, settings, begun=kept is not None)
        refuse_other(run.step, settings)
        if namespace.dry_run:
            if writes():
                _show(run, typed, bool(namespace.json))
            return 0
        history = folder.resume(kept, run) if kept else []
        place = kept or folder.create(_path(namespace, run), typed, run)
        code = _train(run, place, history, console, namespace)
    return leave(code)


def _train(
    run: Run, place: RunFolder, history: Sequence[EpochMetrics], console: Console, namespace: Namespace
) -> int:
    quiet = bool(namespace.quiet) or not writes()
    display = bar(console, hidden=quiet)
    epochs = run.settings.epochs
    finished = run.position.epoch * len(run.losses) + run.position.batch
    total = finished + steps_left(run)
    task = display.add_task(str(run.step.method.name), total=total, completed=finished, note="")
    reporter: Reporter = Records(console) if namespace.json else Lines(console, epochs)
    if quiet or not display.disable:
        reporter = Silent() if quiet else Bar(display, task, lambda: steps_left(run))
    try:
        with StopRequest() as stop, display:
            done = fit(run, reporter, stop, place, history)
        write_report(place, str(namespace.method or place.origin().method), run, done)
    except (Interrupted, KeyboardInterrupt) as reason:
        saved = "saved" if isinstance(reason, Interrupted) else "stopped at once; the last checkpoint is kept"
        command = f"taxo train --resume {shlex.quote(str(place.path))}"
        if writes():
            console.print(f"{saved}; go on with: {command}", highlight=False, markup=False)
        return 130
    if writes():
        _report(done, place.path, namespace)
    return 0


def _kept(namespace: Namespace) -> RunFolder | None:
    if namespace.resume is None:
        return None
    return RunFolder(Path(namespace.resume or namespace.output or folder.latest("last/state.json")))


def _asked(namespace: Namespace, kept: RunFolder | None) -> tuple[str, Settings]:
    if kept is None:
        if namespace.method is None:
            fail("T503", "`taxo train` needs a method", help="`taxo list` shows them")
        return str(namespace.method), settings_from(namespace)
    origin = kept.origin()
    asked = with_params(change(origin.settings, given_words(namespace)), list(namespace.assignments))
    folder.refuse_setting(origin.settings, asked, kept.path / "run.json")
    return str(namespace.method or origin.method), asked


def _path(namespace: Namespace, run: Run) -> Path:
    return Path(namespace.output) if namespace.output else folder.default_path(str(run.step.method.name))


def _show(run: Run, typed: str, as_json: bool) -> None:
    facts: dict[str, Plain] = {
        "method": typed,
        "cost": run.step.plan.cost,
        **({"round": run.step.plan.round_cost} if run.step.plan.between else {}),
        "device": describe(run.losses.device),
        "samples": run.data.sizes,
        "steps": f"{len(run.losses)} per epoch",
        "weights": f"{sum(weight.numel() for weight in run.step.model.parameters()):,}",
    }
    if run.step.kept_bytes:
        facts["kept"] = f"{run.step.kept_bytes / 1e6:,.2f} MB of tables and states"
    settings = to_json(run.settings)
    if as_json:
        print(json.dumps(facts | {"settings": settings}))
        return
    folder.print_facts(facts | {name: value for name, value in settings.items() if name not in facts})


def _report(done: Sequence[EpochMetrics], path: Path, namespace: Namespace) -> None:
    final, chosen = done[-1], best(done)
    if namespace.json:
        names = ("epoch", "test_accuracy", "validation_accuracy", "train_accuracy")
        numbers = [{name: getattr(metrics, name) for name in names} for metrics in (final, chosen)]
        found = {"run": str(path), "measure": final.measure, "final": numbers[0], "best": numbers[1]}
        print(json.dumps(found))
        return
    measure = MEASURES[final.measure]
    test = f"test {measure.name}"
    print(f"{test} {measure.shown(final.test_accuracy)} after {counted(len(done), 'epoch')}")
    if final.validation_accuracy is not None:
        print(
            f"{test} {measure.shown(chosen.test_accuracy)} at the best validation, epoch {chosen.epoch + 1}"
        )
    print(f"run folder    {path}")
