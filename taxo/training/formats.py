"""Reading data sets in the formats they are published in; no torch here, and numpy only when one is read."""

from __future__ import annotations

import gzip
import pickle
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, cast

from taxo.language.errors import fail
from taxo.training.loaders import Raw

if TYPE_CHECKING:
    from numpy import generic, uint8
    from numpy.typing import NDArray

    Images = NDArray[uint8]

IDX_BYTES = 8  # the type of entries that the format's third byte stands for
BATCHES = tuple(f"data_batch_{number}" for number in range(1, 6))


def idx(folder: Path) -> Raw:
    """The digits or clothes of two pairs of IDX files, packed by gzip or not."""
    images, labels = zip(*(_idx_pair(folder, name) for name in ("train", "t10k")), strict=True)
    x, y = _joined(images), _joined(labels)
    return _raw(x[:, None], y, 10, len(labels[0]))


def cifar10(folder: Path) -> Raw:
    """The five batches of CIFAR-10 and its test batch."""
    parts = [_cifar(folder / name, "labels") for name in (*BATCHES, "test_batch")]
    images, labels = zip(*parts, strict=True)
    return _raw(_joined(images), _joined(labels), 10, sum(map(len, labels[:-1])))


def cifar100(folder: Path) -> Raw:
    """CIFAR-100 by its fine labels."""
    images, labels = zip(*(_cifar(folder / name, "fine_labels") for name in ("train", "test")), strict=True)
    return _raw(_joined(images), _joined(labels), 100, len(labels[0]))


def svhn(folder: Path) -> Raw:
    """The cropped house numbers of SVHN, whose tens stand for zeros."""
    images, labels = zip(*(_matlab(folder / f"{name}_32x32.mat") for name in ("train", "test")), strict=True)
    return _raw(_joined(images), _joined(labels) % 10, 10, len(labels[0]))


def stl10(folder: Path) -> Raw:
    """The labelled images of STL-10, which are written column by column."""
    parts = [_binary(folder / f"{name}_X.bin", folder / f"{name}_y.bin") for name in ("train", "test")]
    images, labels = zip(*parts, strict=True)
    return _raw(_joined(images), _joined(labels) - 1, 10, len(labels[0]))


@contextmanager
def reading(path: Path) -> Generator[None]:
    """Turn what goes wrong while a file is read into T502."""
    try:
        yield
    except OSError as error:
        broken(path, (error.strerror or str(error)).lower())
    except (ValueError, TypeError, KeyError, IndexError, EOFError, AttributeError, ImportError) as error:
        broken(path, str(error))
    except pickle.UnpicklingError as error:
        broken(path, str(error))


def broken(path: Path, reason: str) -> NoReturn:
    """T502: a file is there and cannot be read."""
    fail("T502", f"`{path}` cannot be read: {reason}", help="get the file again, or see whether it is whole")


def _raw(x: Images, y: NDArray[uint8], classes: int, learn: int) -> Raw:
    import numpy

    return Raw(numpy.ascontiguousarray(x), y.astype(numpy.int64), classes, test_from=learn)


def _joined(parts: tuple[NDArray[uint8], ...]) -> NDArray[uint8]:
    import numpy

    return numpy.concatenate(parts)


def _idx_pair(folder: Path, name: str) -> tuple[Images, NDArray[uint8]]:
    return _idx(folder / f"{name}-images-idx3-ubyte"), _idx(folder / f"{name}-labels-idx1-ubyte")


def _idx(path: Path) -> NDArray[uint8]:
    """One file: two zero bytes, the type, how many axes, their lengths, the entries."""
    import numpy

    packed = path.with_name(f"{path.name}.gz")
    file = path if path.is_file() or not packed.is_file() else packed
    with reading(file):
        content = gzip.decompress(file.read_bytes()) if file == packed else file.read_bytes()
        if content[:2] != b"\0\0" or content[2] != IDX_BYTES:
            raise ValueError("it is no IDX file of bytes")
        start = 4 + 4 * content[3]
        lengths = [int.from_bytes(content[at : at + 4], "big") for at in range(4, start, 4)]
        return numpy.frombuffer(content, numpy.uint8, offset=start).reshape(lengths)


def _cifar(path: Path, labels: str) -> tuple[Images, NDArray[uint8]]:
    import numpy

    with reading(path), path.open("rb") as file:
        found = cast("Mapping[str, object]", Arrays(file, encoding="latin1").load())
        images = cast("NDArray[generic]", found["data"])
        if images.dtype != numpy.uint8:
            raise ValueError(f"its images are of {images.dtype}")
        return cast("Images", images).reshape(-1, 3, 32, 32), numpy.asarray(found[labels], dtype=numpy.uint8)


class Arrays(pickle.Unpickler):
    """Reads plain values and numpy's arrays, and refuses to call anything else that a pickle names."""

    def find_class(self, module_name: str, global_name: str, /) -> object:
        """The few functions that an array is made by."""
        import numpy

        path = f"{module_name.replace('numpy._core', 'numpy.core')}.{global_name}"
        known: dict[str, Callable[..., object]] = {
            "numpy.core.multiarray._reconstruct": _empty,
            "numpy.ndarray": numpy.ndarray,
            "numpy.dtype": numpy.dtype,
            "_codecs.encode": _latin,
        }
        if path not in known:
            raise pickle.UnpicklingError(f"it asks for `{path}`, which data do not need")
        return known[path]


def _empty(*_: object) -> object:
    """The array that a pickle then fills."""
    import numpy

    return numpy.empty(0, dtype=numpy.uint8)


def _latin(text: str, *_: object) -> bytes:
    """How newer pickles of an old protocol write bytes."""
    return text.encode("latin1")


def _matlab(path: Path) -> tuple[Images, NDArray[uint8]]:
    with reading(path):
        found = cast("Mapping[str, NDArray[uint8]]", import_module("scipy.io").loadmat(str(path)))
        return found["X"].transpose(3, 2, 0, 1), found["y"].ravel()


def _binary(images: Path, labels: Path) -> tuple[Images, NDArray[uint8]]:
    import numpy

    with reading(images):
        x = numpy.frombuffer(images.read_bytes(), numpy.uint8).reshape(-1, 3, 96, 96)
    with reading(labels):
        y = numpy.frombuffer(labels.read_bytes(), numpy.uint8)
        if len(y) != len(x):
            raise ValueError(f"it has {len(y)} labels for {len(x)} images")
    return x.transpose(0, 1, 3, 2), y
