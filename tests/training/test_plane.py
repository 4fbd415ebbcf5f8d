"""What runs and comparisons say of the plane, for data of two numbers each."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from taxo.training.folder import RunFolder, trained
from taxo.training.plane import SIDE, drawable, from_json
from taxo.training.run import prepare
from taxo.training.settings import change, sensible

from .markup import Page, whole

PLANE = ("--data", "playground:mixture", "--epochs", "2", "--quiet", "--output", "a")


def page(folder: Path) -> Page:
    return whole((folder / "report.html").read_text(encoding="utf-8"))


def test_a_run_of_points_keeps_and_draws_what_its_model_says(run_command, tmp_path: Path):
    words = ("train", "fgsm(eps: 0.05)", *PLANE, "--noise", "random:20%")
    assert run_command(*words) == 0
    found = json.loads((tmp_path / "a" / "plane.json").read_text())
    run = trained(RunFolder(tmp_path / "a"), "last")
    left, right, bottom, top = found["plane"]["box"]
    across, up = torch.linspace(left, right, SIDE), torch.linspace(bottom, top, SIDE)
    places = torch.stack([across.repeat(SIDE), up.repeat_interleave(SIDE)], 1)
    logs = run.step.predict(places).log_softmax(1).T
    # box and numbers have three digits
    torch.testing.assert_close(torch.tensor(found["plane"]["logs"]), logs, atol=0.02, rtol=0.02)
    samples = found["samples"]
    train = run.data.train
    assert samples["rows"] == list(range(len(train)))
    assert samples["labels"] == train.y.tolist()
    assert sum(a != b for a, b in zip(samples["labels"], samples["clean"], strict=True)) == 108
    (moved,) = found["moved"]
    assert moved["key"] == "d"
    far = torch.tensor([moved["across"], moved["up"]]).abs().amax()
    assert 0.02 < far <= 0.0501
    shown = page(tmp_path / "a")
    assert "The plane" in shown.of("h2")
    assert {"Training samples", "d on features"} <= set(shown.of("figcaption"))


def test_a_comparison_draws_each_method_once_at_each_level(run_command, tmp_path: Path):
    words = ("compare", "plain", "logpert", *PLANE, "--seeds", "2", "--noise", "none,pair:20%")
    assert run_command(*words, "--epochs", "1") == 0
    lines = [json.loads(line) for line in (tmp_path / "a" / "runs.jsonl").read_text().splitlines()]
    assert [line["seed"] for line in lines if line["plane"] is not None] == [0] * 4
    assert from_json(lines[0]["plane"]).side == SIDE
    text = (tmp_path / "a" / "report.html").read_text(encoding="utf-8")
    assert page(tmp_path / "a").of("figcaption").count("logpert") == 2
    assert text.count('class="boundary"') == 4
    assert 'class="ring"' in text
    # a page is written again from what is kept
    assert run_command("compare", "--resume", "a", "--quiet") == 0
    assert (tmp_path / "a" / "report.html").read_text(encoding="utf-8") == text


@pytest.mark.parametrize(
    ("data", "method", "more"),
    [
        ("wine", "plain", {}),
        ("playground:mixture", "robust_clustering", {"model": "centres"}),
        ("playground:points", "robust_icp", {}),
    ],
)
def test_only_classes_in_the_plane_are_drawn(data: str, method: str, more: dict[str, str]):
    assert not drawable(prepare(method, change(sensible(data), more)))
