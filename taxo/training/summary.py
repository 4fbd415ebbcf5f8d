"""The arithmetic of a comparison: means, standard errors, and differences paired by seed; no torch here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist, fmean, median, stdev

from taxo.training.questions import Answers


@dataclass(frozen=True, slots=True)
class Cell:
    """One method at one seed and level of noise, and its answers if it was asked.

    `failure` says why there is no accuracy; `curves` are the test's measure and the training loss by epoch;
    `plane` is what the model says of the plane, where samples lie in one.
    """

    label: str
    seed: int
    test: float | None
    best: float | None
    seconds: float | None
    failure: str | None = None
    answers: Answers | None = None
    noise: str = "none"
    curves: Mapping[str, Sequence[float]] | None = None
    plane: Mapping[str, object] | None = None


# Student's 97.5% quantile for 1, 2, ... degrees of freedom: with few seeds, two standard errors are too few
_QUANTILES = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)

ROUNDING = 1e-9  # a spread that is no more of its mean is that of equal numbers


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over some runs and its standard error, unknown for a single run."""

    mean: float
    error: float | None
    runs: int

    @property
    def beyond_noise(self) -> bool:
        """Whether the mean differs from zero at the 95% level of Student's test; equal values cannot tell."""
        if self.error is None or self.error <= ROUNDING * abs(self.mean):
            return False  # two seeds that lose one test sample each have no spread, and no certainty either
        return abs(self.mean) > _quantile(self.runs - 1) * self.error


@dataclass(frozen=True, slots=True)
class Shown:
    """A further column of one method: its mean, and the difference to the first method's, paired by seed.

    `lower` says that less is better.
    """

    name: str
    value: Estimate | None
    difference: Estimate | None
    percent: bool = True
    lower: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One method over all seeds; the difference is to the first method, seed by seed."""

    label: str
    cost: str
    test: Estimate | None
    best: Estimate | None
    difference: Estimate | None
    seconds: float | None
    runs: int
    failed: int
    columns: tuple[Shown, ...] = ()
    noise: str = "none"


def estimate(values: Sequence[float]) -> Estimate | None:
    """The mean and its standard error."""
    if not values:
        return None
    error = stdev(values) / sqrt(len(values)) if len(values) > 1 else None
    return Estimate(fmean(values), error, len(values))


def _quantile(freedom: int) -> float:
    if freedom <= len(_QUANTILES):
        return _QUANTILES[freedom - 1]
    normal = NormalDist().inv_cdf(0.975)
    first = (normal**3 + normal) / 4
    second = (5 * normal**5 + 16 * normal**3 + 3 * normal) / 96
    return normal + first / freedom + second / freedom**2


def rows(cells: Iterable[Cell], costs: Sequence[tuple[str, str]]) -> list[Row]:
    """One row per method, in the order of `costs`, which names each method's passes."""
    by_label: dict[str, list[Cell]] = {label: [] for label, _ in costs}
    for cell in cells:
        by_label[cell.label].append(cell)
    baseline = {cell.seed: cell.test for cell in by_label[costs[0][0]] if cell.test is not None}
    return [
        _row(label, cost, by_label[label], {} if label == costs[0][0] else baseline) for label, cost in costs
    ]


def _row(label: str, cost: str, cells: Sequence[Cell], baseline: dict[int, float]) -> Row:
    tests = {cell.seed: cell.test for cell in cells if cell.test is not None}
    seconds = [cell.seconds for cell in cells if cell.seconds is not None]
    # paired: one seed has one split, one noise and one initialisation, so its luck cancels in the difference
    differences = [value - baseline[seed] for seed, value in tests.items() if seed in baseline]
    return Row(
        label=label,
        cost=cost,
        test=estimate(list(tests.values())),
        best=estimate([cell.best for cell in cells if cell.best is not None]),
        difference=estimate(differences),
        seconds=median(seconds) if seconds else None,
        runs=len(cells),
        failed=len(cells) - len(tests),
    )


def best_of(values: Sequence[Estimate | None], lower: bool = False) -> list[bool]:
    """Which means are the best of a column; where all are the same none is."""
    means = [value.mean for value in values if value is not None]
    if len(set(means)) < 2:
        return [False] * len(values)
    best = min(means) if lower else max(means)
    return [value is not None and value.mean == best for value in values]
