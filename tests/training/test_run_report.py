"""The report of a run, as `taxo train` writes it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from . import files
from .conftest import press_ctrl_c
from .markup import Page, whole

FAST = ("--model", "mlp", "--epochs", "3", "--quiet", "--output", "a")


def suspects(folder: Path) -> list[dict[str, str]]:
    with (folder / "suspects.csv").open() as file:
        return list(csv.DictReader(file))


def page(folder: Path) -> Page:
    return whole((folder / "report.html").read_text(encoding="utf-8"))


def test_a_report_shows_curves_perturbations_classes_and_suspects(run_command, tmp_path: Path):
    assert run_command("train", "logpert", *FAST, "--noise", "random:10%") == 0
    found = page(tmp_path / "a")
    heads = ["Curves", "Perturbations", "Classes", "Confidence", "Suspected label errors: v", "What ran"]
    assert found.of("h2") == heads
    for title in ("Accuracy", "Training loss", "Raised", "Size", "Fired", "Test accuracy"):
        assert title in found.of("figcaption")
    assert len(found.pictures) == 30
    lines = [json.loads(line) for line in (tmp_path / "a" / "metrics.jsonl").read_text().splitlines()]
    assert f"{lines[-1]['test_accuracy']:.1%}" in found.of("dd")
    assert all(line["meters"]["v"].keys() == {"fired", "size", "raised"} for line in lines)
    rows = suspects(tmp_path / "a")
    sizes = [float(row["size"]) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(row["wrong"] == "1" for row in rows) == round(0.1 * len(rows))


def test_the_samples_moved_farthest_are_those_with_wrong_labels(run_command, tmp_path: Path):
    words = ("train", "logpert", "--epochs", "30", "--noise", "random:10%", "--quiet", "--output", "a")
    assert run_command(*words) == 0
    rows = suspects(tmp_path / "a")
    first = rows[: len(rows) // 20]
    assert sum(row["wrong"] == "1" for row in first) / len(first) >= 0.9


@pytest.mark.parametrize(
    ("method", "more", "without"),
    [
        ("plain", (), {"Perturbations", "Suspected label errors: v"}),
        ("robust_icp", ("--data", "playground:points", "--model", "rigid"), {"Classes", "Confidence"}),
        ("svm", ("--data", "wine", "--model", "linear"), {"Suspected label errors: v"}),
    ],
)
def test_a_report_shows_what_there_is(
    run_command, tmp_path: Path, method: str, more: tuple[str, ...], without: set[str]
):
    assert run_command("train", method, *FAST, *more) == 0
    found = page(tmp_path / "a")
    assert {"Curves", "What ran"} <= set(found.of("h2"))
    assert not without & set(found.of("h2"))


def test_texts_are_shown_as_they_are_written(run_command, tmp_path: Path):
    rows = [
        f"{name},The {name} film no. {n} <b>was</b> {name}" for n in range(30) for name in ("good", "bad")
    ]
    (tmp_path / "films.csv").write_text("\n".join(["label,text", *rows]) + "\n")
    words = ("train", "logpert", "--data", "text:films.csv", "--noise", "random:20%", "--epochs", "2")
    assert run_command(*words, "--quiet", "--output", "a") == 0
    found = page(tmp_path / "a")
    assert found.pictures == []
    shown = [text for text in found.of("p") if " film no. " in text]
    assert len(shown) == 30
    assert "b" not in found.tags
    ranked = suspects(tmp_path / "a")
    for row in ranked:
        assert row["text"] == rows[int(row["index"])].partition(",")[2]
    assert [row["text"] for row in ranked[:30]] == shown


def test_images_from_files_are_called_by_their_files(run_command, tmp_path: Path):
    pytest.importorskip("PIL")
    files.folders(tmp_path / "images", each=10)
    words = (
        "--data",
        "folder:images",
        "--model",
        "cnn",
        "--epochs",
        "1",
        "--noise",
        "random:20%",
        "--output",
        "run",
    )
    assert run_command("train", "logpert", *words) == 0
    with (tmp_path / "run" / "suspects.csv").open() as file:
        rows = list(csv.DictReader(file))
    shown = [tmp_path / row["file"] for row in rows]
    assert all(path.is_file() for path in shown)
    right = [
        path.parent.name == ("dark", "light")[int(row["label"])]
        for path, row in zip(shown, rows, strict=True)
    ]
    assert right == [row["wrong"] == "0" for row in rows]
    assert f'title="{rows[0]["file"]}"' in (tmp_path / "run" / "report.html").read_text()


def test_a_resumed_run_reports_as_one_that_was_not_stopped(run_command, tmp_path: Path, trouble):
    assert run_command("train", "logpert", *FAST[:-1], "whole") == 0
    patch = trouble(press_ctrl_c, 7, "logpert")
    assert run_command("train", "logpert", *FAST) == 130
    patch.undo()
    assert not (tmp_path / "a" / "report.html").exists()
    assert run_command("train", "--resume", "a", "--quiet") == 0
    one, other = (page(tmp_path / name) for name in ("whole", "a"))
    timed = {text for tag, text in (*one.texts, *other.texts) if tag == "dd"}
    assert [text for _, text in one.texts if text not in timed] == [
        text for _, text in other.texts if text not in timed
    ]
    assert (tmp_path / "a" / "suspects.csv").read_bytes() == (
        tmp_path / "whole" / "suspects.csv"
    ).read_bytes()
