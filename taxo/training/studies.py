"""The door to Optuna, which keeps the trials of a search and proposes the next: what taxo needs of it.

Optuna is an extra, so it is imported when a search begins, and its types are written out here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from taxo.language.errors import TaxoError, fail
from taxo.training.domains import Domain, shown

WARM_UP = 5  # trials before any is pruned


class Frozen(Protocol):
    """A trial that is over."""

    number: int
    value: float | None
    params: Mapping[str, str | float]
    user_attrs: Mapping[str, object]


class Trial(Protocol):
    """A trial that runs."""

    number: int

    def suggest_categorical(self, name: str, choices: Sequence[str]) -> str:
        """One of some texts."""
        ...

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """A number between two."""
        ...

    def report(self, value: float, step: int) -> None:
        """How well it does so far."""
        ...

    def should_prune(self) -> bool:
        """Whether it does worse than others did at this step."""
        ...

    def set_user_attr(self, key: str, value: object) -> None:
        """Keep something beside the value."""
        ...


class Study(Protocol):
    """The trials of one search."""

    best_trial: Frozen

    def ask(self) -> Trial:
        """A new trial."""
        ...

    def tell(self, trial: Trial, values: float | None = None, state: object = None) -> None:
        """End a trial."""
        ...

    def enqueue_trial(self, params: Mapping[str, str | float]) -> None:
        """What the next trial tries."""
        ...

    def get_trials(self, deepcopy: bool, states: Sequence[object] | None = None) -> Sequence[Frozen]:
        """Its trials, perhaps only those in some states."""
        ...


class Search:
    """A study whose trials set the parameters of a method."""

    def __init__(self, study: Study, states: Mapping[str, object], domains: Sequence[Domain]) -> None:
        self.study, self.states, self.domains = study, states, domains

    def begin(self) -> tuple[Trial, dict[str, str]]:
        """A new trial and its values, as texts; the very first tries the values as they stand."""
        if not self.study.get_trials(deepcopy=False):
            self.study.enqueue_trial(self._present())
        trial = self.study.ask()
        return trial, {domain.name: _suggested(trial, domain) for domain in self.domains}

    def end(self, trial: Trial, value: float) -> None:
        """A trial that ran to its end."""
        self.study.tell(trial, value)

    def repeat(self, trial: Trial, same: Frozen) -> None:
        """A trial of values that were tried: runs of one seed are the same."""
        trial.set_user_attr("test", same.user_attrs.get("test"))
        self.study.tell(trial, same.value)

    def prune(self, trial: Trial) -> None:
        """A trial that was stopped because it did badly."""
        self.study.tell(trial, state=self.states["PRUNED"])

    def give_up(self, trial: Trial) -> None:
        """A trial that was interrupted: it does not count."""
        self.study.tell(trial, state=self.states["FAIL"])

    def done(self) -> Sequence[Frozen]:
        """The trials that ran to their end."""
        return self.study.get_trials(deepcopy=False, states=[self.states["COMPLETE"]])

    def pruned(self) -> Sequence[Frozen]:
        """The trials that were stopped."""
        return self.study.get_trials(deepcopy=False, states=[self.states["PRUNED"]])

    def values(self, trial: Frozen) -> dict[str, str]:
        """What a trial set, as texts."""
        return {
            name: value if isinstance(value, str) else shown(value) for name, value in trial.params.items()
        }

    def _present(self) -> dict[str, str | float]:
        """The values as they stand, of those parameters whose domain holds them."""
        found: dict[str, str | float] = {}
        for domain in self.domains:
            if domain.choices:
                if domain.default in domain.choices:
                    found[domain.name] = domain.default
                continue
            try:
                value = float(domain.default)
            except ValueError:
                continue  # an expression: the sampler begins somewhere else
            if domain.low <= value <= domain.high:
                found[domain.name] = value
        return found


def open_search(place: str, name: str, seed: int, epochs: int, domains: Sequence[Domain]) -> Search:
    """The study of that name in a journal file or a database, a new one if there is none."""
    _call("logging.set_verbosity", _WARNING)
    study = _opened(
        place,
        "create_study",
        study_name=name,
        direction="maximize",
        load_if_exists=True,
        sampler=_call("samplers.TPESampler", seed=seed),
        pruner=_call("pruners.MedianPruner", n_startup_trials=WARM_UP, n_warmup_steps=epochs // 5),
    )
    states = {state: _part(f"trial.TrialState.{state}") for state in ("COMPLETE", "PRUNED", "FAIL")}
    return Search(cast("Study", study), states, domains)


def trials_in(place: str, name: str) -> int:
    """How many trials a study has, before one joins it."""
    if name not in cast("list[str]", _opened(place, "get_all_study_names")):
        return 0
    study = cast("Study", _opened(place, "load_study", study_name=name))
    return len(study.get_trials(deepcopy=False))


_WARNING = 30  # the standard library's level: what Optuna tells of every trial is told here already


def _opened(place: str, path: str, **options: object) -> object:
    """What a part of Optuna makes of a storage; T503 where that cannot be opened."""
    try:
        return _call(path, storage=_storage(place), **options)
    except TaxoError:
        raise
    except Exception as error:  # each database, and the lack of its driver, has exceptions of its own
        lines = str(error).splitlines() or [type(error).__name__]
        help = "a journal file, or a database such as `sqlite:///trials.db`"
        fail("T503", f"`--storage {place}` cannot be opened: {lines[0]}", help=help)


def _storage(place: str) -> object:
    if "://" in place:
        return place
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    return _call("storages.JournalStorage", _call("storages.journal.JournalFileBackend", place))


def _suggested(trial: Trial, domain: Domain) -> str:
    if domain.choices:
        return trial.suggest_categorical(domain.name, domain.choices)
    return shown(trial.suggest_float(domain.name, domain.low, domain.high, log=domain.log))


def _call(path: str, *arguments: object, **options: object) -> object:
    return cast("Callable[..., object]", _part(path))(*arguments, **options)


def _part(path: str) -> object:
    """A part of Optuna by its path."""
    try:
        found: object = import_module("optuna")
    except ModuleNotFoundError:
        message = "`taxo tune` needs the package `optuna`, which is not installed"
        fail("T501", message, help="pip install 'taxo[tune]'")
    for name in path.split("."):
        found = getattr(found, name)
    return found
