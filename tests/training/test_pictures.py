"""Folders of images."""

from __future__ import annotations

from pathlib import Path

import numpy
import pytest
import torch

from taxo.language.errors import TaxoError
from taxo.training import pictures
from taxo.training.inputs import Bytes, Files, ahead, inputs_of
from taxo.training.pictures import Pictures

from . import files


def test_classes_are_folders_in_the_order_of_their_names(tmp_path: Path):
    files.folders(tmp_path)
    raw = pictures.folder(tmp_path)
    assert raw.y.tolist() == [0] * 6 + [1] * 6
    assert raw.test_from is None
    x = inputs_of(raw, 2)
    assert isinstance(x, Bytes)
    assert x.pixels[:, 0, 0, 0].tolist() == [*range(40, 46), *range(200, 206)]


@pytest.mark.parametrize("name", ["test", "val"])
def test_a_folder_may_have_a_test_of_its_own(tmp_path: Path, name: str):
    files.folders(tmp_path, each=4, parts=("train", name))
    raw = pictures.folder(tmp_path)
    assert (raw.test_from, len(raw.y)) == (8, 16)
    assert pictures.is_split(tmp_path)


def test_a_picture_is_shown_by_its_middle(tmp_path: Path):
    pixels = numpy.zeros((3, 8, 24), dtype=numpy.uint8)
    pixels[:, :, 8:16] = 255
    files.picture(tmp_path / "a" / "wide.png", pixels)
    files.picture(tmp_path / "b" / "tall.png", pixels.transpose(0, 2, 1))
    raw = pictures.folder(tmp_path)
    assert isinstance(raw.x, Pictures)
    assert raw.x.side == 8
    assert raw.x.read([0, 1], workers=0).min() == 255
    assert pictures.square(tmp_path / "a" / "wide.png", 4).shape == (3, 4, 4)


def test_files_are_read_as_they_are_wanted_and_ahead(tmp_path: Path):
    files.folders(tmp_path, each=20)
    raw = pictures.folder(tmp_path)
    whole, lazy = inputs_of(raw, 0), inputs_of(raw, 2, resident=0)
    assert isinstance(lazy, Files)
    assert lazy.shape == (40, 3, 8, 8)
    rows = torch.tensor([39, 0, 7])
    assert torch.equal(lazy[rows], whole[rows])
    mask = torch.arange(40) % 3 == 0
    assert torch.equal(lazy.only(mask)[2:5], whole[mask.nonzero()[2:5, 0]])
    parts = torch.randperm(40).split(7)
    for x, part in zip(ahead(lazy, parts), parts, strict=True):
        assert torch.equal(x, whole[part])
    reader = ahead(lazy, parts)
    next(reader)
    reader.close()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: (path / "dark" / "3.png").write_bytes(b"no"), "T502.*3.png` cannot be read"),
        (lambda path: [file.unlink() for file in path.rglob("*.png")], "T502.*there is no image in it"),
        (lambda path: [file.unlink() for file in path.glob("dark/*")], "T502.*to learn class 0 from"),
        (lambda path: (path / "dark").rename(path / "light" / "dark"), "T502.*no folder for each class"),
    ],
)
def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path, spoil, message: str):
    files.folders(tmp_path)
    spoil(tmp_path)
    with pytest.raises(TaxoError, match=message):
        inputs_of(pictures.folder(tmp_path), 0)
