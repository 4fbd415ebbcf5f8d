"""The two commands on the command line."""

from __future__ import annotations

import subprocess
import sys

import pytest

from taxo.training.questions import fitting
from taxo.training.settings import sensible


def test_registering_imports_neither_torch_nor_scikit_learn():
    code = (
        "import sys, argparse; from taxo.training.commands import register;"
        "register(argparse.ArgumentParser().add_subparsers());"
        "sys.exit(bool({'torch', 'sklearn', 'numpy', 'rich'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize("command", ["train", "compare"])
def test_help_is_complete(run_command, capsys: pytest.CaptureFixture[str], command: str):
    with pytest.raises(SystemExit) as stop:
        run_command(command, "--help")
    assert stop.value.code == 0
    out = capsys.readouterr().out
    for flag in ("METHOD", "--noise", "--set", "--resume", "--dry-run", "--json", "pair:30%"):
        assert flag in out


def test_the_help_of_an_evaluation_names_every_question(run_command, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stop:
        run_command("evaluate", "--help")
    assert stop.value.code == 0
    out = " ".join(capsys.readouterr().out.split())
    asked = ", ".join(str(question).replace(" / ", "/") for question in fitting(sensible()))
    assert all(word in out for word in asked.split(", "))
    assert "--baseline" in out


def test_an_unknown_flag_is_a_usage_error(run_command):
    assert run_command("train", "plain", "--learning-rate", "1") == 2
