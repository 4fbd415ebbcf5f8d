"""Small data sets in the formats that the large ones are published in."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy
import pytest
from numpy import uint8
from numpy.typing import NDArray
from scipy.io import savemat

Images = NDArray[uint8]


def dice(seed: int = 0) -> numpy.random.Generator:
    return numpy.random.default_rng(seed)


def images(count: int, *shape: int, seed: int = 0) -> Images:
    return dice(seed).integers(0, 256, size=(count, *shape), dtype=uint8)


def idx(folder: Path, counts: tuple[int, int] = (20, 8), packed: bool = True) -> list[Images]:
    """Two pairs of IDX files; their images."""
    folder.mkdir(parents=True)
    found: list[Images] = []
    for (name, count), seed in zip((("train", counts[0]), ("t10k", counts[1])), (1, 2), strict=True):
        pixels, labels = images(count, 28, 28, seed=seed), (numpy.arange(count) % 10).astype(uint8)
        for kind, array in (("images-idx3", pixels), ("labels-idx1", labels)):
            axes = struct.pack(f">{array.ndim}I", *array.shape)
            content = bytes([0, 0, 8, array.ndim]) + axes + array.tobytes()
            file = folder / f"{name}-{kind}-ubyte{'.gz' if packed else ''}"
            file.write_bytes(gzip.compress(content) if packed else content)
        found.append(pixels)
    return found


def old_string(text: bytes) -> bytes:
    """A string as Python 2 pickled it."""
    return b"T" + struct.pack("<I", len(text)) + text


def old_pickle(pixels: Images, **lists: list[int]) -> bytes:
    """A dictionary of an array and lists as Python 2 pickled it, opcode by opcode."""
    rows = struct.pack("<I", len(pixels)), struct.pack("<I", pixels[0].size)
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n"
        + b"(cnumpy\nndarray\nK\x00\x85"
        + old_string(b"b")
        + b"tR(K\x01J"
        + rows[0]
        + b"J"
        + rows[1]
        + b"\x86cnumpy\ndtype\n("
        + old_string(b"u1")
        + b"K\x00K\x01tR(K\x03"
        + old_string(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
        + old_string(pixels.tobytes())
        + b"tb"
    )
    content = b"\x80\x02}(" + old_string(b"data") + array
    for name, values in lists.items():
        content += old_string(name.encode()) + b"](" + b"".join(b"K" + bytes([v]) for v in values) + b"e"
    return content + b"u."


def cifar10(folder: Path, each: int = 10) -> list[Images]:
    """Five batches and a test batch; their images."""
    folder.mkdir(parents=True)
    found: list[Images] = []
    for seed, name in enumerate([*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]):
        pixels = images(each, 3, 32, 32, seed=seed)
        (folder / name).write_bytes(old_pickle(pixels, labels=[row % 10 for row in range(each)]))
        found.append(pixels)
    return found


def cifar100(folder: Path) -> list[Images]:
    folder.mkdir(parents=True)
    found = [images(100, 3, 32, 32, seed=1), images(7, 3, 32, 32, seed=2)]
    for name, pixels in zip(("train", "test"), found, strict=True):
        labels = list(range(len(pixels)))
        coarse = [label // 5 for label in labels]
        (folder / name).write_bytes(old_pickle(pixels, coarse_labels=coarse, fine_labels=labels))
    return found


def svhn(folder: Path) -> list[Images]:
    folder.mkdir(parents=True)
    found = [images(30, 3, 32, 32, seed=1), images(10, 3, 32, 32, seed=2)]
    for name, pixels in zip(("train", "test"), found, strict=True):
        labels = (numpy.arange(len(pixels)) % 10 + 1).astype(uint8)[:, None]
        savemat(folder / f"{name}_32x32.mat", {"X": pixels.transpose(2, 3, 1, 0), "y": labels})
    return found


def stl10(folder: Path) -> list[Images]:
    folder.mkdir(parents=True)
    found = [images(20, 3, 96, 96, seed=1), images(10, 3, 96, 96, seed=2)]
    for name, pixels in zip(("train", "test"), found, strict=True):
        (folder / f"{name}_X.bin").write_bytes(pixels.transpose(0, 1, 3, 2).tobytes())
        labels = (numpy.arange(len(pixels)) % 10 + 1).astype(uint8)
        (folder / f"{name}_y.bin").write_bytes(labels.tobytes())
    return found


def picture(file: Path, pixels: Images, kind: str = "PNG") -> None:
    """An image file of [3, H, W]; what needs one is skipped where the image library is not there."""
    file.parent.mkdir(parents=True, exist_ok=True)
    pytest.importorskip("PIL.Image").fromarray(pixels.transpose(1, 2, 0)).save(file, kind)


def tiny_imagenet(folder: Path, side: int = 64) -> list[Images]:
    names, found = ["n01", "n02", "n03"], images(9, 3, side, side)
    for row, pixels in enumerate(found[:6]):
        picture(folder / "train" / names[row % 3] / "images" / f"{row}.JPEG", pixels)
    notes = ""
    for row, pixels in enumerate(found[6:]):
        picture(folder / "val" / "images" / f"val_{row}.JPEG", pixels)
        notes += f"val_{row}.JPEG\t{names[2 - row]}\t0\t0\t62\t62\n"
    (folder / "val" / "val_annotations.txt").write_text(notes)
    return [found[:6], found[6:]]


def folders(folder: Path, each: int = 6, side: int = 8, parts: tuple[str, ...] = ("",)) -> None:
    """Images of two classes, dark and light."""
    for part in parts:
        for shade, name in ((40, "dark"), (200, "light")):
            for row in range(each):
                pixels = numpy.full((3, side, side), shade + row, dtype=uint8)
                picture(folder / part / name / f"{row}.png", pixels)
