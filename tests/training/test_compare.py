"""`taxo compare`, from words to tables and exit codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from taxo.training.grid import GridFolder

pytestmark = pytest.mark.usefixtures("double")

FAST = ("--model", "linear", "--batch-size", "500", "--epochs", "2")
STEPS = 4


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "table.csv").open() as file:
        return [
            {name: value for name, value in row.items() if name != "seconds_per_epoch"}
            for row in csv.DictReader(file)
        ]


def test_a_comparison_writes_and_shows_its_table(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_command("compare", "plain", "table", *FAST, "--seeds", "3", "--output", "a") == 0
    names = ["compare.json", "runs.jsonl", "table.csv", "table.md"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    cells = GridFolder(tmp_path / "a").cells()
    assert [(cell.seed, cell.label) for cell in cells] == [
        (seed, label) for seed in range(3) for label in ("plain", "table")
    ]
    first, second = table(tmp_path / "a")
    means = {
        label: sum(cell.test or 0 for cell in cells if cell.label == label) / 3
        for label in ("plain", "table")
    }
    assert float(first["test"]) == pytest.approx(means["plain"])
    assert float(second["difference"]) == pytest.approx(means["table"] - means["plain"])
    out = capsys.readouterr().out
    assert "run 6/6  table, seed 2: test" in out
    assert f"{means['plain']:.1%}"[:-1] in out
    assert max(map(len, out.splitlines())) <= 100


def test_every_method_of_a_seed_starts_alike(run_command, tmp_path: Path, double):
    same = ("plain", "plain(0)", "plain(00)")
    run_command("compare", *same, *FAST, "--seeds", "3", "--output", "a")
    cells = GridFolder(tmp_path / "a").cells()
    for seed in range(3):
        assert len({cell.test for cell in cells if cell.seed == seed}) == 1
    assert len({cell.test for cell in cells}) > 1


def test_json(run_command, capsys: pytest.CaptureFixture[str]):
    assert run_command("compare", "plain", "table", *FAST, "--seeds", "1", "--json", "--output", "a") == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["label"] for row in found["rows"]] == ["plain", "table"]
    assert found["rows"][0]["test"]["error"] is None


def test_dry_run_writes_nothing(run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run_command("compare", "plain", "table", "--dry-run") == 0
    out = capsys.readouterr().out
    assert "table  (1 F + 1 B)" in out
    assert "0 to 4" in out
    assert run_command("compare", "plain", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["seeds"] == 5
    assert list(tmp_path.iterdir()) == []


def test_a_method_that_fails_costs_the_others_nothing(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_command("compare", "plain", "nan(2)", *FAST, "--seeds", "2", "--output", "a") == 3
    first, second = table(tmp_path / "a")
    assert (first["failed"], second["failed"], second["test"]) == ("0", "2", "")
    assert "nan(2), seed 1: the loss of `nan` is nan in epoch 1, step 2 of 2" in capsys.readouterr().out


def test_ctrl_c_keeps_what_is_done_and_resume_ends_as_if_uninterrupted(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str], double, monkeypatch: pytest.MonkeyPatch
):
    words = ("plain", "interrupt(3)", "table")
    with monkeypatch.context() as patch:
        patch.setattr(double, "_happen", lambda self, step: None)
        run_command("compare", *words, *FAST, "--seeds", "2", "--output", "whole")
    assert run_command("compare", *words, *FAST, "--seeds", "2", "--output", "a") == 130
    assert "go on with: taxo compare --resume a" in capsys.readouterr().out
    assert [cell.label for cell in GridFolder(tmp_path / "a").cells()] == ["plain"]
    monkeypatch.setattr(double, "_happen", lambda self, step: None)
    assert run_command("compare", "--resume", "a") == 0
    assert table(tmp_path / "a") == table(tmp_path / "whole")


def test_resume_may_add_methods_and_seeds(run_command, tmp_path: Path):
    run_command("compare", "plain", *FAST, "--seeds", "1")
    folder = next((tmp_path / "runs").iterdir())
    before = GridFolder(folder).cells()
    assert run_command("compare", "plain", "table", "--seeds", "2", "--resume") == 0
    after = GridFolder(folder).cells()
    assert after[:1] == before
    assert {(cell.label, cell.seed) for cell in after} == {(m, s) for m in ("plain", "table") for s in (0, 1)}
    assert run_command("compare", "table", "--seeds", "1", "--resume") == 0  # and then look at fewer
    assert [(row["method"], row["runs"]) for row in table(folder)] == [("table", "1")]
    assert GridFolder(folder).origin().labels == ("plain", "table")
    assert GridFolder(folder).cells() == after


def test_resume_refuses_what_has_changed(run_command, capsys: pytest.CaptureFixture[str], double):
    run_command("compare", "plain", *FAST, "--seeds", "1", "--output", "a")
    assert run_command("compare", "--resume", "a", "--lr", "0.5") == 1
    assert '+  "lr": 0.5,' in capsys.readouterr().err
    double.texts = {"plain": "method plain\n  something\n"}
    assert run_command("compare", "--resume", "a") == 1
    error = capsys.readouterr().err
    assert "error[T508]: the specification of `plain` has changed" in error
    assert "+  something" in error


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), "T401"),
        (("plain", "plain"), "T103"),
        (("plain", "plane"), "T201"),
        (("plain", "--seeds", "0"), "T503"),
        (("--resume",), "T507"),
        (("--resume", "nothing"), "T507"),
    ],
)
def test_a_mistake_exits_1_and_writes_nothing(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: str
):
    assert run_command("compare", *words) == 1
    assert f"error[{code}]" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_finished_comparison_is_not_overwritten(run_command, capsys: pytest.CaptureFixture[str]):
    run_command("compare", "plain", *FAST, "--seeds", "1", "--output", "a")
    assert run_command("compare", "plain", *FAST, "--seeds", "1", "--output", "a") == 1
    assert "error[T506]: `a` already holds a run" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["compare.json", "runs.jsonl"])
def test_a_broken_comparison_is_refused(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
):
    run_command("compare", "plain", *FAST, "--seeds", "1", "--output", "a")
    (tmp_path / "a" / name).write_text("{\n")
    assert run_command("compare", "--resume", "a") == 1
    assert "error[T507]" in capsys.readouterr().err
