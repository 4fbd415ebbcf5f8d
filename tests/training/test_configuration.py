"""Flags from a file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

TEXT = """
model = "mlp"
epochs = 2
batch-size = 200
lr = 0.1
noise = "pair:30%"
quiet = true
ema = 0.9
deterministic = false
output = "here"

[set]
eta = 3
lam = 0.175
"""


def test_a_file_says_flags_and_what_is_typed_wins(run_command, tmp_path: Path, capsys):
    (tmp_path / "run.toml").write_text(TEXT)
    words = ("--config", "run.toml", "--epochs", "1", "--set", "eta=1.5")
    assert run_command("train", "logpert", *words) == 0
    settings = json.loads((tmp_path / "here" / "run.json").read_text())["settings"]
    expected = {"model": "mlp", "epochs": 1, "batch_size": 200, "lr": 0.1, "noise": "pair:30%", "ema": 0.9}
    assert settings.items() >= {**expected, "deterministic": False}.items()
    assert settings["params"] == {"eta": "1.5", "lam": "0.175"}
    assert "epoch 1/1" not in capsys.readouterr().out


def test_a_comparison_reads_it_too(run_command, tmp_path: Path, capsys):
    (tmp_path / "grid.toml").write_text('seeds = 2\ndry-run = true\nmodel = "linear"\n')
    assert run_command("compare", "plain", "logpert", "--config", "grid.toml", "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["seeds"], said["settings"]["model"]) == (2, "linear")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch = 3", "`run.toml` sets `epoch`, which is no flag\n  help: did you mean `epochs`"),
        ("handler = 3", "sets `handler`, which is no flag"),
        ("epochs = [3]", "`run.toml: epochs` cannot be `[3]`"),
        ("quiet = 1", "`run.toml: quiet` cannot be `1`\n  help: expected `true` or `false`"),
        ("lr = true", "`--lr` cannot be `on`"),
        ("set = 3", "`run.toml: set` cannot be `3`"),
        ("epochs = ", "`--config run.toml` cannot be read"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(run_command, tmp_path: Path, capsys, text: str, message: str):
    (tmp_path / "run.toml").write_text(text + "\n")
    assert run_command("train", "plain", "--config", "run.toml") == 2
    error = capsys.readouterr().err
    assert "error[T503]" in error
    assert message in error


def test_a_file_that_is_not_there(run_command, capsys):
    assert run_command("train", "plain", "--config", "none.toml") == 2
    assert "`--config none.toml` cannot be read" in capsys.readouterr().err
