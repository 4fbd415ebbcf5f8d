"""Base problems other than classes of images: each by the one command, on real data."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
import torch

from taxo.training import checkpoint
from taxo.training.data import load
from taxo.training.settings import change, sensible

from .conftest import press_ctrl_c
from .test_train import lines, same

CPU = torch.device("cpu")


def method(path: Path, loss: str) -> str:
    path.write_text(f'method {path.stem}\n  "A base objective"\n  "Nothing is perturbed."\nloss {loss}\n')
    return path.name


@pytest.mark.parametrize(("data", "least"), [("wine", 0.9), ("iris", 0.9), ("breast_cancer", 0.93)])
def test_tables_are_learned(run_command, tmp_path: Path, data: str, least: float):
    assert run_command("train", "plain", "--data", data, "--quiet", "--epochs", "30", "--output", "a") == 0
    last = lines(tmp_path / "a")[-1]
    assert last["test_accuracy"] >= least
    assert last["measure"] == "accuracy"


def test_a_table_spans_one_by_its_training_rows():
    data = load(sensible("wine"), CPU)
    assert torch.equal(data.train.x.amin(0), torch.zeros(13))
    assert torch.equal(data.train.x.amax(0), torch.ones(13))
    assert data.test.x.shape == (71, 13)


def test_targets_are_standardised_on_the_training_rows_before_errors_are_made():
    quiet = load(sensible("diabetes"), CPU)
    assert quiet.train.y.shape == (240, 1)
    assert float(quiet.train.y.mean()) == pytest.approx(0, abs=1e-6)
    assert float(quiet.train.y.square().mean()) == pytest.approx(1, abs=1e-5)
    assert quiet.class_counts is None
    noisy = load(change(sensible("diabetes"), {"noise": "random:20%"}), CPU)
    assert int(noisy.train.flipped.sum()) == round(0.2 * 240)
    assert torch.equal(noisy.train.clean, quiet.train.y)
    assert torch.equal(noisy.validation.y, quiet.validation.y)
    assert torch.equal(noisy.test.y, quiet.test.y)


def test_a_regression_is_as_good_as_least_squares(run_command, tmp_path: Path, capsys):
    name = method(tmp_path / "mine.taxo", "mse")
    assert run_command("train", name, "--data", "diabetes", "--output", "a", "--epochs", "60") == 0
    last = lines(tmp_path / "a")[-1]
    data = load(sensible("diabetes"), CPU)
    train, test = data.train, data.test
    rows = torch.cat([train.x, torch.ones(len(train), 1)], 1).double()
    weights = torch.linalg.lstsq(rows, train.y.double()).solution
    fitted = torch.cat([test.x, torch.ones(len(test), 1)], 1).double() @ weights
    spread = (test.y - test.y.mean()).double().square().sum()
    expected = 1 - (fitted - test.y).square().sum() / spread
    assert last["test_accuracy"] == pytest.approx(float(expected), abs=0.03)
    assert last["measure"] == "R²"
    assert f"test R² {last['test_accuracy']:.3f} after 60 epochs" in capsys.readouterr().out


@pytest.mark.parametrize("loss", ["mse", "kmeans", "icp"])
def test_a_base_problem_is_resumed_bit_for_bit(run_command, tmp_path: Path, trouble, loss: str):
    name = method(tmp_path / "mine.taxo", loss)
    data = {"mse": "diabetes", "kmeans": "iris", "icp": "playground:points"}[loss]
    model = ("--model", "centres") if loss == "kmeans" else ()
    words = (name, "--data", data, *model, "--epochs", "5", "--quiet", "--noise", "random:10%")
    assert run_command("train", *words, "--output", "whole") == 0
    patch = trouble(press_ctrl_c, 3, "mine")
    assert run_command("train", *words, "--output", "a") == 130
    patch.undo()
    assert run_command("train", "--resume", "a", "--quiet") == 0
    assert same(tmp_path / "whole", tmp_path / "a")
    assert lines(tmp_path / "whole") == lines(tmp_path / "a")


def test_clusters_of_irises_are_nearly_their_species(run_command, tmp_path: Path):
    name = method(tmp_path / "mine.taxo", "kmeans")
    words = ("--data", "iris", "--model", "centres", "--epochs", "40", "--quiet")
    assert run_command("train", name, *words, "--output", "a") == 0
    assert lines(tmp_path / "a")[-1]["test_accuracy"] > 0.8
    places = checkpoint.load(tmp_path / "a" / "last").tensors["step.model.body.places"]
    x = load(sensible("iris"), CPU).train.x
    near = torch.cdist(x, places).argmin(1)
    means = torch.stack([x[near == number].mean(0) for number in range(3)])
    assert float((means - places).abs().max()) < 0.05  # where k-means itself would stop


def test_an_alignment_finds_the_turn(run_command, tmp_path: Path):
    name = method(tmp_path / "mine.taxo", "icp")
    assert run_command("train", name, "--data", "playground:points", "--quiet", "--output", "a") == 0
    tensors = checkpoint.load(tmp_path / "a" / "last").tensors
    spin = tensors["step.model.body.spin"]
    turn = torch.linalg.matrix_exp(spin - spin.T)
    angle = torch.rad2deg(((turn.trace() - 1) / 2).acos())
    assert float(angle) == pytest.approx(30, abs=0.5)
    assert tensors["step.model.body.shift"].tolist() == pytest.approx([0.3, -0.2, 0.1], abs=0.01)
    assert lines(tmp_path / "a")[-1]["test_accuracy"] > 0.999


def test_stray_points_are_in_training_only():
    quiet, noisy = (
        load(change(sensible("playground:points"), {"noise": noise}), CPU) for noise in ("none", "random:20%")
    )
    moved = (noisy.train.x != quiet.train.x).any(1)
    assert int(moved.sum()) == round(0.2 * len(quiet.train))
    assert torch.equal(noisy.train.y, quiet.train.y)
    assert torch.equal(noisy.test.x, quiet.test.x)


def test_a_comparison_names_what_it_measures(run_command, tmp_path: Path, capsys):
    name = method(tmp_path / "mine.taxo", "mse")
    words = (name, "--data", "diabetes", "--epochs", "2", "--seeds", "2", "--noise", "random:10%")
    assert run_command("compare", *words, "--output", "a") == 0
    out = capsys.readouterr().out
    assert "diabetes, gross errors random:10%, linear, 2 epochs" in out
    assert "test R²" in out
    assert "variance that is explained" in out
    assert "| test R² |" in (tmp_path / "a" / "table.md").read_text()
    with (tmp_path / "a" / "table.csv").open(newline="") as file:
        assert {row["measure"] for row in csv.DictReader(file)} == {"R²"}
    assert run_command("compare", *words, "--output", "b", "--json", "--quiet") == 0
    assert json.loads(capsys.readouterr().out)["measure"] == "R²"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("plain", "--data", "diabetes"), "T503.*`cross_entropy`.*does not fit the targets of `diabetes`"),
        (("icp", "--data", "iris"), "T503.*`icp`.*does not fit the classes of `iris`"),
        (("kmeans", "--data", "iris"), "T503.*moves centres.*\n.*--model centres"),
        (("kmeans(2)", "--data", "iris", "--model", "centres"), "T503.*finds 2 clusters.*\n.*at least 3"),
        (("mse", "--data", "diabetes", "--model", "centres"), "T504.*finds clusters"),
        (("plain", "--data", "iris", "--model", "rigid"), "T504.*moves points"),
        (("plain", "--data", "iris", "--model", "cnn"), "T504.*takes images"),
        (
            ("mse", "--data", "diabetes", "--noise", "pair:10%"),
            "T503.*about classes, and `diabetes` has none",
        ),
        (("mse", "--data", "diabetes", "--imbalance", "exp:9"), "T503.*about classes"),
        (("plain", "--data", "iris", "--corrupt", "fog:1"), "T503.*about images, and `iris` has none"),
    ],
)
def test_what_does_not_go_together_is_refused_before_training(
    run_command, tmp_path: Path, capsys, words: tuple[str, ...], message: str
):
    from re import search

    first = words[0] if words[0] == "plain" else method(tmp_path / f"{words[0][:3]}_of_mine.taxo", words[0])
    assert run_command("train", first, *words[1:]) == 2
    assert search(message, capsys.readouterr().err)
    assert not (tmp_path / "runs").exists()
