"""`taxo evaluate`, from a run folder to numbers and exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import taxo
from taxo.training import checkpoint
from taxo.training.folder import RunFolder, trained

from .test_train import SHORT, lines

ASKED = ("attack(steps: 2)", "tail", "calibration")


def note(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "evaluation.json").read_text())


@pytest.fixture
def a_run(run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A run in the folder `a`."""
    assert run_command("train", "plain", *SHORT, "--quiet", "--output", "a") == 0
    capsys.readouterr()
    return tmp_path / "a"


def test_a_run_is_evaluated_from_its_folder(run_command, a_run: Path, capsys: pytest.CaptureFixture[str]):
    assert run_command("evaluate", "a") == 0
    found, out = note(a_run), capsys.readouterr().out
    assert found["values"]["accuracy"] == pytest.approx(lines(a_run)[-1]["test_accuracy"])
    assert found["values"]["PGD"] <= found["values"]["FGSM"] <= found["values"]["accuracy"]
    assert "mCE" not in found["values"]
    assert (found["weights"], found["epochs"], found["method"]) == ("last", 3, "plain")
    assert f"{found['values']['PGD']:.1%}"[:-1] in out
    for word in ("gaussian_noise", "margin", "tail(share: 1 / 3)", "plain, last weights, 3 epochs"):
        assert word in out
    assert max(map(len, out.splitlines())) <= 100


def test_only_what_is_asked_is_answered(run_command, a_run: Path, capsys: pytest.CaptureFixture[str]):
    assert run_command("evaluate", "a", *ASKED, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found == note(a_run)
    assert list(found["answers"]) == ["attack", "tail", "calibration"]
    assert found["questions"][0] == "attack(eps: 8 / 255, steps: 2, step: eps / 4, restarts: 1)"
    assert list(found["values"]) == ["FGSM", "PGD", "tail", "rest", "ECE"]
    assert found["relative"] == {}


def test_the_best_weights_are_those_of_the_best_epoch(run_command, a_run: Path):
    assert run_command("evaluate", "a", "accuracy", "--weights", "best") == 0
    history = lines(a_run)
    top = max(line["validation_accuracy"] for line in history)
    best = next(line for line in history if line["validation_accuracy"] == top)
    found = note(a_run)
    assert found["epochs"] == best["epoch"] + 1
    assert found["values"]["accuracy"] == pytest.approx(best["test_accuracy"])


def test_the_run_decides_what_is_drawn(run_command, a_run: Path):
    answers = []
    for _ in range(2):
        run_command("evaluate", "a", "attack", "corruptions")
        answers.append(note(a_run)["answers"])
    assert answers[0] == answers[1]


def test_a_baseline_gives_relative_errors(
    run_command, a_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run_command("evaluate", "a", "corruptions", "--baseline", "a")
    found = note(a_run)
    assert found["values"]["mCE"] == 1
    assert set(found["relative"].values()) == {1}
    assert "CE %" in capsys.readouterr().out
    run_command("train", "l2_noise", *SHORT, "--quiet", "--output", "b")
    run_command("evaluate", "b", "corruptions", "--baseline", "a")
    first, second = found["answers"]["corruptions"], note(tmp_path / "b")["answers"]["corruptions"]
    ratios = {name: sum(second[name]) / sum(first[name]) for name in first}
    assert note(tmp_path / "b")["relative"] == pytest.approx(ratios)
    assert note(tmp_path / "b")["values"]["mCE"] == pytest.approx(sum(ratios.values()) / len(ratios))


def test_a_baseline_has_the_same_test_samples(run_command, a_run: Path, capsys: pytest.CaptureFixture[str]):
    run_command("train", "plain", *SHORT, "--seed", "1", "--quiet", "--output", "b")
    assert run_command("evaluate", "a", "corruptions", "--baseline", "b") == 2
    assert (
        "the test samples of digits, seed 1, and this run those of digits, seed 0" in capsys.readouterr().err
    )
    assert run_command("evaluate", "a", "tail", "--baseline", "a") == 2
    assert "`--baseline` is about `corruptions`" in capsys.readouterr().err
    assert not (a_run / "evaluation.json").exists()


def test_what_acts_at_evaluation_is_part_of_the_model(run_command, tmp_path: Path):
    words = (*SHORT, "--imbalance", "exp:10", "--quiet")
    run_command("train", "plain", *words, "--output", "a")
    run_command("train", "logit_adjustment_posthoc", *words, "--output", "b")
    for name in ("a", "b"):
        run_command("evaluate", name, "tail", "attack(steps: 2)")
    first, second = (note(tmp_path / name)["values"] for name in ("a", "b"))
    assert first["tail"] < second["tail"]
    assert first["PGD"] != second["PGD"]


def test_a_run_is_evaluated_by_the_specification_that_it_ran(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    text = str(taxo.load("logit_adjustment_posthoc")).replace(
        "method logit_adjustment_posthoc", "method mine"
    )
    file = tmp_path / "mine.taxo"
    file.write_text(text)
    run_command("train", "mine.taxo", *SHORT, "--set", "tau=2", "--quiet", "--output", "a")
    file.unlink()
    assert run_command("evaluate", "a", "accuracy") == 0
    assert str(trained(RunFolder(tmp_path / "a"), "last").step.method) == text.replace("tau = 1", "tau = 2")


def test_of_a_composition_too_unless_a_part_has_changed(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    text = str(taxo.load("label_smoothing")).replace("method label_smoothing", "method mine")
    (tmp_path / "mine.taxo").write_text(text)
    run_command("train", "mine.taxo+damp", *SHORT, "--quiet", "--output", "a")
    assert run_command("evaluate", "a", "accuracy") == 0
    assert note(tmp_path / "a")["values"]["accuracy"] == pytest.approx(
        lines(tmp_path / "a")[-1]["test_accuracy"]
    )
    (tmp_path / "mine.taxo").write_text(text.replace("lam = 0.1", "lam = 0.2"))
    assert run_command("evaluate", "a", "accuracy") == 1
    assert "error[T508]: the program has changed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("atack",), "did you mean `attack`?"),
        (("attack", "attack"), "`QUESTION` asks for `attack` twice"),
        (("accuracy", "--weights", "bset"), "did you mean `best`?"),
        (("accuracy", "--device", "gpu"), "`--device` cannot be `gpu`"),
    ],
)
def test_a_wrong_word_is_a_usage_error(
    run_command, a_run: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
):
    assert run_command("evaluate", "a", *words) == 2
    error = capsys.readouterr().err
    assert "error[T503]" in error
    assert message in error
    assert not (a_run / "evaluation.json").exists()


@pytest.mark.parametrize("missing", ["run.json", "method.taxo", "last/state.safetensors"])
def test_a_folder_that_is_no_whole_run_is_refused(
    run_command, a_run: Path, capsys: pytest.CaptureFixture[str], missing: str
):
    (a_run / missing).unlink()
    assert run_command("evaluate", "a", "accuracy") == 1
    error = capsys.readouterr().err
    assert "error[T507]" in error
    assert "help:" in error


def test_no_folder_at_all(run_command, capsys: pytest.CaptureFixture[str]):
    assert run_command("evaluate", "nothing") == 1
    assert "error[T507]: `nothing` holds no run" in capsys.readouterr().err


def test_a_checkpoint_of_another_model_is_refused(
    run_command, a_run: Path, capsys: pytest.CaptureFixture[str]
):
    state = checkpoint.load(a_run / "last")
    name = next(name for name in state.tensors if name.startswith("step.model"))
    del state.tensors[name]
    checkpoint.save(a_run / "last", state)
    assert run_command("evaluate", "a", "accuracy") == 1
    assert "error[T507]: the checkpoint does not fit this run" in capsys.readouterr().err


def test_tables_have_no_corruptions_and_regressions_no_classes(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    run_command("train", "plain", "--data", "iris", "--epochs", "2", "--quiet", "--output", "a")
    assert run_command("evaluate", "a") == 0
    assert "corruptions" not in note(tmp_path / "a")["answers"]
    assert run_command("evaluate", "a", "corruptions") == 2
    text = 'method least_squares\n  "A base objective"\n  "Nothing is perturbed."\nloss mse\n'
    (tmp_path / "least_squares.taxo").write_text(text)
    words = ("least_squares.taxo", "--data", "diabetes", "--epochs", "2", "--quiet", "--output", "b")
    run_command("train", *words)
    capsys.readouterr()
    assert run_command("evaluate", "b") == 2
    assert "measured by R²" in capsys.readouterr().err
