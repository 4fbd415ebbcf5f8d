"""The README shows what is there."""

import re
from pathlib import Path

import pytest

import taxo
from taxo.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(\w*)\n(.*?)```", README, re.DOTALL)
MISTAKEN = """method mine

param lam = 0.3

perturb logits by v {
  where       clean.los in top(25%)
  direction   negative
  infer       regularization minimize loss + lam * l1(v) via joint(lr: 6)
  granularity sampel
}
"""


def test_the_method_shown_is_the_one_shipped():
    (shown,) = [text for _, text in BLOCKS if text.startswith("method ")]
    assert shown == str(taxo.load("logpert"))


def test_the_mistakes_shown_are_what_a_user_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    Path("mine.taxo").write_text(MISTAKEN)
    assert main(["check", "mine.taxo"]) == 1
    (shown,) = [text for _, text in BLOCKS if text.startswith("mine.taxo")]
    assert capsys.readouterr().err.startswith(shown)


def test_every_method_has_a_card_that_the_readme_leads_to():
    count = re.search(r"^(\d+) methods, each with \[a card\]\(docs/methods/README.md\)", README, re.MULTILINE)
    assert count
    assert int(count[1]) == len(taxo.methods())


def test_the_demo_compares_what_the_table_shows():
    (table,) = [text for _, text in BLOCKS if text.startswith("digits")]
    demo = (ROOT / "Makefile").read_text().split("demo:")[1].split("test:")[0]
    for label in ("plain", "label_smoothing", "logpert", "mixpert(pro: 45%, eta: 4)"):
        assert f"  {label} " in table
        assert label in demo


def test_the_python_shown_runs():
    import torch
    from torch import nn

    (shown,) = [text for language, text in BLOCKS if language == "python"]
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 10))
    images = torch.rand(8, 1, 4, 4)
    loader = [(images, torch.arange(8), torch.arange(8))]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    names: dict[str, object] = {"model": model, "images": images, "loader": loader, "optimizer": optimizer}
    exec(shown, names)
    logits = names["logits"]
    assert isinstance(logits, torch.Tensor)
    assert logits.shape == (8, 10)


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (ROOT / target).exists(), target
