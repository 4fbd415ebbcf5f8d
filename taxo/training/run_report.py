"""`report.html` and `suspects.csv` of a run folder, made when the run is done."""

from __future__ import annotations

from collections.abc import Sequence

from taxo.training import datasets
from taxo.training.answers import answers
from taxo.training.folder import RunFolder, writing
from taxo.training.inspection import inspect
from taxo.training.measures import ACCURACY, measure_of
from taxo.training.metrics import EpochMetrics
from taxo.training.questions import Answers, fitting
from taxo.training.ranks import writes
from taxo.training.report.run_page import Told, run_page
from taxo.training.run import Run, measured
from taxo.training.subject import Subject
from taxo.training.suspects import ranking, to_csv

SHOWN = ("classes", "calibration", "memorisation")


def write_report(place: RunFolder, typed: str, run: Run, history: Sequence[EpochMetrics]) -> None:
    """Look at the run's samples once more, and write what there is to see."""
    found = inspect(run)
    rankings = [ranking(found, touched, run.data.train, _texts(run)) for touched in found.each]
    if not writes():
        return
    told = Told(run, typed, history, found, rankings, _answers(run))
    with writing(place.path):
        (place.path / "report.html").write_text(run_page(told), encoding="utf-8")
        if rankings:
            (place.path / "suspects.csv").write_text(to_csv(rankings), encoding="utf-8")


def _texts(run: Run) -> list[str]:
    """The samples of the data set as they are written, where they are texts."""
    said = datasets.find(run.settings.data).texts
    return [] if said is None else said()


def _answers(run: Run) -> Answers:
    """What a classifier answers to the questions that the page shows."""
    settings = run.settings
    if measure_of(settings.data, settings.model) != ACCURACY:
        return {}
    asked = [question for question in fitting(settings) if question.name in SHOWN]
    with measured(run):
        return answers(Subject(run.step, run.data, settings.seed), asked)
