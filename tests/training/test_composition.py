"""Runs of methods that use others: kept as they were written, and not resumed when a used one has changed."""

from pathlib import Path

import pytest

from taxo.cli import main

INNER = (
    "method inner param a = {} perturb logits by a * u {{ direction mixed infer prior granularity corpus }}"
)


def train(folder: Path, *words: str) -> int:
    run = ["--epochs", "1", "--quiet", "--output", str(folder / "run")]
    return main(["train", str(folder / "outer.taxo"), *run, *words])


def test_a_changed_neighbour_stops_a_resumed_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "inner.taxo").write_text(INNER.format(0.1))
    (tmp_path / "outer.taxo").write_text("method outer\nuse inner\n")
    assert train(tmp_path) == 0
    assert (tmp_path / "run" / "method.taxo").read_text() == "method outer\n\nuse inner\n"
    assert train(tmp_path, "--resume") == 0
    (tmp_path / "inner.taxo").write_text(INNER.format(0.2))
    assert train(tmp_path, "--resume") == 1
    assert "+inner__a = 0.2" in capsys.readouterr().err
