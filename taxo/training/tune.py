"""`taxo tune`: the values of a method's parameters that do best on the validation samples."""

from __future__ import annotations

import json
import os
import shlex
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from statistics import fmean
from zlib import crc32

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from taxo.catalog import load as load_method
from taxo.language.errors import TaxoError, fail
from taxo.training import folder, seeds, words
from taxo.training.device import tuned
from taxo.training.domains import Domain, domains
from taxo.training.interrupt import Interrupted, StopRequest
from taxo.training.loop import Recorder, fit
from taxo.training.metrics import EpochMetrics, best
from taxo.training.options import given_words, settings_from
from taxo.training.progress import bar
from taxo.training.ranks import refuse_several
from taxo.training.run import prepare
from taxo.training.settings import Plain, change, to_json, with_params
from taxo.training.studies import Search, Trial, open_search, trials_in
from taxo.training.table import piped
from taxo.training.tune_folder import Quest, TuneFolder

DEFAULT_TRIALS, DEFAULT_SEEDS = 30, 1
SHOWN = 8


class Pruned(Exception):
    """The trial does worse than others did at this point."""


class Scout:
    """Watches a run for the search: tells it each epoch's validation, and stops a run that does badly."""

    def __init__(self, trial: Trial | None, progress: Progress, task: TaskID) -> None:
        self.trial, self.progress, self.task = trial, progress, task

    def batch(self) -> None:
        """Wait for the epoch's end."""

    def epoch(self, metrics: EpochMetrics) -> None:
        """Tell the epoch's validation."""
        self.progress.update(self.task, advance=1)
        if self.trial is None or metrics.validation_accuracy is None:
            return
        self.trial.report(metrics.validation_accuracy, metrics.epoch)
        if self.trial.should_prune():
            raise Pruned


def tune(namespace: Namespace) -> int:
    """Search; 0 when done, 130 when interrupted (finished trials are kept)."""
    refuse_several("taxo tune")
    console = Console(stderr=bool(namespace.json), soft_wrap=True)
    kept = _kept(namespace)
    quest, storage = _asked(namespace, kept)
    found = domains(quest.typed, [name for name, _ in quest.settings.params])
    with tuned(quest.settings):
        prepare(quest.typed, quest.settings)  # a mistake shows before anything is written
        if namespace.dry_run:
            _show(quest, found, bool(namespace.json))
            return 0
        place = kept or TuneFolder(_path(namespace, quest))
        if kept is None:
            place.claim()
        storage = storage or str(place.path / "study.journal")
        search = _search(quest, found, storage, shared=namespace.storage is not None)
        place.begin(quest, found, storage)
        whole = _run(quest, search, place, console, bool(namespace.quiet))
    if not whole:
        command = f"taxo tune --resume {shlex.quote(str(place.path))}"
        console.print(f"the finished trials are saved; go on with: {command}", highlight=False, markup=False)
        return 130
    _report(quest, search, place, bool(namespace.json))
    return 0


def _kept(namespace: Namespace) -> TuneFolder | None:
    if namespace.resume is None:
        return None
    return TuneFolder(Path(namespace.resume or namespace.output or folder.latest("tune.json")))


def _asked(namespace: Namespace, kept: TuneFolder | None) -> tuple[Quest, str | None]:
    trials = None if namespace.trials is None else words.whole(str(namespace.trials), "--trials", 1)
    count = None if namespace.seeds is None else words.whole(str(namespace.seeds), "--seeds", 1)
    if kept is None:
        if namespace.method is None:
            fail("T503", "`taxo tune` needs a method", help="`taxo list` shows them")
        settings = settings_from(namespace)
        if settings.validation <= 0:
            fail("T503", "`taxo tune` chooses by the validation samples", help="leave out `--validation 0`")
        quest = Quest(str(namespace.method), settings, count or DEFAULT_SEEDS, trials or DEFAULT_TRIALS)
        return quest, None if namespace.storage is None else str(namespace.storage)
    origin, storage = kept.origin()
    asked = with_params(change(origin.settings, given_words(namespace)), list(namespace.assignments))
    folder.refuse_setting(origin.settings, asked, kept.path / "tune.json")
    before, now = (f"{one} seeds" for one in (origin.seeds, count or origin.seeds))
    folder.refuse_change(before, now, str(kept.path / "tune.json"), "a setting")
    return replace(origin, settings=asked, trials=trials or origin.trials), storage


def _path(namespace: Namespace, quest: Quest) -> Path:
    name = f"tune-{load_method(quest.typed).name}"
    return Path(namespace.output) if namespace.output else folder.default_path(name)


def _search(quest: Quest, found: list[Domain], storage: str, shared: bool) -> Search:
    """The study of this quest: the same one for the same method, settings and seeds, wherever it is asked."""
    plain = to_json(quest.settings) | {"device": None}
    purpose = json.dumps([quest.text, plain, quest.seeds, [str(domain) for domain in found]], sort_keys=True)
    name = f"{load_method(quest.typed).name} {crc32(purpose.encode()):08x}"
    # trials that are there, and workers that share a storage, must not propose the same values again
    drawn = f"trials after {trials_in(storage, name)}" + (f" of {os.getpid()}" if shared else "")
    return open_search(storage, name, seeds.number(quest.settings.seed, drawn), quest.settings.epochs, found)


def _run(quest: Quest, search: Search, place: TuneFolder, console: Console, quiet: bool) -> bool:
    """Trials until there are enough; whether it got there."""
    display = bar(console, hidden=quiet)
    total = quest.trials * quest.seeds * quest.settings.epochs
    task = display.add_task("", total=total, note="")
    try:
        with StopRequest() as stop, display:
            while len(search.done()) + len(search.pruned()) < quest.trials:
                trial, values = search.begin()
                said = ", ".join(f"{name} = {text}" for name, text in values.items())
                name = f"trial {trial.number + 1}  {said}"
                display.update(task, description=name)
                same = next((one for one in search.done() if search.values(one) == values), None)
                if same is not None:
                    search.repeat(trial, same)
                    result = f"as trial {same.number + 1}"
                else:
                    result = _tried(quest, search, trial, values, Scout(trial, display, task), stop)
                if search.done():
                    place.keep(quest, search)
                if display.disable and not quiet:
                    console.print(f"{name}: {result}", highlight=False, markup=False)
    except (Interrupted, KeyboardInterrupt):
        return False
    return True


def _tried(
    quest: Quest, search: Search, trial: Trial, values: dict[str, str], scout: Scout, stop: StopRequest
) -> str:
    """What came of a trial, in a few words."""
    reached: list[EpochMetrics] = []
    try:
        for number in range(quest.seeds):
            settings = replace(quest.settings, seed=quest.settings.seed + number)
            assignments = [f"{name}={text}" for name, text in values.items()]
            run = prepare(quest.typed, with_params(settings, assignments))
            # the first seed alone is judged on the way: the others would not be compared with their like
            watch = scout if number == 0 else Scout(None, scout.progress, scout.task)
            reached.append(best(fit(run, watch, stop, Recorder())))
    except Pruned:
        search.prune(trial)
        return "stopped, others did better by then"
    except TaxoError as error:
        search.prune(trial)
        return error.diagnostics[0].message
    except (Interrupted, KeyboardInterrupt):
        search.give_up(trial)
        raise
    value = fmean(metrics.validation_accuracy or 0.0 for metrics in reached)
    trial.set_user_attr("test", fmean(metrics.test_accuracy for metrics in reached))
    search.end(trial, value)
    return f"validation {value:.4g}"


def _show(quest: Quest, found: list[Domain], as_json: bool) -> None:
    facts: dict[str, Plain] = {"method": quest.typed, "trials": quest.trials, "runs each": quest.seeds}
    over = {domain.name: str(domain) for domain in found}
    if as_json:
        print(json.dumps(facts | {"over": over, "settings": to_json(quest.settings)}))
        return
    folder.print_facts(facts | {name: f"in {domain}" for name, domain in over.items()})
    folder.print_facts(to_json(quest.settings))


def _report(quest: Quest, search: Search, place: TuneFolder, as_json: bool) -> None:
    ranked = sorted(search.done(), key=lambda trial: trial.value or 0.0, reverse=True)
    if not ranked:
        fail("T601", f"no trial of `{quest.typed}` ran to its end", help="look at `trials.csv`, lower `--lr`")
    file = place.keep(quest, search)
    winner = ranked[0]
    if as_json:
        found = {"run": str(place.path), "winner": str(file), "values": search.values(winner)}
        print(json.dumps(found | {"validation": winner.value, "test": winner.user_attrs.get("test")}))
        return
    title = f"{quest.typed}: {len(ranked)} trials, {len(search.pruned())} stopped early"
    table = Table(title=escape(title), box=box.SIMPLE_HEAD, title_justify="left")
    for name in ("trial", "validation", *(domain.name for domain in search.domains)):
        table.add_column(name, justify="right", no_wrap=True)
    for trial in ranked[:SHOWN]:
        values = search.values(trial)
        cells = [values.get(domain.name, "") for domain in search.domains]
        table.add_row(str(trial.number + 1), f"{trial.value:.4f}", *cells)
    print(piped(table))
    print(f"written to {file}")
