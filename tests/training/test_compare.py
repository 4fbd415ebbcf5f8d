"""`taxo compare`, from words to tables and exit codes."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import taxo
from taxo.training import grid_runs
from taxo.training.grid import GridFolder
from taxo.training.questions import Question
from taxo.training.subject import Subject

from .conftest import press_ctrl_c, spoil_the_loss

FAST = ("--model", "linear", "--batch-size", "500", "--epochs", "2")


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "table.csv").open() as file:
        return [
            {name: value for name, value in row.items() if name != "seconds_per_epoch"}
            for row in csv.DictReader(file)
        ]


def test_a_comparison_writes_and_shows_its_table(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_command("compare", "plain", "logpert", *FAST, "--seeds", "3", "--output", "a") == 0
    names = ["compare.json", "report.html", "runs.jsonl", "table.csv", "table.md", "table.tex"]
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == names
    cells = GridFolder(tmp_path / "a").cells()
    assert [(cell.seed, cell.label) for cell in cells] == [
        (seed, label) for seed in range(3) for label in ("plain", "logpert")
    ]
    first, second = table(tmp_path / "a")
    means = {
        label: sum(cell.test or 0 for cell in cells if cell.label == label) / 3
        for label in ("plain", "logpert")
    }
    assert float(first["test"]) == pytest.approx(means["plain"])
    assert float(second["difference"]) == pytest.approx(means["logpert"] - means["plain"])
    out = capsys.readouterr().out
    assert "run 6/6  logpert, seed 2: test" in out
    assert f"{means['plain']:.1%}"[:-1] in out
    assert max(map(len, out.splitlines())) <= 100


def test_every_method_of_a_seed_starts_alike(run_command, tmp_path: Path):
    same = ("plain", "label_smoothing(lam: 0)", "mixpert(eta: 0, eps: 0)")
    run_command("compare", *same, *FAST, "--seeds", "3", "--output", "a")
    cells = GridFolder(tmp_path / "a").cells()
    for seed in range(3):
        assert len({cell.test for cell in cells if cell.seed == seed}) == 1
    assert len({cell.test for cell in cells}) > 1


def test_json(run_command, capsys: pytest.CaptureFixture[str]):
    assert run_command("compare", "plain", "logpert", *FAST, "--seeds", "1", "--json", "--output", "a") == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["label"] for row in found["rows"]] == ["plain", "logpert"]
    assert found["rows"][0]["test"]["error"] is None


def test_dry_run_writes_nothing(run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run_command("compare", "plain", "logpert", "--dry-run") == 0
    out = capsys.readouterr().out
    assert "logpert  (1 F + 1 B)" in out
    assert "0 to 4" in out
    assert run_command("compare", "plain", "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["seeds"] == 5
    assert list(tmp_path.iterdir()) == []


def test_a_method_that_fails_costs_the_others_nothing(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str], trouble
):
    trouble(spoil_the_loss, 2, "logpert")
    assert run_command("compare", "plain", "logpert", *FAST, "--seeds", "2", "--output", "a") == 3
    first, second = table(tmp_path / "a")
    assert (first["failed"], second["failed"], second["test"]) == ("0", "2", "")
    assert "logpert, seed 1: the loss of `logpert` is nan in epoch 1, step 2 of 2" in capsys.readouterr().out


def test_ctrl_c_keeps_what_is_done_and_resume_ends_as_if_uninterrupted(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str], trouble
):
    words = ("plain", "logpert", "label_smoothing")
    run_command("compare", *words, *FAST, "--seeds", "2", "--output", "whole")
    capsys.readouterr()
    patch = trouble(press_ctrl_c, 3, "logpert")
    assert run_command("compare", *words, *FAST, "--seeds", "2", "--output", "a") == 130
    assert "go on with: taxo compare --resume a" in capsys.readouterr().out
    assert [cell.label for cell in GridFolder(tmp_path / "a").cells()] == ["plain"]
    patch.undo()
    assert run_command("compare", "--resume", "a") == 0
    assert table(tmp_path / "a") == table(tmp_path / "whole")


def test_ctrl_c_in_a_runs_last_step_begins_no_other_run(run_command, tmp_path: Path, trouble):
    trouble(press_ctrl_c, 4, "plain")
    assert run_command("compare", "plain", "logpert", *FAST, "--seeds", "1", "--output", "a") == 130
    assert [cell.label for cell in GridFolder(tmp_path / "a").cells()] == ["plain"]


def test_resume_may_add_methods_and_seeds(run_command, tmp_path: Path):
    run_command("compare", "plain", *FAST, "--seeds", "1")
    folder = next((tmp_path / "runs").iterdir())
    before = GridFolder(folder).cells()
    assert run_command("compare", "plain", "logpert", "--seeds", "2", "--resume") == 0
    after = GridFolder(folder).cells()
    assert after[:1] == before
    assert {(cell.label, cell.seed) for cell in after} == {
        (m, s) for m in ("plain", "logpert") for s in (0, 1)
    }
    assert run_command("compare", "logpert", "--seeds", "1", "--resume") == 0  # and then look at fewer
    assert [(row["method"], row["runs"]) for row in table(folder)] == [("logpert", "1")]
    assert GridFolder(folder).origin().labels == ("plain", "logpert")
    assert GridFolder(folder).cells() == after


def test_resume_refuses_what_has_changed(run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    text = str(taxo.load("label_smoothing")).replace("method label_smoothing", "method mine")
    (tmp_path / "mine.taxo").write_text(text)
    run_command("compare", "mine.taxo", *FAST, "--seeds", "1", "--output", "a")
    assert run_command("compare", "--resume", "a", "--lr", "0.5") == 1
    assert '+  "lr": 0.5,' in capsys.readouterr().err
    (tmp_path / "mine.taxo").write_text(text.replace("lam = 0.1", "lam = 0.2"))
    assert run_command("compare", "--resume", "a") == 1
    error = capsys.readouterr().err
    assert "error[T508]: the specification of `mine.taxo` has changed" in error
    assert "+param lam = 0.2" in error


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        ((), "T503", 2),
        (("plain", "plain"), "T103", 1),
        (("plain", "plane"), "T201", 1),
        (("plain", "--seeds", "0"), "T503", 2),
        (("--resume",), "T507", 1),
        (("--resume", "nothing"), "T507", 1),
    ],
)
def test_a_mistake_has_its_exit_code_and_writes_nothing(
    refused, words: tuple[str, ...], code: str, exit_code: int
):
    refused("compare", *words, code=code, exit_code=exit_code)


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


ASKED = ("--evaluate", "attack(steps: 2), corruptions, tail")


def test_a_comparison_evaluates_what_it_is_asked(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_command("compare", "plain", "logpert", *FAST, "--seeds", "2", *ASKED, "--output", "a") == 0
    out, columns = capsys.readouterr().out, ["FGSM", "PGD", "corrupted", "mCE", "tail", "rest"]
    assert all(f"{name} %" in out for name in columns)
    assert max(map(len, out.splitlines())) <= 100
    first, second = table(tmp_path / "a")
    assert (first["mCE"], first["mCE_error"], first["mCE_difference"]) == ("1.0", "0.0", "")
    assert float(second["mCE_difference"]) == pytest.approx(float(second["mCE"]) - 1)
    cells = GridFolder(tmp_path / "a").cells()
    values = [cell.answers["attack"]["PGD"][0] for cell in cells if cell.answers and cell.label == "plain"]
    assert float(first["PGD"]) == pytest.approx(sum(values) / 2)
    text = (tmp_path / "a" / "table.md").read_text()
    assert "| FGSM % | PGD % | corrupted % | mCE % | tail % | rest % | s / epoch | passes |" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1
    assert "attack(eps: 8 / 255, steps: 2, step: eps / 4, restarts: 1)" in text


def test_a_comparison_and_an_evaluation_agree(run_command, tmp_path: Path):
    run_command("compare", "plain", *FAST, "--seeds", "1", *ASKED, "--output", "a")
    run_command("train", "plain", *FAST, "--output", "b")
    run_command("evaluate", "b", *ASKED[1:])
    (cell,) = GridFolder(tmp_path / "a").cells()
    assert cell.answers == json.loads((tmp_path / "b" / "evaluation.json").read_text())["answers"]


def test_what_was_evaluated_is_not_evaluated_again(
    run_command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble
):
    words = ("plain", "logpert", *FAST, "--seeds", "1", *ASKED)
    run_command("compare", *words, "--output", "whole")
    patch = trouble(press_ctrl_c, 3, "logpert")
    assert run_command("compare", *words, "--output", "a") == 130
    patch.undo()
    asked: list[str] = []
    answers = grid_runs.answers

    def counted(subject: Subject, questions: tuple[Question, ...]):
        asked.append(str(subject.step.method.name))
        return answers(subject, questions)

    monkeypatch.setattr(grid_runs, "answers", counted)
    assert run_command("compare", "--resume", "a") == 0
    assert asked == ["logpert"]
    assert table(tmp_path / "a") == table(tmp_path / "whole")
    assert run_command("compare", "--resume", "a", *ASKED) == 0  # the same words again
    assert asked == ["logpert"]


def test_resume_refuses_other_questions(run_command, capsys: pytest.CaptureFixture[str]):
    run_command("compare", "plain", *FAST, "--seeds", "1", *ASKED, "--output", "a")
    assert run_command("compare", "--resume", "a", "--evaluate", "tail") == 1
    error = capsys.readouterr().err
    assert "error[T508]: what is evaluated has changed" in error
    assert "-corruptions" in error


def test_an_unknown_question_is_a_usage_error_and_writes_nothing(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_command("compare", "plain", "--evaluate", "attack, tial") == 2
    assert "did you mean `tail`?" in capsys.readouterr().err
    assert run_command("compare", "plain", "--data", "wine", "--evaluate", "corruptions") == 2
    assert "`corruptions` is about images, and `wine` has none" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_what_will_be_asked(run_command, capsys: pytest.CaptureFixture[str]):
    run_command("compare", "plain", "--dry-run", "--evaluate", "tail(share: 20%)")
    said = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert said["evaluate"].strip() == "tail(share: 20%)"
    assert said["clean validation"].strip() == "0"
    run_command("compare", "plain", "--dry-run", "--json", "--evaluate", "tail")
    assert json.loads(capsys.readouterr().out)["evaluate"] == ["tail(share: 1 / 3)"]


def test_a_method_that_fails_has_no_answers(run_command, tmp_path: Path, trouble):
    trouble(spoil_the_loss, 2, "logpert")
    words = ("plain", "logpert", *FAST, "--seeds", "1", *ASKED)
    assert run_command("compare", *words, "--output", "a") == 3
    first, second = table(tmp_path / "a")
    assert float(first["tail"]) > 0
    assert second["tail"] == ""


def test_questions_are_put_to_the_weights_that_are_measured(run_command, tmp_path: Path):
    words = (
        "compare",
        "plain",
        *FAST,
        "--seeds",
        "1",
        "--ema",
        "0.9",
        "--evaluate",
        "accuracy",
        "--output",
        "a",
    )
    assert run_command(*words) == 0
    (cell,) = GridFolder(tmp_path / "a").cells()
    assert cell.answers is not None
    assert cell.answers["accuracy"]["accuracy"] == [pytest.approx(cell.test)]
