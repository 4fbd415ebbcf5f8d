"""What a model makes of the plane, for data of two numbers each: what it says at the places of a grid."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import cast

import torch
from torch import Tensor

from taxo.runtime.step import Step
from taxo.training.data import Data
from taxo.training.inspection import Inspection
from taxo.training.measures import ACCURACY, measure_of
from taxo.training.report.charts import COLOURS
from taxo.training.run import Run
from taxo.training.scores import EVALUATION_BATCH
from taxo.training.tensors import numbers, pieces

DRAWN = 0  # the seed of the runs that a comparison draws
SIDE = 61  # places along an edge
ROOM = 0.06  # beyond the samples, of the stretch that they take
DIGITS = 3
LEAST = -40.0  # the logarithm of a share that is as good as none
MOST = 1_000  # samples that are drawn


@dataclass(frozen=True, slots=True)
class Plane:
    """For each output the logarithm of its share of the softmax, at places row by row from the bottom.

    `box` is what the grid covers: from left to right, and from the bottom to the top.
    """

    box: Sequence[float]
    side: int
    logs: Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True)
class Spots:
    """Training samples: their rows, where they lie, the labels that they have and those that are right.

    There are so many `classes`, perhaps more than these samples have.
    """

    classes: int
    rows: Sequence[int]
    x: Sequence[float]
    y: Sequence[float]
    labels: Sequence[int]
    clean: Sequence[int]

    @property
    def spoiled(self) -> bool:
        """Whether any label is wrong."""
        return any(label != clean for label, clean in zip(self.labels, self.clean, strict=True))


@dataclass(frozen=True, slots=True)
class Moved:
    """How a perturbation moves samples: the way in the plane, if it moves them there, or only how far."""

    key: str
    target: str
    sizes: Sequence[float]
    across: Sequence[float] = ()
    up: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run's page shows of the plane."""

    plane: Plane
    samples: Spots
    moved: Sequence[Moved]

    def to_json(self) -> str:
        """All of it as text, for whoever wants to draw it in another way."""
        return json.dumps(asdict(self), separators=(",", ":")) + "\n"


def drawable(run: Run) -> bool:
    """Whether samples are two numbers and a class, of which the pages have enough colours."""
    x, data = run.data.train.inputs, run.data
    if not isinstance(x, Tensor) or not x.is_floating_point() or tuple(x.shape[1:]) != (2,):
        return False
    return measure_of(data.name, run.settings.model) == ACCURACY and run.step.outputs <= COLOURS


def plane_of(step: Step, data: Data) -> Plane:
    """What a trained step says around the training samples."""
    x = data.train.x
    low, high = x.amin(0), x.amax(0)
    room = ROOM * (high - low).clamp_min(1e-6)
    low, high = low - room, high + room
    share = torch.linspace(0, 1, SIDE, dtype=x.dtype, device=x.device)
    across, up = (low[axis] + share * (high[axis] - low[axis]) for axis in (0, 1))
    places = torch.stack([across.repeat(SIDE), up.repeat_interleave(SIDE)], dim=1)
    logits = torch.cat([step.predict(places[rows]) for rows in pieces(len(places), EVALUATION_BATCH)])
    logs = logits.double().log_softmax(1).clamp_min(LEAST).T
    return Plane(_shorts(torch.stack([low, high], dim=1).flatten()), SIDE, [_shorts(row) for row in logs])


def spots_of(data: Data, rows: Tensor | None = None) -> Spots:
    """Training samples as they are drawn, evenly spaced ones where there are too many."""
    train = data.train
    known = torch.arange(len(train)) if rows is None else rows
    picked = known[_evenly(len(known))].to(train.y.device)
    across, up = train.x[picked].T
    return Spots(
        data.classes,
        [int(row) for row in numbers(picked)],
        _shorts(across),
        _shorts(up),
        [int(label) for label in numbers(train.y[picked])],
        [int(label) for label in numbers(train.clean[picked])],
    )


def moved_of(found: Inspection) -> list[Moved]:
    """What the perturbations do to the samples of those looked at that are drawn."""
    picked = _evenly(len(found.rows))
    moved: list[Moved] = []
    for one in found.touched:
        sizes = _shorts(one.sizes[picked.to(one.sizes.device)])
        if one.ways is not None and any(sizes):
            across, up = (_shorts(axis) for axis in one.ways[picked.to(one.ways.device)].T)
            moved.append(Moved(one.key, one.target, sizes, across, up))
        elif one in found.each and any(sizes):
            moved.append(Moved(one.key, one.target, sizes))
    return moved


def from_json(plain: Mapping[str, object]) -> Plane:
    """The plane of its fields as plain values; KeyError or TypeError if they are others."""
    logs = cast("Sequence[Sequence[float]]", plain["logs"])
    return Plane(cast("Sequence[float]", plain["box"]), int(str(plain["side"])), logs)


def _evenly(count: int) -> Tensor:
    return torch.linspace(0, count - 1, min(count, MOST), dtype=torch.float64).round().long()


def _shorts(values: Tensor) -> list[float]:
    """The numbers, as short as a picture allows."""
    return [float(f"{value:.{DIGITS}g}") for value in numbers(values)]
