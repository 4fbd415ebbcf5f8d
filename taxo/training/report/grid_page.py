"""The page of a comparison: tables, bars, curves, and what noise, values, costs and corruptions do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import nan
from statistics import fmean

from taxo.training.columns import legend
from taxo.training.grid import Grid
from taxo.training.plane import DRAWN, Spots, from_json
from taxo.training.report.charts import Axis, Series, dots, lines
from taxo.training.report.page import facts, listing, page, paragraph, section, side_by_side, table
from taxo.training.report.plane_chart import legend_of, plane_chart
from taxo.training.report.rows import Bar, bars, heatmap
from taxo.training.settings import to_json
from taxo.training.summary import Cell, Estimate, Row, estimate
from taxo.training.table import best_cells, caption, column_texts, headers, texts
from taxo.training.words import counted, number

CORRUPTED = "corruptions"


@dataclass(frozen=True, slots=True, eq=False)
class Contest:
    """What a page about a comparison is made of: rows level by level of noise, and the runs behind them.

    `samples` are the training samples of each level, of data that lie in the plane.
    """

    grid: Grid
    levels: Sequence[Sequence[Row]]
    cells: Sequence[Cell]
    texts: Mapping[str, str]
    samples: Mapping[str, Spots] = field(default_factory=dict[str, Spots])

    @property
    def accuracy(self) -> Axis:
        """What is measured, as an axis."""
        measure = self.grid.measure
        return Axis(f"test {measure.name}", percent=measure.percent)


def grid_page(contest: Contest) -> str:
    """The page of a comparison, done or not."""
    grid = contest.grid
    shared = {name: "none" if value is None else str(value) for name, value in to_json(grid.settings).items()}
    shared = {name: value for name, value in shared.items() if name not in ("seed", "noise")}
    shared |= {"noise": ", ".join(grid.noises), "seeds": f"0 to {grid.seeds - 1}"}
    many = len(grid.noises) > 1
    level_sections = [
        section(f"Noise {noise}" if many else "Results", _level(contest, level, noise))
        for noise, level in zip(grid.noises, contest.levels, strict=True)
    ]
    failures = [
        f"{one.label}, {one.noise}, seed {one.seed}: {one.failure}" for one in contest.cells if one.failure
    ]
    return page(
        grid.title_at(", ".join(grid.noises) if many else grid.noises[0]),
        _measured(grid).capitalize(),
        [
            section("Levels of noise", [side_by_side(_noise_charts(contest))]),
            section("Values", [side_by_side(_sweep_charts(contest))]),
            *level_sections,
            section("Runs that failed", [paragraph(failure) for failure in failures]),
            section(
                "What ran", [facts(shared), *(listing(name, text) for name, text in contest.texts.items())]
            ),
        ],
    )


def _measured(grid: Grid) -> str:
    over = f"mean and standard error over {counted(grid.seeds, 'seed')}" if grid.seeds > 1 else "one seed"
    return f"{grid.measure.title}, {over}."


def _level(contest: Contest, level: Sequence[Row], noise: str) -> list[str]:
    measure, cells = contest.grid.measure, [cell for cell in contest.cells if cell.noise == noise]
    words = [caption(level, wide=True, measure=measure)]
    if level[0].columns:
        words.append(legend(contest.grid.asked))
    charts = [_bars(contest, level), _differences(contest, level), *_curves(contest, level, cells)]
    return [
        table(_heads(level, contest), [_cells(row, contest) for row in level], _bold(level)),
        paragraph(" ".join(words)),
        side_by_side([*charts, _gains(contest, level)]),
        _corruptions(level, cells),
        *_planes(contest, noise, cells),
    ]


def _planes(contest: Contest, noise: str, cells: Sequence[Cell]) -> list[str]:
    """The plane as each method's model sees it."""
    found = {cell.label: from_json(cell.plane) for cell in cells if cell.plane is not None}
    spots = contest.samples.get(noise)
    if spots is None or not found:
        return []
    charts = [plane_chart(label, found[label], spots) for label in contest.grid.labels if label in found]
    return [paragraph(f"{legend_of(spots)} The runs of seed {DRAWN}."), side_by_side(charts, small=True)]


def _heads(level: Sequence[Row], contest: Contest) -> list[str]:
    names = headers(contest.grid.measure)
    return [*names[:-2], *(column.name for column in level[0].columns), *names[-2:]]


def _cells(row: Row, contest: Contest) -> list[str]:
    found = texts(row, contest.grid.measure)
    return [*found[:-2], *column_texts(row), *found[-2:]]


def _bold(level: Sequence[Row]) -> list[list[bool]]:
    return best_cells(level)


def _bars(contest: Contest, level: Sequence[Row]) -> str:
    found = [Bar(row.label, row.test.mean, row.test.error) for row in level if row.test]
    return bars("After the last epoch", contest.accuracy, found, "Whiskers are standard errors.")


def _differences(contest: Contest, level: Sequence[Row]) -> str:
    found = [
        Bar(
            row.label + (" *" if row.difference.beyond_noise else ""),
            row.difference.mean,
            row.difference.error,
            place,
        )
        for place, row in enumerate(level)
        if row.difference
    ]
    axis = Axis(f"difference to {level[0].label}", percent=contest.grid.measure.percent)
    note = "Paired by seed; a star is beyond noise (Student's t, 95%)."
    return bars(f"Against {level[0].label}", axis, found, note)


def _curves(contest: Contest, level: Sequence[Row], cells: Sequence[Cell]) -> list[str]:
    axes = {"test": contest.accuracy, "loss": Axis("training loss")}
    over = Axis("epoch", whole=True)
    titles = {"test": "Over the epochs", "loss": "Training loss"}
    return [
        lines(titles[name], over, up, [_curve(name, row.label, cells) for row in level], _BAND)
        for name, up in axes.items()
    ]


_BAND = "Means over seeds; the bands are standard errors."


def _curve(name: str, label: str, cells: Sequence[Cell]) -> Series:
    """The mean over seeds, epoch by epoch."""
    runs = [cell.curves[name] for cell in cells if cell.label == label and cell.curves]
    points = [estimate(values) for values in zip(*runs, strict=True)]
    means = [point.mean if point else nan for point in points]
    spread = [point.error if point else None for point in points]
    return Series(label, [epoch + 1.0 for epoch in range(len(points))], means, spread, band=True)


def _gains(contest: Contest, level: Sequence[Row]) -> str:
    """What a method gains over the first one against what it costs."""
    first = level[0].seconds
    if not first or len(level) < 2:
        return ""
    found = [
        Series(row.label, [row.seconds / first], [row.difference.mean], [row.difference.error], colour=place)
        for place, row in enumerate(level)
        if row.difference and row.seconds
    ]
    across = Axis(f"seconds per epoch, {level[0].label} = 1", ratios=True)
    up = Axis(f"difference to {level[0].label}", percent=contest.grid.measure.percent, zero=True)
    return dots("Gain against cost", across, up, found)


def _noise_charts(contest: Contest) -> list[str]:
    """For each kind of noise, the measure against the share of it; no noise is a share of 0 of any kind."""
    shares = [_share(noise) for noise in contest.grid.noises]
    kinds = list(dict.fromkeys(kind for kind, _ in shares if kind))
    found: list[str] = []
    for kind in kinds:
        own = [n for n, (name, _) in enumerate(shares) if name in (kind, "")]
        own.sort(key=lambda n: shares[n][1])
        if len(own) < 2:
            continue
        series = [
            _points(label, [(shares[n][1], contest.levels[n][row].test) for n in own])
            for row, label in enumerate(contest.grid.labels)
        ]
        title = f"Share of {kind} noise"
        found.append(lines(title, Axis("share", percent=True), contest.accuracy, series, _WHISKERS))
    return found


_WHISKERS = "Whiskers are standard errors over seeds."


def _share(noise: str) -> tuple[str, float]:
    kind, colon, share = noise.partition(":")
    return (kind, number(share)) if colon else ("", 0.0)


def _points(name: str, found: Sequence[tuple[float, Estimate | None]]) -> Series:
    known = [(x, one) for x, one in found if one is not None]
    return Series(
        name, [x for x, _ in known], [one.mean for _, one in known], [one.error for _, one in known]
    )


def _sweep_charts(contest: Contest) -> list[str]:
    """For each swept parameter and level of noise, the measure against its value."""
    grid = contest.grid
    own = [one for one in grid.swept if one.label in grid.labels]
    names = list(dict.fromkeys(name for one in own for name, _ in one.values))
    found: list[str] = []
    for name in names:
        for noise, level in zip(grid.noises, contest.levels, strict=True):
            tests = {row.label: row.test for row in level}
            lines_by_rest: dict[str, list[tuple[float, Estimate | None]]] = {}
            for one in own:
                values = dict(one.values)
                value = _value(values.pop(name, ""))
                if value is not None:
                    rest = ", ".join([one.method, *(f"{key} = {text}" for key, text in values.items())])
                    lines_by_rest.setdefault(rest, []).append((value, tests[one.label]))
            series = [
                _points(rest, sorted(points, key=lambda p: p[0])) for rest, points in lines_by_rest.items()
            ]
            base = tests[grid.labels[0]]
            if series and grid.labels[0] not in {one.label for one in own} and base is not None:
                ends = [min(x for s in series for x in s.x), max(x for s in series for x in s.x)]
                series.append(Series(grid.labels[0], ends, [base.mean] * 2, quiet=True))
            title = f"{name}, {noise}" if len(grid.noises) > 1 else name
            found.append(lines(title, Axis(name, ratios=True), contest.accuracy, series, _WHISKERS))
    return found


def _value(text: str) -> float | None:
    try:
        return number(text)
    except ValueError:
        return None


def _corruptions(level: Sequence[Row], cells: Sequence[Cell]) -> str:
    """The error of each method under each corruption, mean over severities and seeds."""
    answers = {
        row.label: [
            cell.answers[CORRUPTED]
            for cell in cells
            if cell.label == row.label and cell.answers and CORRUPTED in cell.answers
        ]
        for row in level
    }
    names = list(dict.fromkeys(name for found in answers.values() for answer in found for name in answer))
    if not names:
        return ""
    values = [
        [
            fmean(v for answer in answers[row.label] for v in answer[name]) if answers[row.label] else None
            for name in names
        ]
        for row in level
    ]
    return heatmap(
        "Error % under each corruption",
        [row.label for row in level],
        names,
        values,
        Axis("error", percent=True),
        "Mean over severities and seeds. The stronger the colour the larger the error; "
        "the least of each column is bold.",
    )
