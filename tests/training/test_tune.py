"""`taxo tune`: searches that are kept, gone on with and shared, and what they write."""

from __future__ import annotations

import csv
import json
from importlib.util import find_spec
from pathlib import Path

import pytest

import taxo
from taxo.training import tune

from .conftest import press_ctrl_c, spoil_the_loss

FAST = ("--model", "linear", "--batch-size", "500", "--epochs", "2", "--noise", "pair:20%", "--quiet")
needs_optuna = pytest.mark.skipif(find_spec("optuna") is None, reason="searches are Optuna's")


def trials(folder: Path) -> list[dict[str, str]]:
    with (folder / "trials.csv").open() as file:
        return list(csv.DictReader(file))


@needs_optuna
def test_the_winner_is_a_specification_that_gives_its_number(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_command("tune", "label_smoothing", *FAST, "--trials", "5", "--output", "a") == 0
    out = capsys.readouterr().out
    assert "written to a/label_smoothing.taxo" in out
    found = trials(tmp_path / "a")
    assert [row["trial"] for row in found] == ["1", "2", "3", "4", "5"]
    assert found[0]["lam"] == "0.1"  # the values as they stand are tried first
    winner = max(found, key=lambda row: float(row["validation"] or 0))
    text = (tmp_path / "a" / "label_smoothing.taxo").read_text()
    assert f"# lam = {winner['lam']}: " in text
    method = taxo.load(tmp_path / "a" / "label_smoothing.taxo")
    assert method == taxo.load(f"label_smoothing(lam: {winner['lam']})")
    assert run_command("train", "a/label_smoothing.taxo", *FAST, "--output", "b") == 0
    lines = [json.loads(line) for line in (tmp_path / "b" / "metrics.jsonl").read_text().splitlines()]
    reached = max(line["validation_accuracy"] for line in lines)
    assert reached == pytest.approx(float(winner["validation"]))


@needs_optuna
def test_a_search_is_the_same_again(run_command, tmp_path: Path):
    for name in ("a", "b"):
        assert run_command("tune", "label_smoothing", *FAST, "--trials", "4", "--output", name) == 0
    assert trials(tmp_path / "a") == trials(tmp_path / "b")


@needs_optuna
def test_an_interrupted_search_goes_on(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str], trouble
):
    words = ("tune", "label_smoothing", *FAST, "--trials", "3", "--output", "a")
    patch = trouble(press_ctrl_c, 2, "label_smoothing")
    assert run_command(*words) == 130
    assert "go on with: taxo tune --resume a" in capsys.readouterr().out
    patch.undo()
    assert run_command("tune", "--resume", "a", "--quiet") == 0
    assert len(trials(tmp_path / "a")) == 3
    assert run_command("tune", "--resume", "a", "--trials", "5", "--quiet") == 0
    assert len(trials(tmp_path / "a")) == 5
    assert run_command("tune", "--resume", "a", "--lr", "0.5") == 1
    assert "error[T508]: a setting has changed" in capsys.readouterr().err


@needs_optuna
def test_workers_with_one_storage_share_their_trials(run_command, tmp_path: Path):
    shared = ("--storage", f"sqlite:///{tmp_path}/trials.db")
    assert run_command("tune", "label_smoothing", *FAST, "--trials", "2", *shared, "--output", "a") == 0
    assert run_command("tune", "label_smoothing", *FAST, "--trials", "4", *shared, "--output", "b") == 0
    assert trials(tmp_path / "b")[:2] == trials(tmp_path / "a")
    # another question is another study
    other = (*FAST, "--lr", "0.5", "--trials", "1", *shared, "--output", "c")
    assert run_command("tune", "label_smoothing", *other) == 0
    assert len(trials(tmp_path / "c")) == 1


@needs_optuna
def test_values_that_were_tried_are_not_tried_again(run_command, tmp_path: Path, monkeypatch):
    ran: list[int] = []
    fit = tune.fit

    def counted(*arguments):
        ran.append(1)
        return fit(*arguments)

    monkeypatch.setattr(tune, "fit", counted)
    words = ("tune", "logpert(eta: 3)", *FAST, "--trials", "8", "--seeds", "2", "--output", "a")
    assert run_command(*words) == 0
    found = trials(tmp_path / "a")
    assert len(found) == 8
    tried = {row["lam"] for row in found}
    assert tried <= {"0.175", "0.3", "0.35"}
    done = {row["lam"] for row in found if row["state"] == "done"}
    assert len(ran) == 2 * len(done) + sum(row["state"] == "pruned" for row in found)
    for lam in done:
        assert len({row["validation"] for row in found if row["lam"] == lam and row["state"] == "done"}) == 1


@needs_optuna
def test_a_trial_that_fails_costs_the_others_nothing(run_command, tmp_path: Path, trouble):
    trouble(spoil_the_loss, 3, "label_smoothing")
    words = ("tune", "label_smoothing", *FAST, "--trials", "2", "--output", "a")
    assert run_command(*words) == 3  # here every trial fails
    assert not (tmp_path / "a" / "label_smoothing.taxo").exists()


@needs_optuna
@pytest.mark.parametrize("place", ["nosuch://host/trials", "sqlite:////no/such/folder/trials.db"])
def test_a_storage_that_cannot_be_opened(run_command, capsys: pytest.CaptureFixture[str], place: str):
    words = ("tune", "label_smoothing", *FAST, "--storage", place, "--output", "a")
    assert run_command(*words) == 2
    assert f"error[T503]: `--storage {place}` cannot be opened" in capsys.readouterr().err
    assert not Path("a/tune.json").exists()


def test_a_dry_run_says_what_would_be_searched(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_command("tune", "logpert", "--set", "eta=3", "--dry-run", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["trials"], found["over"]) == (30, {"lam": "{0.175, 0.3, 0.35}"})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        ((), "T503", 2),
        (("plain",), "T503", 2),
        (("logpert", "--validation", "0"), "T503", 2),
        (("logpert", "--trials", "0"), "T503", 2),
        (("logpert", "--set", "lamm=1"), "T403", 2),
        (("--resume", "nothing"), "T507", 1),
    ],
)
def test_a_mistake_has_its_exit_code_and_writes_nothing(
    refused, words: tuple[str, ...], code: str, exit_code: int
):
    refused("tune", *words, code=code, exit_code=exit_code)


def test_without_optuna_it_says_what_to_install(
    run_command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    assert run_command("tune", "label_smoothing", *FAST, "--output", "a") == 1
    assert "pip install 'taxo[tune]'" in capsys.readouterr().err
