"""Workers that share a folder: each run is done by one of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from time import sleep

import pytest

import taxo
from taxo.training import claims
from taxo.training.claims import Claims
from taxo.training.grid import GridFolder
from taxo.training.interrupt import Interrupted, StopRequest

KEY = (0, "none", "plain")
FAST = (
    "--model",
    "linear",
    "--batch-size",
    "500",
    "--epochs",
    "3",
    "--seeds",
    "4",
    "--noise",
    "none,pair:20%",
)


def test_one_worker_takes_what_another_has_not(tmp_path: Path):
    with Claims(tmp_path) as one, Claims(tmp_path) as other:
        assert one.take(KEY)
        assert not other.take(KEY)
        assert other.take((0, "pair:10%", "plain"))
        one.drop(KEY)
        assert other.take(KEY)
    assert list(tmp_path.iterdir()) == []  # what was held is given up


def test_a_dead_workers_run_is_taken_over(tmp_path: Path):
    dead = Claims(tmp_path)
    tmp_path.mkdir(exist_ok=True)
    assert dead.take(KEY)  # and gives no sign of life
    with Claims(tmp_path, stale=0.05) as other:
        assert not other.take(KEY)
        other.over.wait(0.1)
        assert other.take(KEY)


def test_a_living_workers_run_is_not(tmp_path: Path):
    with Claims(tmp_path, beat=0.01) as one, Claims(tmp_path, stale=0.5) as other:
        assert one.take(KEY)
        for _ in range(20):
            assert not other.take(KEY)
            other.over.wait(0.05)


def test_who_waits_can_be_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(claims, "PAUSE", 0.0)
    stop = StopRequest()
    waiting = Claims(tmp_path)
    waiting.wait(stop)
    stop.made = True
    with pytest.raises(Interrupted):
        waiting.wait(stop)


def test_two_workers_share_a_comparison(run_command, tmp_path: Path):
    words = ("compare", "plain", "logpert", *FAST)
    assert run_command(*words, "--output", "alone", "--quiet") == 0
    environment = os.environ | {"PYTHONPATH": str(Path(taxo.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    shared = (*words, "--storage", "shared", "--quiet")
    command = [sys.executable, "-m", "taxo", *shared]
    other = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    while other.poll() is None and not (tmp_path / "shared" / "claims").exists():
        sleep(0.01)  # until it has begun, so that both are at work
    assert run_command(*shared) == 0
    assert other.wait(timeout=120) == 0
    cells = {name: GridFolder(tmp_path / name).cells() for name in ("alone", "shared")}
    done = {
        name: {(c.seed, c.noise, c.label): (c.test, c.best) for c in found} for name, found in cells.items()
    }
    assert done["alone"] == done["shared"]
    assert len(cells["shared"]) == len(done["shared"]) == 16  # nothing twice
    assert not list((tmp_path / "shared" / "claims").iterdir())
    assert not list((tmp_path / "shared").glob("*.new"))
    assert len(list((tmp_path / "shared").glob("runs-*.jsonl"))) == 2


def start(*words: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(Path(taxo.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "taxo", "compare", *words, "--storage", "a", "--quiet"]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def test_of_two_that_start_at_once_with_other_settings_one_is_refused(run_command, tmp_path: Path):
    short = ("--data", "playground:mixture", "--model", "linear", "--seeds", "1", "--epochs")
    others = [start("plain", "fgsm", *short, "1"), start("plain", *short, "2")]
    said = [other.communicate(timeout=120)[1] for other in others]
    assert sorted(other.returncode for other in others) == [0, 1]
    (refused,) = [text for other, text in zip(others, said, strict=True) if other.returncode == 1]
    assert "error[T508]: `a` is the folder of another comparison" in refused
    assert '"fgsm"' in refused
    assert '"epochs": 1' in refused
    assert '"epochs": 2' in refused
    begun = GridFolder(tmp_path / "a").origin()
    cells = GridFolder(tmp_path / "a").cells()
    assert {cell.label for cell in cells} == set(begun.labels)
    assert all(len(cell.curves["test"]) == begun.settings.epochs for cell in cells if cell.curves)
    assert len(list((tmp_path / "a").glob("runs-*.jsonl"))) == 1


@pytest.mark.parametrize(
    "other",
    [("--lr", "0.5"), ("fgsm",), ("--noise", "none,pair:20%"), ("--evaluate", "margins"), ("--seeds", "2")],
)
def test_a_worker_with_another_comparison_is_refused(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str], other: tuple[str, ...]
):
    words = ("compare", "plain", "--model", "linear", "--epochs", "1", "--storage", "a")
    assert run_command(*words, "--seeds", "1") == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").glob("*.*")}
    seeds = () if other[0] == "--seeds" else ("--seeds", "1")
    assert run_command(*words[:2], *other, *words[2:], *seeds) == 1
    said = capsys.readouterr().err
    assert "error[T508]: `a` is the folder of another comparison\n--- a/compare.json\n+++ now" in said
    assert {path.name: path.read_bytes() for path in (tmp_path / "a").glob("*.*")} == before


def test_a_storage_can_be_named_alone_and_not_with_an_output(run_command, capsys: pytest.CaptureFixture[str]):
    words = ("compare", "plain", "--model", "linear", "--epochs", "1", "--seeds", "1", "--storage", "a")
    assert run_command(*words) == 0
    assert run_command("compare", "--storage", "a") == 0
    assert run_command("compare", "--storage", "b") == 2
    assert "needs methods" in capsys.readouterr().err
    assert run_command(*words, "--output", "b") == 2
    assert "`--storage` is the folder" in capsys.readouterr().err
