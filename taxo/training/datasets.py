"""The data sets: one row each, with the settings that make sense for them; no torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from taxo.language.errors import fail, suggest

if TYPE_CHECKING:
    from numpy import float32, float64, int64
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """What a loader gives: inputs in [0, 1], clean labels, and where the official test rows begin."""

    x: NDArray[float32]
    y: NDArray[int64]
    classes: int
    test_from: int | None = None


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
    """One row: a name, what it is, how it is read, its recipe, and whether its samples are tiny."""

    name: str
    title: str
    load: Callable[[], Raw]
    recipe: Recipe
    light: bool = False


def _digits() -> Raw:
    import numpy
    from sklearn.datasets import load_digits

    images, labels = cast("tuple[NDArray[float64], NDArray[int64]]", load_digits(return_X_y=True))
    x = images.astype(numpy.float32).reshape(-1, 1, 8, 8) / numpy.float32(16)
    return Raw(x, labels.astype(numpy.int64), classes=10)


_ROWS = (
    DataSet(
        name="digits",
        title="1,797 handwritten digits of 8 x 8 pixels, shipped with scikit-learn",
        load=_digits,
        recipe=Recipe(model="cnn", epochs=60, batch_size=64, lr=0.02, weight_decay=5e-4),
        light=True,
    ),
)

DATA_SETS: dict[str, DataSet] = {row.name: row for row in _ROWS}


def find(name: str) -> DataSet:
    """The row of that name, or an error that names the nearest one."""
    if name not in DATA_SETS:
        fail("T501", f"no data set `{name}`", help=suggest(name, DATA_SETS))
    return DATA_SETS[name]
