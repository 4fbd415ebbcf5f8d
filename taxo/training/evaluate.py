"""`taxo evaluate`: what a trained run answers, from its folder to a table and `evaluation.json`."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from taxo.language.errors import fail
from taxo.training import datasets, words
from taxo.training.answers import answers
from taxo.training.columns import columns, relative_error, value_of
from taxo.training.device import tuned
from taxo.training.evaluation_table import corruption_table, number_table
from taxo.training.folder import RunFolder, trained, writing
from taxo.training.questions import Answers, Question, fitting, questions, refuse_unfit
from taxo.training.run import Run
from taxo.training.settings import Settings
from taxo.training.subject import Subject
from taxo.training.table import piped

WEIGHTS = ("last", "best")
RELATIVE = "corruptions"  # the one question whose answer is also said relative to a baseline's


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a run has answered, and a baseline's run if there is one; `epochs` are those it was trained."""

    run: str
    method: str
    weights: str
    epochs: int
    asked: tuple[Question, ...]
    answers: Answers
    baseline: Answers | None

    @property
    def values(self) -> dict[str, float]:
        """The number of each column, shares and not percent."""
        found = {column.name: value_of(column, self.answers, self.baseline) for column in columns(self.asked)}
        return {name: value for name, value in found.items() if value is not None}

    @property
    def relative(self) -> dict[str, float]:
        """The error under each corruption over the baseline's."""
        first = (self.baseline or {}).get(RELATIVE)
        return relative_error(self.answers[RELATIVE], first) if RELATIVE in self.answers else {}

    def to_json(self) -> Mapping[str, object]:
        """All of it as plain values."""
        return {
            "run": self.run,
            "method": self.method,
            "weights": self.weights,
            "epochs": self.epochs,
            "questions": [str(question) for question in self.asked],
            "values": self.values,
            "answers": self.answers,
            "relative": self.relative,
        }


def evaluate(namespace: Namespace) -> int:
    """Ask a run; 0 when done."""
    place = RunFolder(Path(namespace.run))
    settings = place.origin().settings
    typed = [str(word) for word in namespace.questions]
    asked = questions(",".join(typed), "QUESTION") if typed else fitting(settings)
    refuse_unfit(asked, settings)
    with tuned(settings):
        found = _evaluated(place, asked, namespace)
    note = json.dumps(found.to_json(), indent=2)
    with writing(place.path):
        (place.path / "evaluation.json").write_text(note + "\n")
    if namespace.json:
        print(note)
        return 0
    screen = Console()
    tables = [number_table(found.values, found.asked, _title(found))]
    if RELATIVE in found.answers:
        tables.append(corruption_table(found.answers[RELATIVE], found.relative))
    for table in tables:
        if screen.is_terminal:
            screen.print(table)
        else:
            print(piped(table))
    print(f"written to {place.path / 'evaluation.json'}")
    return 0


def _evaluated(place: RunFolder, asked: tuple[Question, ...], namespace: Namespace) -> Evaluation:
    which = words.choice(str(namespace.weights), "--weights", WEIGHTS)
    run = trained(place, which, namespace.device)
    baseline = None
    if namespace.baseline is not None:
        other = _baseline(RunFolder(Path(namespace.baseline)), run, which, asked, namespace.device)
        baseline = _answers(other, [question for question in asked if question.name == RELATIVE])
    return Evaluation(
        run=str(place.path),
        method=place.origin().method,
        weights=which,
        epochs=run.position.epoch + run.position.measured,
        asked=asked,
        answers=_answers(run, asked),
        baseline=baseline,
    )


def _answers(run: Run, asked: Sequence[Question]) -> Answers:
    return answers(Subject(run.step, run.data, run.settings.seed), asked)


def _baseline(place: RunFolder, run: Run, which: str, asked: Sequence[Question], device: str | None) -> Run:
    """The baseline's run; T503 where it was not measured on the same test samples, or nobody asks for it."""
    if not any(question.name == RELATIVE for question in asked):
        fail("T503", f"`--baseline` is about `{RELATIVE}`, which is not asked", help="leave it out")
    _refuse_other_test(place, place.origin().settings, run.settings)
    return trained(place, which, device)


def _refuse_other_test(place: RunFolder, before: Settings, now: Settings) -> None:
    tests = [(one.data, None if datasets.find(one.data).official else one.seed) for one in (before, now)]
    if tests[0] != tests[1]:
        said = [data if seed is None else f"{data}, seed {seed}" for data, seed in tests]
        message = (
            f"the baseline `{place.path}` has the test samples of {said[0]}, and this run those of {said[1]}"
        )
        fail("T503", message, help="train a baseline on the same data with the same seed")


def _title(found: Evaluation) -> str:
    return f"{found.method}, {found.weights} weights, {words.counted(found.epochs, 'epoch')}"
