"""The run folder, where `taxo train` does not already show it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from taxo.language.errors import TaxoError
from taxo.training import folder


def test_the_commit_is_the_working_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert folder.commit() is None
    identity = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], [*identity, "commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run(["git", *words], check=True, timeout=30)
    found = folder.commit()
    assert found is not None
    assert len(found) == 40


def test_without_git_there_is_no_commit(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", "")
    assert folder.commit() is None


def test_the_versions_name_what_the_numbers_depend_on():
    assert {"python", "torch", "taxo"} <= folder.versions().keys()


def test_a_change_is_shown_as_a_diff():
    folder.refuse_change("a\nb\n", "a\nb\n", "method.taxo", "the specification")
    with pytest.raises(TaxoError, match=r"T508.*the specification has changed(.*\n)+-b\n\+c\n  help: undo"):
        folder.refuse_change("a\nb\n", "a\nc\n", "method.taxo", "the specification")


def test_a_full_disk_is_said_with_the_folder(tmp_path: Path):
    message = r"T506.*cannot be written: no space left on device"
    with pytest.raises(TaxoError, match=message), folder.writing(tmp_path):
        raise OSError(28, "No space left on device")
