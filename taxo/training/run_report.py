"""`report.html`, `suspects.csv` and `plane.json` of a run folder, made when the run is done."""

from __future__ import annotations

from collections.abc import Sequence

from taxo.training import datasets
from taxo.training.answers import answers
from taxo.training.folder import RunFolder, writing
from taxo.training.inspection import Inspection, inspect
from taxo.training.measures import ACCURACY, measure_of
from taxo.training.metrics import EpochMetrics
from taxo.training.plane import Seen, drawable, moved_of, plane_of, spots_of
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
    seen = _seen(run, found)
    told = Told(run, typed, history, found, rankings, _answers(run), seen)
    with writing(place.path):
        if seen is not None:
            (place.path / "plane.json").write_text(seen.to_json(), encoding="utf-8")
        (place.path / "report.html").write_text(run_page(told), encoding="utf-8")
        if rankings:
            (place.path / "suspects.csv").write_text(
                to_csv(rankings, "file" if run.data.files else "text"), encoding="utf-8"
            )


def _seen(run: Run, found: Inspection) -> Seen | None:
    """The plane, where samples lie in one and are told apart by class."""
    if not drawable(run):
        return None
    with measured(run):
        plane = plane_of(run.step, run.data)
    return Seen(plane, spots_of(run.data, found.rows), moved_of(found))


def _texts(run: Run) -> list[str]:
    """The samples of the data set as they are written, where they are texts; the files of images in files."""
    said = datasets.find(run.settings.data).texts
    return [str(path) for path in run.data.files] if said is None else said()


def _answers(run: Run) -> Answers:
    """What a classifier answers to the questions that the page shows."""
    settings = run.settings
    if measure_of(settings.data, settings.model) != ACCURACY:
        return {}
    asked = [question for question in fitting(settings) if question.name in SHOWN]
    with measured(run):
        return answers(Subject(run.step, run.data, settings.seed), asked)
