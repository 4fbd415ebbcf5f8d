"""Published formats, read from small files of each; what is broken, and what a pickle may not do."""

from __future__ import annotations

import gzip
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy
import pytest

from taxo.language.errors import TaxoError
from taxo.training import formats, pictures
from taxo.training.inputs import Bytes, inputs_of
from taxo.training.loaders import Raw

from . import files

WRITERS = {
    "cifar10": (files.cifar10, formats.cifar10, 10),
    "cifar100": (files.cifar100, formats.cifar100, 100),
    "svhn": (files.svhn, formats.svhn, 10),
    "stl10": (files.stl10, formats.stl10, 10),
    "tiny": (files.tiny_imagenet, pictures.tiny_imagenet, 3),
}


def pixels_of(raw: Raw) -> files.Images:
    kept = inputs_of(raw, 0)
    assert isinstance(kept, Bytes)
    return kept.pixels.numpy()


@pytest.mark.parametrize("name", WRITERS)
def test_images_and_the_official_test_are_read_as_they_were_written(tmp_path: Path, name: str):
    write, read, classes = WRITERS[name]
    parts = write(tmp_path / "data")
    raw = read(tmp_path / "data")
    assert raw.classes == classes
    assert raw.test_from == len(raw.y) - len(parts[-1])
    if name == "tiny":  # by class there, and in the order of files here
        order = [0, 3, 1, 4, 2, 5]
        parts = [parts[0][order], parts[1]]
    assert numpy.array_equal(pixels_of(raw), numpy.concatenate(parts))


@pytest.mark.parametrize("packed", [True, False])
def test_idx_files_are_read_packed_or_not(tmp_path: Path, packed: bool):
    parts = files.idx(tmp_path / "data", packed=packed)
    raw = formats.idx(tmp_path / "data")
    assert numpy.array_equal(pixels_of(raw)[:, 0], numpy.concatenate(parts))
    assert raw.y.tolist() == [*(row % 10 for row in range(20)), *range(8)]
    assert raw.test_from == 20


def test_labels_count_from_zero(tmp_path: Path):
    files.svhn(tmp_path / "svhn")
    files.stl10(tmp_path / "stl10")
    files.cifar100(tmp_path / "cifar")
    assert formats.svhn(tmp_path / "svhn").y[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert formats.stl10(tmp_path / "stl10").y[:10].tolist() == list(range(10))
    assert formats.cifar100(tmp_path / "cifar").y.tolist() == [*range(100), *range(7)]
    files.tiny_imagenet(tmp_path / "tiny")
    assert pictures.tiny_imagenet(tmp_path / "tiny").y.tolist() == [0, 0, 1, 1, 2, 2, 2, 1, 0]


@pytest.mark.parametrize("protocol", [2, 4])
def test_batches_that_were_pickled_again_are_read_too(tmp_path: Path, protocol: int):
    pixels = files.cifar10(tmp_path / "data")
    for row, name in enumerate([*formats.BATCHES, "test_batch"]):
        content = {"data": pixels[row].reshape(10, -1), "labels": list(range(10)), "batch_label": "again"}
        (tmp_path / "data" / name).write_bytes(pickle.dumps(content, protocol=protocol))
    assert numpy.array_equal(pixels_of(formats.cifar10(tmp_path / "data")), numpy.concatenate(pixels))


class Evil:
    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch evil",)


@pytest.mark.parametrize("protocol", [0, 2, 5])
def test_a_pickle_runs_no_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int):
    monkeypatch.chdir(tmp_path)
    files.cifar10(tmp_path / "data")
    (tmp_path / "data" / "data_batch_3").write_bytes(pickle.dumps({"data": Evil()}, protocol=protocol))
    with pytest.raises(TaxoError, match=r"T502.*data_batch_3` cannot be read: it asks for `\w+\.system`"):
        formats.cifar10(tmp_path / "data")
    assert not (tmp_path / "evil").exists()


def no_bytes(file: Path) -> None:
    file.write_bytes(pickle.dumps({"data": numpy.zeros((1, 3072)), "labels": [1]}, protocol=2))


def no_labels(file: Path) -> None:
    file.write_bytes(files.old_pickle(files.images(2, 3, 32, 32)))


def half(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:1000])


@pytest.mark.parametrize("spoil", [no_bytes, no_labels, half, Path.unlink])
def test_a_broken_batch_is_named(tmp_path: Path, spoil: Callable[[Path], None]):
    files.cifar10(tmp_path / "data")
    spoil(tmp_path / "data" / "data_batch_5")
    with pytest.raises(TaxoError, match=r"T502.*data_batch_5` cannot be read"):
        formats.cifar10(tmp_path / "data")


def test_broken_idx_files_are_named(tmp_path: Path):
    files.idx(tmp_path / "data", packed=False)
    short = tmp_path / "data" / "t10k-images-idx3-ubyte"
    short.write_bytes(short.read_bytes()[:-5])
    with pytest.raises(TaxoError, match=r"T502.*t10k-images-idx3-ubyte` cannot be read"):
        formats.idx(tmp_path / "data")
    short.unlink()
    short.with_suffix(".gz").with_name("t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(b"text"))
    with pytest.raises(TaxoError, match=r"T502.*no IDX file of bytes"):
        formats.idx(tmp_path / "data")


def test_labels_and_images_of_stl10_belong_together(tmp_path: Path):
    files.stl10(tmp_path / "data")
    (tmp_path / "data" / "train_y.bin").write_bytes(b"\1\2")
    with pytest.raises(TaxoError, match=r"T502.*train_y.bin.*2 labels for 20 images"):
        formats.stl10(tmp_path / "data")
