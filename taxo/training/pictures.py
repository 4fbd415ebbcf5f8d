"""Images in folders, one for each class, opened only when they are asked for; no torch here."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from taxo.language.errors import fail
from taxo.training.formats import broken, reading
from taxo.training.loaders import Raw, missing

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp"))
LEARN, TEST = "train", ("test", "val")
WIDEST = 224
LOOKED_AT = 100  # how many files say how large the images are


@dataclass(frozen=True, slots=True)
class Pictures:
    """Image files, each shown as a square of `side` pixels in three colours."""

    paths: tuple[Path, ...]
    side: int

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, rows: Sequence[int], workers: int) -> NDArray[uint8]:
        """Some of the images [B, 3, S, S], read by so many threads."""
        import numpy

        chosen = [self.paths[row] for row in rows]
        if workers < 2:
            return numpy.stack([square(path, self.side) for path in chosen])
        with ThreadPoolExecutor(workers) as pool:
            return numpy.stack(list(pool.map(partial(square, side=self.side), chosen)))


def square(path: Path, side: int) -> NDArray[uint8]:
    """The middle of a picture [3, S, S], at the size where its shorter edge fits."""
    import numpy

    pictures = _pillow()
    with reading(path), pictures.open(path) as picture:
        colours = picture.convert("RGB")
        width, height = colours.size
        scale = side / min(width, height)
        size = max(side, round(width * scale)), max(side, round(height * scale))
        fitted = colours if size == colours.size else colours.resize(size, pictures.Resampling.BILINEAR)
        left, top = (size[0] - side) // 2, (size[1] - side) // 2
        cut = fitted.crop((left, top, left + side, top + side))
        return numpy.asarray(cut, dtype=numpy.uint8).transpose(2, 0, 1)


def folder(path: Path) -> Raw:
    """The images of `train/CLASS/` and `test/CLASS/` (or `val/`), or of `CLASS/` alone, which is split."""
    if not is_split(path):
        return _raw(path, _by_class(path, _classes(path)), [])
    names = _classes(path / LEARN)
    return _raw(path, _by_class(path / LEARN, names), _by_class(_test_of(path), names))


def tiny_imagenet(path: Path) -> Raw:
    """Tiny ImageNet, whose validation images are told apart by a list; they are its test."""
    names = _classes(path / LEARN)
    learn = _by_class(path / LEARN, names)
    notes = path / "val" / "val_annotations.txt"
    with reading(notes):
        pairs = [line.split("\t")[:2] for line in notes.read_text().splitlines() if line]
        test = [(path / "val" / "images" / name, names.index(label)) for name, label in pairs]
    return _raw(path, learn, test)


def is_split(path: Path) -> bool:
    """Whether a folder has a test of its own."""
    return (path / LEARN).is_dir() and any((path / name).is_dir() for name in TEST)


def _test_of(path: Path) -> Path:
    return next(path / name for name in TEST if (path / name).is_dir())


def _classes(path: Path) -> list[str]:
    with reading(path):
        names = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
    if len(names) < 2:
        broken(path, "it has no folder for each class")
    return names


def _by_class(path: Path, names: Sequence[str]) -> list[tuple[Path, int]]:
    """The image files of each class's folder, wherever in it they lie."""
    found: list[tuple[Path, int]] = []
    for label, name in enumerate(names):
        files = (path / name).rglob("*")
        found += [(file, label) for file in sorted(files) if file.suffix.lower() in SUFFIXES]
    if not found:
        broken(path, "there is no image in it")
    return found


def _raw(path: Path, learn: list[tuple[Path, int]], test: list[tuple[Path, int]]) -> Raw:
    import numpy

    files, labels = zip(*learn, *test, strict=True)
    y = numpy.array(labels, dtype=numpy.int64)
    classes = int(y.max()) + 1
    absent = set(range(classes)) - set(y[: len(learn)].tolist())
    if absent:
        fail("T502", f"`{path}` has no image to learn class {min(absent)} from", help="remove the folder")
    return Raw(Pictures(files, side_of(files)), y, classes, test_from=len(learn) if test else None)


def side_of(files: Sequence[Path]) -> int:
    """The shortest edge among the first images, or the usual size where all are larger."""
    pictures, shortest = _pillow(), WIDEST
    for path in files[:LOOKED_AT]:
        with reading(path), pictures.open(path) as picture:
            shortest = min(shortest, *picture.size)
    return shortest


def _pillow() -> ModuleType:
    try:
        return import_module("PIL.Image")
    except ImportError:
        missing("folder", "pillow")
