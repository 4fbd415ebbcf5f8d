"""The rows of the table, and runs on data of each kind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
import torch

from taxo.language.errors import TaxoError
from taxo.training import datasets, noise, playground
from taxo.training.choices import Corrupt
from taxo.training.corruptions import corrupted
from taxo.training.data import Split, load
from taxo.training.datasets import DATA_SETS, OWN, find
from taxo.training.inputs import Bytes, Files, sampled
from taxo.training.pictures import Pictures
from taxo.training.published import SOURCES
from taxo.training.settings import change, from_words, sensible
from taxo.training.shelf import YOURS

from . import files


@pytest.mark.parametrize("name", DATA_SETS)
def test_every_row_has_settings_that_go_together(name: str):
    settings = sensible(name)
    words = {field: str(getattr(settings, field)) for field in ("augment", "schedule", "model")}
    if words["model"] not in ("resnet18",):  # of torchvision, which need not be there
        assert change(settings, words) == settings


def test_published_rows_and_their_sources_are_the_same():
    assert {row.name for row in datasets.PUBLISHED} == SOURCES.keys()
    assert OWN.keys() == YOURS.keys()
    for source in SOURCES.values():
        assert bool(source.archives) != bool(source.by_hand)
        assert all(len(archive.md5) == 32 for archive in source.archives)


@pytest.mark.parametrize("name", ["csv:nothing.csv", "folder:nowhere", "text:nothing"])
def test_a_path_where_nothing_is(name: str):
    with pytest.raises(TaxoError, match=r"T501.*there is nothing at"):
        find(name)


def test_a_path_that_is_none():
    with pytest.raises(TaxoError, match=r"T501.*names no place"):
        find("csv:")


def test_the_playground_is_always_the_same_and_can_be_learned(run_command, capsys):
    for make, classes in ((playground.mixture, 2), (playground.spirals, 3), (playground.imbalance, 2)):
        one, again = make(), make()
        assert numpy.array_equal(numpy.asarray(one.x), numpy.asarray(again.x))
        assert sorted(set(one.y.tolist())) == list(range(classes))
    counts = numpy.bincount(playground.imbalance().y)
    assert counts.tolist() == [1000, 50]
    assert run_command("train", "plain", "--data", "playground:spirals", "--epochs", "25", "--json") == 0
    assert json.loads(capsys.readouterr().out)["final"]["test_accuracy"] > 0.9


def test_a_table_of_your_own_is_a_regression_or_a_classification(run_command, tmp_path: Path, capsys):
    dice = numpy.random.default_rng(0)
    x = dice.normal(size=(200, 3))
    for name, y in (("target", x @ [1, -2, 0.5]), ("label", (x[:, 0] > 0).astype(int))):
        rows = "\n".join(",".join(map(str, [*row, end])) for row, end in zip(x, y, strict=True))
        (tmp_path / f"{name}.csv").write_text(f"a,b,c,{name}\n{rows}\n")
    (tmp_path / "least.taxo").write_text('method least "Least squares."\nloss mse\n')
    words = ("--model", "linear", "--epochs", "30", "--json")
    for method, name, measure in (("least.taxo", "target", "R²"), ("plain", "label", "accuracy")):
        assert run_command("train", method, "--data", f"csv:{name}.csv", *words) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["measure"] == measure
        assert said["final"]["test_accuracy"] > 0.85


def test_texts_of_your_own_are_learned_and_evaluated(run_command, tmp_path: Path, capsys):
    dice, rows = numpy.random.default_rng(0), list[str]()
    for row in range(160):
        words = dice.choice(["the", "film", "was", "long", "and", "quiet"], size=dice.integers(3, 9)).tolist()
        words.insert(dice.integers(0, len(words)), ("good", "bad")[row % 2])
        rows.append(f"{('yes', 'no')[row % 2]},{' '.join(words)}")
    (tmp_path / "a.csv").write_text("label,text\n" + "\n".join(rows) + "\n")
    words = ("--data", "text:a.csv", "--epochs", "6", "--lr", "1", "--json", "--output", "a")
    assert run_command("train", "label_smoothing", *words) == 0
    assert json.loads(capsys.readouterr().out)["final"]["test_accuracy"] > 0.95
    assert run_command("evaluate", "a") == 0
    assert run_command("evaluate", "a", "attack") == 2
    assert "`attack` is about numbers, and `text:a.csv` has none" in capsys.readouterr().err


def test_folders_of_images_are_learned(run_command, tmp_path: Path, capsys):
    files.folders(tmp_path / "images", each=20)
    words = ("--data", "folder:images", "--model", "cnn", "--epochs", "4", "--batch-size", "8", "--json")
    assert run_command("train", "plain", *words, "--workers", "2") == 0
    assert json.loads(capsys.readouterr().out)["final"]["test_accuracy"] == 1


def test_workers_read_image_files_only():
    with pytest.raises(TaxoError, match=r"T503.*`--workers 2` is about image files, and `digits` has none"):
        from_words({"workers": "2"}, [])


def of_bytes(count: int = 30) -> Bytes:
    return Bytes(torch.from_numpy(files.images(count, 3, 8, 8)))


def test_bytes_are_corrupted_and_compared_as_numbers_are():
    x, how, labels = of_bytes(), Corrupt("contrast", 3), torch.arange(30) % 3
    dice = torch.Generator().manual_seed(0)
    changed = corrupted(x, how, dice)
    assert isinstance(changed, Bytes)
    assert torch.allclose(changed[:], corrupted(x[:], how, dice)[:], atol=0.5 / 255 + 1e-6)
    assert torch.equal(noise.nearest_classes(x, labels, 3), noise.nearest_classes(x[:], labels, 3))


def test_files_are_not_corrupted_once_and_for_all(tmp_path: Path):
    x = Files(Pictures((tmp_path / "a.png",), 8), torch.arange(1), 0)
    with pytest.raises(TaxoError, match=r"T503.*`--corrupt fog:1` takes images that fit into memory"):
        corrupted(x, Corrupt("fog", 1), torch.Generator())


def test_a_sample_of_many_images_is_spread_over_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("taxo.training.inputs.SAMPLE", 4)
    x = of_bytes(31)
    assert torch.equal(sampled(x), x[torch.tensor([0, 10, 20, 30])])


def test_published_data_are_split_thinned_and_spoiled_like_others(tmp_path: Path):
    files.cifar10(tmp_path / "cifar-10-batches-py", each=40)
    words = {"data_root": str(tmp_path), "noise": "asymmetric:10%", "imbalance": "step:4", "corrupt": "fog:1"}
    data = load(change(replace(sensible("cifar10"), validation=0.2), words), torch.device("cpu"))
    assert isinstance(data.train.inputs, Bytes)
    assert (len(data.validation), len(data.test)) == (40, 40)
    assert data.class_counts is not None
    assert int(data.train.flipped.sum()) == round(0.1 * len(data.train))
    assert torch.equal(data.test.x, data.test.inputs[:])
    assert isinstance(data.test, Split)
