"""`train`, `compare`, `tune` and `evaluate` as the command line adds them; no torch until one runs."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from taxo.language.errors import TaxoError, fail
from taxo.training.archives import ROOT
from taxo.training.configuration import configured
from taxo.training.options import (
    add_compare_options,
    add_data_options,
    add_evaluate_options,
    add_run_options,
    add_train_options,
    add_tune_options,
    given_words,
)

FAILED = 3
FAILING = ("T6", "T409")

_METHOD = "a shipped name, a path, or a variant such as 'NAME(eps: 0, pro: 45%%)'"

_QUESTION = (
    "accuracy, top(k: 5), classes, tail(share: 1/3), calibration(bins: 15), margins, "
    "attack(eps: 8/255, steps: 20, step: eps/4, restarts: 1), memorisation, "
    "flatness(directions: 10, rise: 0.1), or corruptions(kinds: native); the values are those it has "
    "when none are given (default: all)"
)

_TRAIN = """Train a model with one method.

  taxo train METHOD --noise pair:30%
  taxo train 'METHOD(lam: 0.175)' --epochs 50 --output runs/first
  taxo train --resume runs/first"""

_COMPARE = """Train methods on the same data, noise and initial weights, seed by seed, and compare them.
Differences are to the method named first.

  taxo compare plain METHOD 'METHOD(lam: 0.175)' --noise pair:30% --seeds 3
  taxo compare plain METHOD --noise none,pair:10%,pair:30% --sweep lam=0.1,0.2,0.4
  taxo compare --resume"""


_TUNE = """Search the domains of a method's parameters for the values that do best on the validation samples.
What METHOD or --set sets is left alone. The winner is written as a specification; the search is Optuna's.

  taxo tune METHOD --noise pair:30% --trials 50
  taxo tune METHOD --storage sqlite:///trials.db    # the same command on many machines
  taxo tune --resume"""

_EVALUATE = """Measure a trained run on its test samples: what it answers to each question.
Without questions, all that its data allow; `taxo compare --evaluate` puts the same ones.

  taxo evaluate runs/first
  taxo evaluate runs/first 'attack(eps: 8/255, steps: 50, restarts: 5)' tail
  taxo evaluate runs/first corruptions --baseline runs/plain"""

_DATA = """The data sets: what they are, whether they are on this machine, and how to get them.

  taxo data
  taxo data cifar10 --download"""


class Subparsers(Protocol):
    """What `ArgumentParser.add_subparsers` gives."""

    def add_parser(
        self, name: str, *, help: str, description: str, formatter_class: type[RawDescriptionHelpFormatter]
    ) -> ArgumentParser:
        """Add a command."""
        ...


def register(subparsers: Subparsers) -> None:
    """Add the commands; each sets `handler` to a function from the namespace to an exit code."""
    train = add_command(subparsers, "train", "train a model with one method", _TRAIN)
    train.add_argument("method", metavar="METHOD", nargs="?", help=_METHOD)
    add_run_options(train)
    add_train_options(train)
    train.set_defaults(handler=train_command)
    compare = add_command(subparsers, "compare", "compare methods over seeds", _COMPARE)
    compare.add_argument("methods", metavar="METHOD", nargs="*", help=_METHOD)
    add_run_options(compare)
    add_compare_options(compare)
    compare.set_defaults(handler=compare_command)
    tune = add_command(subparsers, "tune", "search a method's parameters", _TUNE)
    tune.add_argument("method", metavar="METHOD", nargs="?", help=_METHOD)
    add_run_options(tune)
    add_tune_options(tune)
    tune.set_defaults(handler=tune_command)
    evaluate = add_command(subparsers, "evaluate", "measure a trained run", _EVALUATE)
    evaluate.add_argument("run", metavar="RUN", help="a run folder")
    evaluate.add_argument("questions", metavar="QUESTION", nargs="*", help=_QUESTION)
    add_evaluate_options(evaluate)
    evaluate.set_defaults(handler=evaluate_command)
    data = add_command(subparsers, "data", "list the data sets, and get them", _DATA)
    data.add_argument("name", metavar="NAME", nargs="?", help="one data set, in full")
    add_data_options(data)
    data.set_defaults(handler=data_command)


def train_command(namespace: Namespace) -> int:
    """Run `taxo train`."""
    from taxo.training.train import train

    return _guarded(train, namespace)


def compare_command(namespace: Namespace) -> int:
    """Run `taxo compare`."""
    from taxo.training.compare import compare

    return _guarded(compare, namespace)


def tune_command(namespace: Namespace) -> int:
    """Run `taxo tune`."""
    from taxo.training.tune import tune

    return _guarded(tune, namespace)


def evaluate_command(namespace: Namespace) -> int:
    """Run `taxo evaluate`."""
    from taxo.training.evaluate import evaluate

    return _guarded(evaluate, namespace)


def data_command(namespace: Namespace) -> int:
    """Run `taxo data`."""
    from taxo.training.shelf import shelf

    return shelf(namespace)


def add_command(subparsers: Subparsers, name: str, help: str, description: str) -> ArgumentParser:
    """Add a command whose description keeps its lines."""
    return subparsers.add_parser(
        name, help=help, description=description, formatter_class=RawDescriptionHelpFormatter
    )


def _download(namespace: Namespace) -> None:
    """Get the data of a run before it begins."""
    from taxo.training.datasets import find
    from taxo.training.shelf import get

    words = given_words(namespace)
    get(find(words.get("data", "digits")), Path(words.get("data_root", ROOT)).expanduser())


def _guarded(command: Callable[[Namespace], int], namespace: Namespace) -> int:
    """Give a run that failed its own exit code; mistakes in specifications and settings go to the caller."""
    try:
        return _with_memory_message(command, namespace)
    except TaxoError as error:
        if not all(diagnostic.code.startswith(FAILING) for diagnostic in error.diagnostics):
            raise
        print(error, file=sys.stderr)
        return FAILED


def _with_memory_message(command: Callable[[Namespace], int], namespace: Namespace) -> int:
    try:
        namespace = configured(namespace)
        if getattr(namespace, "download", False):
            _download(namespace)
        return command(namespace)
    except (MemoryError, RuntimeError) as error:
        # torch says it in three ways: its own class on a GPU, and two wordings of RuntimeError on a CPU
        if not isinstance(error, MemoryError) and not any(word in str(error) for word in _OUT_OF_MEMORY):
            raise
        fail(
            "T602", "the machine ran out of memory", help="lower `--batch-size`, or take a smaller `--model`"
        )


_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
