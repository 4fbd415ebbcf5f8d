"""Comparisons at several levels of noise and of a parameter, and their page."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from taxo.language.errors import TaxoError
from taxo.training.grid import GridFolder
from taxo.training.grid_words import levels
from taxo.training.sweeps import swept, with_value

from .markup import whole

FAST = ("--model", "linear", "--batch-size", "500", "--epochs", "2", "--seeds", "2")
LEVELS = ("--noise", "none,pair:20%,pair:40%")
SWEEP = ("--sweep", "lam=0.1,0.3")


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "table.csv").open() as file:
        return list(csv.DictReader(file))


def test_each_level_has_rows_of_its_own(run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert run_command("compare", "plain", "logpert", *FAST, *LEVELS, *SWEEP, "--output", "a") == 0
    rows, labels = table(tmp_path / "a"), ["plain", "logpert(lam: 0.1)", "logpert(lam: 0.3)"]
    noises = ["none", "pair:20%", "pair:40%"]
    assert [(row["noise"], row["method"]) for row in rows] == [(n, label) for n in noises for label in labels]
    cells = GridFolder(tmp_path / "a").cells()
    assert len(cells) == 2 * 3 * 3
    for row in rows:
        own = [c.test or 0 for c in cells if (c.noise, c.label) == (row["noise"], row["method"])]
        assert float(row["test"]) == pytest.approx(sum(own) / 2)
    assert float(rows[0]["test"]) > float(rows[6]["test"])  # more wrong labels, fewer right answers
    out = capsys.readouterr().out
    assert "run 18/18  logpert(lam: 0.3), pair:40%, seed 1" in out
    assert "digits, wrong labels pair:20%" in out
    assert (tmp_path / "a" / "table.md").read_text().count("# digits") == 3
    assert (tmp_path / "a" / "table.tex").read_text().count(r"\begin{tabular}") == 3


def test_a_level_is_what_a_comparison_at_it_alone_finds(run_command, tmp_path: Path):
    run_command("compare", "plain", *FAST, *LEVELS, "--output", "a")
    run_command("compare", "plain", *FAST, "--noise", "pair:20%", "--output", "b")
    assert table(tmp_path / "a")[1]["test"] == table(tmp_path / "b")[0]["test"]


def test_the_page_shows_levels_values_and_corruptions(run_command, tmp_path: Path):
    words = ("plain", "logpert", *FAST, *LEVELS, *SWEEP, "--evaluate", "corruptions")
    assert run_command("compare", *words, "--output", "a") == 0
    page = whole((tmp_path / "a" / "report.html").read_text(encoding="utf-8"))
    heads = ["Levels of noise", "Values", "Noise none", "Noise pair:20%", "Noise pair:40%", "What ran"]
    assert page.of("h2") == heads
    titles = page.of("figcaption")
    assert titles[:4] == ["Share of pair noise", "lam, none", "lam, pair:20%", "lam, pair:40%"]
    for title in ("After the last epoch", "Against plain", "Over the epochs", "Gain against cost"):
        assert titles.count(title) == 3
    assert titles.count("Error % under each corruption") == 3
    assert "logpert: " in " ".join(page.of("title"))


def test_resume_may_add_levels_and_keeps_what_was_swept(run_command, tmp_path: Path):
    run_command("compare", "plain", "logpert", *FAST, *SWEEP, "--output", "a")
    before = GridFolder(tmp_path / "a").cells()
    assert run_command("compare", "--resume", "a", "--noise", "none,random:30%") == 0
    assert GridFolder(tmp_path / "a").cells()[: len(before)] == before
    grid = GridFolder(tmp_path / "a").origin()
    assert grid.noises == ("none", "random:30%")
    assert [(one.label, one.values) for one in grid.swept] == [
        ("logpert(lam: 0.1)", (("lam", "0.1"),)),
        ("logpert(lam: 0.3)", (("lam", "0.3"),)),
    ]


def test_a_dry_run_names_levels_and_variants(run_command, capsys: pytest.CaptureFixture[str]):
    assert run_command("compare", "plain", "logpert", *LEVELS, *SWEEP, "--dry-run", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["noises"] == ["none", "pair:20%", "pair:40%"]
    assert list(found["methods"]) == ["plain", "logpert(lam: 0.1)", "logpert(lam: 0.3)"]


def test_a_sweep_is_over_the_methods_that_have_the_parameter():
    labels, variants = swept(["plain", "sam", "l2_noise+damp"], ["rho=0.05,0.1", "sigma=1, 2"])
    assert labels == [
        "plain",
        "sam(rho: 0.05)",
        "sam(rho: 0.1)",
        *(f"l2_noise+damp(sigma: {value})" for value in (1, 2)),
    ]
    assert [one.method for one in variants] == ["sam", "sam", "l2_noise+damp", "l2_noise+damp"]


def test_several_parameters_are_crossed():
    labels, _ = swept(["mixpert(eps: 0)"], ["eta=1,2", "pro=15%,45%"])
    assert labels == [f"mixpert(eps: 0, eta: {eta}, pro: {pro})" for eta in (1, 2) for pro in ("15%", "45%")]
    assert with_value("polyloss", "eps", "2") == "polyloss(eps: 2)"


@pytest.mark.parametrize(
    ("sweeps", "message"),
    [
        (["lamm=1,2"], "T403.*no method compared here has a parameter `lamm`(.|\n)*did you mean `lam`"),
        (["lam=1,1"], "T503.*`--sweep` cannot be"),
        (["lam=1", "lam=2"], "T503.*names a parameter twice"),
        (["lam"], "T503.*is not `name=value`"),
    ],
)
def test_a_sweep_that_cannot_be(sweeps: list[str], message: str):
    with pytest.raises(TaxoError, match=message):
        swept(["plain", "logpert"], sweeps)


def test_levels_are_read_as_noise():
    assert levels("pair:0.1, none,random:30%") == ("pair:10%", "none", "random:30%")
    with pytest.raises(TaxoError, match=r"T503.*has a level twice"):
        levels("pair:10%,pair:0.1")
    with pytest.raises(TaxoError, match=r"T503.*cannot be `pear`"):
        levels("none,pear:10%")


def test_a_level_that_cannot_answer_is_refused(
    run_command, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert run_command("compare", "plain", *LEVELS, "--evaluate", "memorisation") == 2
    assert "`memorisation` is about wrong labels" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
