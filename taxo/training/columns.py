"""What is shown of the answers: one number of each, for tables; no torch here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from taxo.training.questions import Answer, Answers, Question
from taxo.training.summary import Cell, Row, Shown, estimate


@dataclass(frozen=True, slots=True)
class Column:
    """A number out of the answer to a question, perhaps relative to a baseline's; less may be better."""

    question: str
    name: str
    meaning: str
    value: Callable[[Answer, Answer | None], float | None]
    percent: bool = True
    lower: bool = False

    @property
    def heading(self) -> str:
        """What stands over it."""
        return f"{self.name} %" if self.percent else self.name

    def shown(self, value: float) -> str:
        """A value of it, without its unit."""
        return f"{value * 100:.1f}" if self.percent else f"{value:.2f}"


def columns(asked: Sequence[Question]) -> list[Column]:
    """The columns that the answers to these questions fill."""
    names = [question.name for question in asked]
    return sorted((c for c in COLUMNS if c.question in names), key=lambda c: names.index(c.question))


def legend(asked: Sequence[Question]) -> str:
    """What each column says, and how the questions were put."""
    values = {question.name: str(question) for question in asked if question.texts}
    return " ".join(f"{column.name}: {column.meaning}." for column in columns(asked)) + "".join(
        f" Asked: {text}." for text in values.values()
    )


def relative_error(errors: Answer, baseline: Answer | None) -> dict[str, float]:
    """The error under each corruption over the baseline's, both summed over the severities.

    A corruption that the baseline never errs under has no such number.
    """
    if baseline is None:
        return {}
    sums = {name: sum(baseline[name]) for name in errors if name in baseline}
    return {name: sum(errors[name]) / whole for name, whole in sums.items() if whole > 0}


def with_columns(rows: Sequence[Row], cells: Sequence[Cell], asked: Sequence[Question]) -> list[Row]:
    """The rows with the columns that their runs' answers fill; the first row is the baseline."""
    found = {
        row.label: {cell.seed: cell.answers for cell in cells if cell.label == row.label and cell.answers}
        for row in rows
    }
    first = found[rows[0].label]
    return [
        replace(row, columns=tuple(_shown(column, found[row.label], first) for column in columns(asked)))
        for row in rows
    ]


def _shown(column: Column, found: Mapping[int, Answers], first: Mapping[int, Answers]) -> Shown:
    own, base = _values(column, found, first), _values(column, first, first)
    differences = [value - base[seed] for seed, value in own.items() if seed in base]
    apart = None if found is first else estimate(differences)
    return Shown(column.heading, estimate(list(own.values())), apart, column.percent, column.lower)


def _values(column: Column, found: Mapping[int, Answers], first: Mapping[int, Answers]) -> dict[int, float]:
    values = {seed: value_of(column, answers, first.get(seed)) for seed, answers in found.items()}
    return {seed: value for seed, value in values.items() if value is not None}


def value_of(column: Column, answers: Answers, baseline: Answers | None) -> float | None:
    """A column's number out of the answers of one run, and of the baseline's run if there is one."""
    question = column.question
    return column.value(answers[question], baseline.get(question) if baseline else None)


def _first(key: str) -> Callable[[Answer, Answer | None], float | None]:
    return lambda answer, _: next(iter(answer[key]), None)


def _worst(answer: Answer, _: Answer | None) -> float | None:
    return min((value for values in answer.values() for value in values), default=None)


def _corrupted(answer: Answer, _: Answer | None) -> float | None:
    return 1 - fmean(value for values in answer.values() for value in values)


def _relative(answer: Answer, baseline: Answer | None) -> float | None:
    found = relative_error(answer, baseline)
    return fmean(found.values()) if found else None


COLUMNS = (
    Column("accuracy", "accuracy", "on clean test samples", _first("accuracy")),
    Column("top", "top-k", "the label is among the k largest logits", _first("top")),
    Column("classes", "worst class", "accuracy on the class that has the least", _worst),
    Column("tail", "tail", "accuracy on the classes with the fewest training samples", _first("tail")),
    Column("tail", "rest", "accuracy on the other classes", _first("rest")),
    Column("calibration", "ECE", "mean distance of confidence from accuracy", _first("error"), lower=True),
    Column("margins", "margin", "mean of the label's logit less the largest other", _first("mean"), False),
    Column("attack", "FGSM", "accuracy after one signed step to the edge", _first("FGSM")),
    Column("attack", "PGD", "accuracy after a search from each random start", _first("PGD")),
    Column(
        "memorisation",
        "memorised",
        "wrong training labels that the model says too",
        _first("given"),
        lower=True,
    ),
    Column("memorisation", "recovered", "wrong training labels whose right one it says", _first("right")),
    Column("flatness", "radius", "how far the weights move until the loss rises", _first("radius"), False),
    Column("corruptions", "corrupted", "accuracy, mean over corruptions and severities", _corrupted),
    Column(
        "corruptions",
        "mCE",
        "error over the baseline's, both summed over severities, mean over corruptions",
        _relative,
        lower=True,
    ),
)
