"""What goes wrong around a run: full disks, folders that cannot be written, checkpoints lost or exchanged."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from taxo.training import checkpoint
from taxo.training.folder import RunFolder

from .test_train import SHORT, lines, same

WORDS = ("train", "logpert", *SHORT, "--quiet", "--output")


def full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def whole_run(run_command, tmp_path: Path) -> Path:
    assert run_command(*WORDS, "whole") == 0
    return tmp_path / "whole"


def as_if_nothing_had_happened(run_command, tmp_path: Path, whole: Path) -> bool:
    assert run_command("train", "--resume", "a", "--quiet") == 0
    for part in ("last", "best"):
        states = [checkpoint.load(folder / part).position.epoch for folder in (whole, tmp_path / "a")]
        assert states[0] == states[1]
    assert not list((tmp_path / "a").glob("*.new"))
    return same(whole, tmp_path / "a") and lines(whole) == lines(tmp_path / "a")


@pytest.mark.parametrize("name", ["state.safetensors", "state.json"])
def test_a_disk_that_is_full_costs_the_epoch_and_no_more(
    run_command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, name: str
):
    whole, saves = whole_run(run_command, tmp_path), list[int]()
    kind = "write_bytes" if name.endswith("safetensors") else "write_text"
    write = getattr(Path, kind)

    def half(self: Path, content: Any) -> int:
        if self.name == name:
            saves.append(1)
            if len(saves) == 2:
                write(self, content[: len(content) // 2])
                raise full()
        return write(self, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, kind, half)
        assert run_command(*WORDS, "a") == 1
    error = capsys.readouterr().err
    assert "error[T506]: `a` cannot be written: no space left on device" in error
    assert "go on from the last checkpoint by `--resume a`" in error
    assert checkpoint.load(tmp_path / "a" / "last").position.epoch == 0
    assert as_if_nothing_had_happened(run_command, tmp_path, whole)


def test_a_disk_that_is_full_while_metrics_are_written(
    run_command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole, record = whole_run(run_command, tmp_path), RunFolder.record

    def half(self: RunFolder, metrics: Any) -> None:
        if metrics.epoch == 1:
            with (self.path / "metrics.jsonl").open("a") as file:
                file.write(metrics.to_line()[:30])
            raise KeyboardInterrupt
        record(self, metrics)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "record", half)
        assert run_command(*WORDS, "a") == 130
    before = (tmp_path / "a" / "metrics.jsonl").read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", lambda *_: (_ for _ in ()).throw(full()))
        assert run_command("train", "--resume", "a") == 1
    assert (tmp_path / "a" / "metrics.jsonl").read_bytes() == before
    assert as_if_nothing_had_happened(run_command, tmp_path, whole)


def test_a_run_that_is_killed_before_its_best_is_marked(
    run_command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = whole_run(run_command, tmp_path)
    chosen = checkpoint.load(whole / "best").position.epoch

    def killed(self: RunFolder) -> None:
        if checkpoint.load(self.path / "last").position.epoch == chosen:
            raise KeyboardInterrupt
        checkpoint.copy(self.path / "last", self.path / "best")

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "mark_best", killed)
        assert run_command(*WORDS, "a") == 130
    assert as_if_nothing_had_happened(run_command, tmp_path, whole)


def test_a_folder_that_is_read_only(run_command, monkeypatch: pytest.MonkeyPatch, capsys):
    def refused(self: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "mkdir", refused)
    assert run_command(*WORDS, "a") == 1
    error = capsys.readouterr().err
    assert "error[T506]: `a` cannot be written: read-only file system" in error
    assert "choose another folder" in error


def test_a_checkpoint_that_was_deleted(run_command, tmp_path: Path, capsys):
    whole_run(run_command, tmp_path)
    shutil.rmtree(tmp_path / "whole" / "last")
    assert run_command("train", "--resume", "whole") == 1
    assert "error[T507]: no checkpoint in `whole/last`" in capsys.readouterr().err


@pytest.mark.parametrize("command", [("train", "--resume"), ("evaluate",)])
def test_a_checkpoint_of_another_run(run_command, tmp_path: Path, capsys, command: tuple[str, ...]):
    whole_run(run_command, tmp_path)
    assert run_command(*WORDS, "other", "--seed", "1") == 0
    shutil.rmtree(tmp_path / "whole" / "last")
    shutil.copytree(tmp_path / "other" / "last", tmp_path / "whole" / "last")
    assert run_command(*command, "whole") == 1
    assert "error[T507]: the checkpoint `whole/last` is of another run" in capsys.readouterr().err


def test_a_perturbation_that_is_not_finite_names_its_clause_and_fails_the_run(
    run_command, tmp_path: Path, capsys
):
    (tmp_path / "odd.taxo").write_text(
        'method odd "Become no number half way."\n'
        "perturb logits by u * sqrt(0.5 - progress) {\n"
        "  direction mixed\n  infer prior\n  granularity sample\n}\n"
    )
    assert run_command("train", "odd.taxo", *SHORT, "--output", "a", "--quiet") == 3
    error = capsys.readouterr().err
    assert "odd.taxo:2:1: error[T409]" in error
    assert checkpoint.load(tmp_path / "a" / "last").position.epoch == 1
