"""The page of one run: its curves, its perturbations, its classes, and the samples it moves farthest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import nan
from textwrap import shorten

from taxo.training.inspection import Inspection, relative_change
from taxo.training.measures import ACCURACY, MEASURES
from taxo.training.metrics import EpochMetrics, best
from taxo.training.plane import Seen
from taxo.training.questions import Answers
from taxo.training.report.charts import Axis, Series, columns, lines
from taxo.training.report.page import facts, listing, page, section, side_by_side, table, tiles
from taxo.training.report.pictures import address
from taxo.training.report.plane_chart import legend_of, plane_chart
from taxo.training.report.scale import said
from taxo.training.run import Run
from taxo.training.settings import to_json
from taxo.training.subject import Subject
from taxo.training.suspects import Ranking, Suspect
from taxo.training.tensors import pixels
from taxo.training.words import counted

LETTERS = 280  # of a text that is shown
SHOWN = 30  # how many samples are shown of each perturbation
SHARES = (0.01, 0.05, 0.1, 0.2)
WHOLE = (0.0, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a page about a run is made of."""

    run: Run
    typed: str
    history: Sequence[EpochMetrics]
    found: Inspection
    rankings: Sequence[Ranking]
    answers: Answers
    plane: Seen | None = None


def run_page(told: Told) -> str:
    """The page of a run that is done."""
    run, method = told.run, told.run.step.method
    settings = {
        name: "none" if value is None else str(value) for name, value in to_json(run.settings).items()
    }
    spoiled = [
        f"{name} {settings[name]}" for name in ("noise", "imbalance", "corrupt") if settings[name] != "none"
    ]
    data = ", ".join([run.settings.data, *spoiled, run.settings.model, counted(len(told.history), "epoch")])
    return page(
        f"{told.typed} on {data}",
        method.summary or method.title,
        [
            tiles(_numbers(told)),
            section("Curves", [side_by_side(_curves(told.history))]),
            _plane(told),
            section("Perturbations", [side_by_side(_meters(told))], _WHAT_METERS_ARE),
            section("Classes", [side_by_side(_classes(told))], _WHAT_CLASSES_ARE),
            section("Confidence", [side_by_side(_confidence(told.answers))]),
            *(_suspects(told, ranking) for ranking in told.rankings),
            section("What ran", [facts(settings), listing("Specification", str(method))]),
        ],
    )


_WHAT_METERS_ARE = (
    "After each epoch, of the same training batch. Raised: the share of the samples moved whose loss the "
    "perturbation raises, with it and without it on the same draws; a negative perturbation raises losses, a "
    "positive one lowers them. Size: its mean Euclidean length on those. Fired: the share of the batch that "
    "it moves."
)
_WHAT_CLASSES_ARE = "From the class with the most training samples to the one with the fewest."


def _numbers(told: Told) -> dict[str, str]:
    """The few numbers on top."""
    final, chosen = told.history[-1], best(told.history)
    measure = MEASURES[final.measure]
    found = {f"test {measure.name}, last epoch": measure.shown(final.test_accuracy)}
    if final.validation_accuracy is not None:
        found[f"at the best validation, epoch {chosen.epoch + 1}"] = measure.shown(chosen.test_accuracy)
    found["training seconds"] = f"{sum(metrics.seconds for metrics in told.history):.1f}"
    found["passes of a step"] = told.run.step.plan.cost
    memorised = told.answers.get("memorisation", {}).get("given")
    if memorised:
        found["of the wrong labels, learned"] = f"{memorised[0]:.1%}"
    return found


def _curves(history: Sequence[EpochMetrics]) -> list[str]:
    epochs = [metrics.epoch + 1.0 for metrics in history]
    measure = MEASURES[history[0].measure]
    splits = {
        "train, given labels": [metrics.train_accuracy for metrics in history],
        "validation": [nan if m.validation_accuracy is None else m.validation_accuracy for m in history],
        "test": [metrics.test_accuracy for metrics in history],
    }
    over = Axis("epoch", whole=True)
    return [
        lines(
            measure.name.capitalize() if measure == ACCURACY else measure.name,
            over,
            Axis(measure.name, percent=measure.percent),
            [Series(name, epochs, values) for name, values in splits.items()],
        ),
        lines("Training loss", over, Axis("loss"), [Series("loss", epochs, [m.train_loss for m in history])]),
    ]


def _plane(told: Told) -> str:
    """The samples where they lie, then as each perturbation moves them."""
    seen = told.plane
    if seen is None:
        return ""
    charts = [plane_chart("Training samples", seen.plane, seen.samples)]
    charts += [plane_chart(f"{m.key} on {m.target}", seen.plane, seen.samples, m) for m in seen.moved]
    return section("The plane", [side_by_side(charts)], legend_of(seen.samples))


def _meters(told: Told) -> list[str]:
    """How each perturbation fared over the epochs: a chart for each meter, a line for each perturbation."""
    over, epochs = Axis("epoch", whole=True), [metrics.epoch + 1.0 for metrics in told.history]
    names = list(dict.fromkeys(name for metrics in told.history for name in metrics.meters))
    claims = {one.key: f"{one.key}: {one.direction} on {one.target}" for one in told.found.touched}
    axes = {
        "raised": Axis("share of losses raised", percent=True, fixed=WHOLE),
        "size": Axis("mean size", zero=True),
        "fired": Axis("share of samples moved", percent=True, fixed=WHOLE),
    }
    found: list[str] = []
    for meter, up in axes.items():
        series = [
            Series(
                claims.get(name, name), epochs, [m.meters.get(name, {}).get(meter, nan) for m in told.history]
            )
            for name in names
        ]
        found.append(lines(meter.capitalize(), over, up, series))
    return found


def _classes(told: Told) -> list[str]:
    data = told.run.data
    counts = data.class_counts
    if counts is None or "classes" not in told.answers:
        return []
    order = sorted(range(len(counts)), key=lambda label: (-counts[label], label))
    places, labels = [float(place) for place in range(len(order))], [str(label) for label in order]
    change = relative_change(told.found, data.train.y, len(counts))
    accuracy = [next(iter(told.answers["classes"].get(str(label), ())), nan) for label in order]
    charts = [
        columns(
            "Test accuracy",
            labels,
            "class",
            Axis("accuracy", percent=True, fixed=WHOLE),
            [Series("accuracy", places, accuracy)],
        )
    ]
    if told.found.touched or bool((told.found.plain != told.found.moved).any()):
        moved = [Series("loss change", places, [change[label] for label in order])]
        charts.append(
            columns(
                "Change of the training loss",
                labels,
                "class",
                Axis("(with − without) / without", percent=True),
                moved,
            )
        )
    return charts


def _confidence(answers: Answers) -> list[str]:
    """Accuracy against confidence, where a model that knows how sure it is lies on the diagonal."""
    bins = answers.get("calibration")
    if not bins or not bins.get("confidence"):
        return []
    share = Axis("confidence", percent=True, fixed=WHOLE)
    reliability = lines(
        "Reliability on the test samples",
        share,
        Axis("accuracy", percent=True, fixed=WHOLE),
        [
            Series("model", bins["confidence"], bins["accuracy"]),
            Series("as sure as right", WHOLE, WHOLE, quiet=True),
        ],
        note=f"Mean distance, by samples (ECE): {bins['error'][0]:.1%}. A mark is a bin that has samples.",
    )
    labels = [f"{value:.0%}" for value in bins["confidence"]]
    sure = [Series("samples", [float(place) for place in range(len(labels))], bins["share"])]
    up = Axis("share of the test samples", percent=True)
    return [reliability, columns("How sure it is", labels, "mean confidence of a bin", up, sure)]


def _suspects(told: Told, ranking: Ranking) -> str:
    touched = next(one for one in told.found.touched if one.key == ranking.key)
    title = "Suspected label errors" if touched.suspects else "Samples moved farthest"
    words = (
        f"The training samples that the perturbation {ranking.key} of the {touched.target} moves farthest "
    )
    words += "at the end of the run. All of them are in suspects.csv."
    if ranking.known:
        words += " Labels that were made wrong have a frame."
    limited = len(told.found.rows) < len(told.run.data.train)
    if limited:
        words += f" Of {len(told.run.data.train):,} samples {len(told.found.rows):,} were looked at."
    parts = [_samples(told, ranking)]
    if ranking.known:
        parts += [_how_well(ranking), side_by_side([_precision(ranking)])]
    return section(f"{title}: {ranking.key}", parts, words)


def _how_well(ranking: Ranking) -> str:
    rows = [
        [
            f"first {share:.0%}",
            str(count),
            said(ranking.precision(count), 0.001, True),
            said(ranking.recall(count), 0.001, True),
        ]
        for share in SHARES
        for count in [ranking.first(share)]
    ]
    return table(["by size", "samples", "precision", "recall"], rows)


def _precision(ranking: Ranking) -> str:
    shares = [number / 50 for number in range(1, 51)]
    counts = [ranking.first(share) for share in shares]
    return lines(
        "How many of the first are wrong",
        Axis("share of the training samples", percent=True, fixed=WHOLE),
        Axis("precision, recall", percent=True, fixed=WHOLE),
        [
            Series("precision", shares, [ranking.precision(count) for count in counts]),
            Series("recall", shares, [ranking.recall(count) for count in counts]),
        ],
    )


def _samples(told: Told, ranking: Ranking) -> str:
    items = "".join(_sample(told, suspect) for suspect in ranking.suspects[:SHOWN])
    pictures = Subject(told.run.step, told.run.data, told.run.settings.seed).images
    wide = not pictures and any(suspect.text for suspect in ranking.suspects[:SHOWN])
    return f'<ol class="samples{" texts" * wide}">{items}</ol>'


def _sample(told: Told, suspect: Suspect) -> str:
    picture = ""
    if Subject(told.run.step, told.run.data, told.run.settings.seed).images:
        image = pixels(told.run.data.train.inputs[suspect.row : suspect.row + 1][0])
        name = escape(suspect.text or f"sample {suspect.origin}")
        picture = f'<img alt="{name}" title="{name}" src="{address(image)}">'
    elif suspect.text:
        picture = f"<p>{escape(shorten(suspect.text, LETTERS, placeholder=' …'))}</p>"
    label = f"label {suspect.label}" + (f", is {suspect.clean}" if suspect.wrong else "")
    small = f"<small>row {suspect.origin}, size {said(suspect.size)}</small>"
    mark = ' class="wrong"' if suspect.wrong else ""
    return f"<li{mark}>{picture}{escape(label)}{small}</li>"
