"""Two processes train one run together."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import taxo
from taxo.language.errors import TaxoError
from taxo.training import checkpoint, folder, ranks
from taxo.training.run import prepare
from taxo.training.settings import change, sensible

from .conftest import press_ctrl_c

WORLD = 2
# 972 samples: 17 batches of 54 and one of as many, so that nothing is left over
EVEN = ("--model", "mlp", "--noise", "random:10%", "--batch-size", "54", "--epochs", "3", "--quiet")


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def together(*words: str) -> list[tuple[int, str]]:
    """What the processes answer: the exit code and what is said."""
    told = {"PYTHONPATH": str(Path(taxo.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    told |= {"WORLD_SIZE": str(WORLD), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "taxo", *words],
            env=os.environ | told | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(WORLD)
    ]
    said = [process.communicate(timeout=150)[0] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, said, strict=True)]


def metrics(place: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (place / "metrics.jsonl").read_text().splitlines()]
    names = ("epoch", "train_loss", "train_accuracy", "validation_accuracy", "test_accuracy")
    return [{name: line[name] for name in names} for line in lines]


def test_two_processes_go_on_with_a_run_of_one_to_the_same_end(run_command, tmp_path: Path, trouble):
    assert run_command("train", "logpert", *EVEN, "--output", "whole") == 0
    patch = trouble(press_ctrl_c, 20, "logpert")
    assert run_command("train", "logpert", *EVEN, "--output", "a") == 130
    patch.undo()
    (first, other) = together("train", "--resume", "a", "--quiet")
    assert (first[0], other[0]) == (0, 0), (first, other)
    assert "run folder    a" in first[1]
    assert "run folder" not in other[1]  # one process speaks
    for one, two in zip(metrics(tmp_path / "whole"), metrics(tmp_path / "a"), strict=True):
        assert two == pytest.approx(one, abs=1e-5)
    whole, shared = (checkpoint.load(tmp_path / name / "last").tensors for name in ("whole", "a"))
    assert whole.keys() == shared.keys()
    for name, value in whole.items():
        if value.is_floating_point():
            torch.testing.assert_close(shared[name], value, atol=1e-4, rtol=1e-3)
    assert (tmp_path / "a" / "report.html").exists()


def test_alone_nothing_is_shared(monkeypatch: pytest.MonkeyPatch):
    rows, loss = torch.arange(5), torch.tensor(2.0)
    assert ranks.own(rows) is rows
    assert ranks.agreed(loss, True) == (loss, True)
    assert ranks.usable(100, 30) == 100
    assert ranks.writes()
    assert ranks.leave(3) == 3
    monkeypatch.setattr(ranks, "world", lambda: 4)
    # the processes share 8 of the last batch of 10; those before it are whole
    assert [ranks.usable(count, 32) for count in (106, 128, 99, 3)] == [104, 128, 96, 0]
    monkeypatch.setattr(ranks, "rank", lambda: 1)
    assert ranks.own(torch.arange(8)).tolist() == [2, 3]


def test_processes_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch):
    settings = change(sensible(), {"batch_size": "50", "model": "mlp"})
    step = prepare("plain", settings).step
    ranks.refuse_other(step, settings)
    monkeypatch.setattr(ranks, "gathered", lambda value: [torch.cat([value, value + 1])])
    with pytest.raises(TaxoError, match=r"T508.*different methods or settings"):
        ranks.refuse_other(step, settings)
    ranks.refuse_uneven(settings)
    monkeypatch.setattr(ranks, "world", lambda: 3)
    with pytest.raises(TaxoError, match=r"T503.*batches of 50 cannot be shared evenly by 3 processes"):
        ranks.refuse_uneven(settings)


@pytest.mark.parametrize("command", ["compare", "tune"])
def test_what_is_shared_by_a_folder_is_not_by_processes(
    run_command, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
):
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert run_command(command, "logpert") == 2
    assert f"start `taxo {command} --storage" in capsys.readouterr().err


def test_one_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    run = prepare("plain", change(sensible(), {"model": "linear"}))
    monkeypatch.setattr(folder, "writes", lambda: False)
    place = folder.create(tmp_path / "a", "plain", run)
    place.mark_best()
    assert list(tmp_path.iterdir()) == []
