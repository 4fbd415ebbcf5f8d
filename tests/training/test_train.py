"""`taxo train`, from words to files and exit codes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from time import sleep
from typing import Any

import pytest
import torch

import taxo
from taxo.training import checkpoint

from .conftest import press_ctrl_c, press_ctrl_c_twice, run_out_of_memory, spoil_the_loss

FAST = ("--model", "mlp", "--batch-size", "200", "--lr", "0.1", "--noise", "pair:30%")
SHORT = (*FAST, "--epochs", "3")


def lines(folder: Path) -> list[dict[str, Any]]:
    read = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name != "seconds"} for line in read]


def count_lines(folder: Path) -> int:
    return (folder / "metrics.jsonl").read_text().count("\n")


def same(one: Path, other: Path) -> bool:
    first, second = (checkpoint.load(folder / "last").tensors for folder in (one, other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_a_run_folder_says_everything(run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run_command("train", "logpert", *SHORT, "--output", "a", "--set", "eta=3") == 0
    folder = tmp_path / "a"
    names = ["best", "events.out.tfevents.0.taxo", "last", "method.taxo", "metrics.jsonl"]
    names += ["program.py", "report.html", "run.json", "suspects.csv"]
    assert sorted(path.name for path in folder.iterdir()) == names
    assert taxo.parse((folder / "method.taxo").read_text()) == taxo.load("logpert(eta: 3)")
    assert "compiled by taxo from `logpert.taxo`" in (folder / "program.py").read_text()
    note = json.loads((folder / "run.json").read_text())
    assert (note["method"], note["cost"]) == ("logpert", "1 F + 1 B")
    assert note["settings"]["noise"] == "pair:30%"
    assert note["settings"]["params"] == {"eta": "3"}
    # the package calls itself by less than torch does, which adds its build
    assert torch.__version__.startswith(note["versions"]["torch"])
    assert note["device"].startswith("cpu")
    assert [line["epoch"] for line in lines(folder)] == [0, 1, 2]
    out = capsys.readouterr().out
    assert [line.split()[1] for line in out.splitlines() if line.startswith("epoch")] == ["1/3", "2/3", "3/3"]
    assert f"test accuracy {lines(folder)[-1]['test_accuracy']:.1%} after 3 epochs" in out
    assert "run folder    a" in out


def test_the_folder_is_named_by_time_and_method(run_command, tmp_path: Path):
    assert run_command("train", "plain", *SHORT, "--quiet") == 0
    assert run_command("train", "plain", *SHORT, "--quiet") == 0
    names = [path.name for path in (tmp_path / "runs").iterdir()]
    assert len(names) == 2
    assert all("-plain" in name for name in names)


def test_quiet_prints_only_the_result(run_command, capsys: pytest.CaptureFixture[str]):
    run_command("train", "plain", *SHORT, "--quiet", "--output", "a")
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["test", "test", "run"]


def test_json_is_alone_on_stdout(run_command, capsys: pytest.CaptureFixture[str]):
    assert run_command("train", "plain", *SHORT, "--json", "--output", "a") == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["final"]["epoch"] == 2
    assert json.loads(said.out)["run"] == "a"
    assert [json.loads(line)["epoch"] for line in said.err.splitlines()] == [0, 1, 2]


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_dry_run_shows_and_writes_nothing(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
):
    assert run_command("train", "plain", *SHORT, "--dry-run", "--output", "a", *words) == 0
    assert list(tmp_path.iterdir()) == []
    out = capsys.readouterr().out
    for fact in ("1 F + 1 B", "pair:30%", "972 train", "mlp"):
        assert fact in out
    assert not words or json.loads(out)["settings"]["epochs"] == 3


def test_dry_run_says_parameters_and_device_as_they_are_typed(
    run_command, capsys: pytest.CaptureFixture[str]
):
    assert run_command("train", "mixpert", "--dry-run", "--set", "pro=45%", "--set", "eta=4") == 0
    said = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert said["params"] == "pro=45%, eta=4"
    assert said["device"].startswith("cpu")
    assert said["deterministic"] == "no"
    assert said["noise"] == "none"


@pytest.mark.parametrize("at", [2, 5, 8])
def test_ctrl_c_saves_and_resume_goes_on(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str], trouble, at: int
):
    assert run_command("train", "logpert", *SHORT, "--output", "whole") == 0
    capsys.readouterr()
    patch = trouble(press_ctrl_c, at, "logpert")
    assert run_command("train", "logpert", *SHORT, "--output", "a b") == 130
    assert "saved; go on with: taxo train --resume 'a b'" in capsys.readouterr().out
    patch.undo()
    assert run_command("train", "--resume", "a b") == 0
    assert same(tmp_path / "whole", tmp_path / "a b")
    assert lines(tmp_path / "whole") == lines(tmp_path / "a b")


def test_a_second_ctrl_c_stops_at_once(run_command, capsys: pytest.CaptureFixture[str], trouble):
    trouble(press_ctrl_c_twice, 7, "plain")
    assert run_command("train", "plain", *SHORT, "--output", "a") == 130
    assert "stopped at once; the last checkpoint is kept" in capsys.readouterr().out


def test_resume_without_a_folder_takes_the_latest(run_command, tmp_path: Path):
    run_command("train", "logpert", *SHORT, "--output", "whole")
    assert run_command("train", "logpert", *SHORT) == 0
    folder = next((tmp_path / "runs").iterdir())
    before = lines(folder)
    assert run_command("train", "--resume") == 0  # finished: nothing is left to do, and nothing is lost
    assert lines(folder) == before == lines(tmp_path / "whole")


def test_a_run_killed_between_metrics_and_checkpoint_goes_on(run_command, tmp_path: Path, trouble):
    run_command("train", "plain", *SHORT, "--output", "whole")
    patch = trouble(press_ctrl_c, 5, "plain")
    run_command("train", "plain", *SHORT, "--output", "a")
    patch.undo()
    shutil.copy("whole/metrics.jsonl", "a/metrics.jsonl")  # two epochs more than the checkpoint knows of
    assert run_command("train", "plain", "--resume", "a") == 0
    assert lines(tmp_path / "a") == lines(tmp_path / "whole")


def test_resume_refuses_another_specification(run_command, capsys: pytest.CaptureFixture[str]):
    run_command("train", "plain", *SHORT, "--output", "a")
    assert run_command("train", "logpert", "--resume", "a") == 1
    error = capsys.readouterr().err
    assert "error[T508]" in error
    assert "-method plain\n" in error
    assert "+method logpert\n" in error


def test_resume_refuses_another_setting_but_not_another_device(
    run_command, capsys: pytest.CaptureFixture[str]
):
    run_command("train", "plain", *SHORT, "--output", "a")
    assert run_command("train", "plain", "--resume", "a", "--device", "cpu", *SHORT) == 0
    assert run_command("train", "plain", "--resume", "a", "--lr", "0.5") == 1
    error = capsys.readouterr().err
    assert "error[T508]" in error
    assert '-  "lr": 0.1,\n+  "lr": 0.5,' in error


def test_resume_refuses_a_broken_checkpoint(run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_command("train", "plain", *SHORT, "--output", "a")
    (tmp_path / "a" / "last" / "state.safetensors").write_bytes(b"no")
    assert run_command("train", "--resume", "a") == 1
    assert "error[T507]" in capsys.readouterr().err


def lose_the_metrics(folder: Path) -> None:
    (folder / "metrics.jsonl").unlink()


def lose_an_epoch(folder: Path) -> None:
    lines = (folder / "metrics.jsonl").read_text().splitlines(keepends=True)
    (folder / "metrics.jsonl").write_text("".join(lines[1:]))


def cut_a_line_short(folder: Path) -> None:
    (folder / "metrics.jsonl").write_text((folder / "metrics.jsonl").read_text()[:-40])


def lose_the_method(folder: Path) -> None:
    (folder / "method.taxo").unlink()


def spoil_the_settings(folder: Path) -> None:
    (folder / "run.json").write_text(json.dumps({"method": "plain", "settings": {"lr": 0.1}}))


@pytest.mark.parametrize(
    "spoil", [lose_the_metrics, lose_an_epoch, cut_a_line_short, lose_the_method, spoil_the_settings]
)
def test_resume_refuses_a_broken_folder(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil
):
    run_command("train", "plain", *SHORT, "--output", "a")
    spoil(tmp_path / "a")
    assert run_command("train", "--resume", "a") == 1
    assert "error[T507]" in capsys.readouterr().err


@pytest.mark.parametrize("words", [("--resume",), ("--resume", "nothing")])
def test_resume_of_nothing(run_command, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]):
    assert run_command("train", "plain", *words) == 1
    assert "error[T507]" in capsys.readouterr().err


def test_a_finished_run_is_not_overwritten(run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    run_command("train", "plain", *SHORT, "--output", "a")
    before = (tmp_path / "a" / "metrics.jsonl").read_bytes()
    assert run_command("train", "logpert", *SHORT, "--output", "a") == 1
    assert "error[T506]: `a` already holds a run" in capsys.readouterr().err
    assert (tmp_path / "a" / "metrics.jsonl").read_bytes() == before


def test_a_folder_that_cannot_be_written(run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "file").write_text("in the way")
    assert run_command("train", "plain", *SHORT, "--output", "file/a") == 1
    assert "error[T506]: `file/a` cannot be written: not a directory" in capsys.readouterr().err


def test_a_loss_that_is_not_finite_exits_3_and_keeps_the_last_good_checkpoint(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str], trouble
):
    trouble(spoil_the_loss, 13, "plain")
    assert run_command("train", "plain", *SHORT, "--output", "a") == 3
    assert "error[T601]: the loss of `plain` is nan in epoch 3, step 3 of 5" in capsys.readouterr().err
    assert checkpoint.load(tmp_path / "a" / "last").position.epoch == 1
    assert [line["epoch"] for line in lines(tmp_path / "a")] == [0, 1]


def test_no_memory_exits_3(run_command, capsys: pytest.CaptureFixture[str], trouble):
    trouble(run_out_of_memory, 2, "plain")
    assert run_command("train", "plain", *SHORT) == 3
    assert "error[T602]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "code", "exit_code"),
    [
        (("plane",), "T201", 1),
        ((), "T503", 2),
        (("plain", "--set", "eat=1"), "T403", 2),
        (("logpert", "--set", "eta=big"), "T206", 1),
        (("plain", "--data", "digit"), "T501", 1),
        (("plain", "--lr", "high"), "T503", 2),
    ],
)
def test_a_mistake_has_its_exit_code_and_writes_nothing(
    refused, words: tuple[str, ...], code: str, exit_code: int
):
    refused("train", *words, code=code, exit_code=exit_code)


def test_a_run_killed_at_any_moment_goes_on_to_the_same_end(run_command, tmp_path: Path):
    words = ["train", "logpert", *FAST, "--epochs", "60", "--quiet", "--output"]
    assert run_command(*words, "whole") == 0
    code = (
        "import sys; from argparse import ArgumentParser; from taxo.training.commands import register;"
        "p = ArgumentParser(); register(p.add_subparsers()); n = p.parse_args(sys.argv[1:]); n.handler(n)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(taxo.__file__).parents[1])}
    process = subprocess.Popen([sys.executable, "-c", code, *words, "killed"], env=environment)
    kept = tmp_path / "killed"
    while process.poll() is None and not ((kept / "last").is_dir() and count_lines(kept) >= 3):
        sleep(0.01)
    process.kill()
    process.wait()
    assert run_command("train", "--resume", "killed", "--quiet") == 0
    assert same(tmp_path / "whole", tmp_path / "killed")
    assert lines(tmp_path / "whole") == lines(tmp_path / "killed")
