"""`taxo check --deep`, as a user runs it."""

import json
import re
from pathlib import Path

import pytest

from taxo.cli import main
from taxo.laws.judge import QUICK
from taxo.laws.reasons import LAWS

DARKER = """method darker
  "Darken the images."

perturb features by -x / 2 {
  direction   {claim}
  infer       prior
  granularity corpus
}
"""


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "140")
    return tmp_path / "darker.taxo"


def test_a_sound_file_keeps_every_law(mine: Path, capsys: pytest.CaptureFixture[str]):
    mine.write_text(DARKER.replace("{claim}", "negative"))
    assert main(["check", "--deep", "darker.taxo"]) == 0
    out = capsys.readouterr().out
    assert "darker.taxo: fine" in out
    laws = re.findall(r"^  (\S.*?)  +(?:holds|does not apply) ", out, re.MULTILINE)
    assert laws == list(QUICK)
    assert "`darker` names no null point (darker.taxo:4)" in out
    assert [path.name for path in mine.parent.iterdir()] == ["darker.taxo"]


def test_a_wrong_claim_fails_with_its_line_and_share(mine: Path, capsys: pytest.CaptureFixture[str]):
    mine.write_text(DARKER.replace("{claim}", "positive"))
    assert main(["check", "darker.taxo"]) == 0
    assert main(["check", "--deep", "darker.taxo"]) == 1
    (row,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  direction")]
    assert re.search(r"fails +positive `features`: raises the loss of \d+% of the samples it moves", row)
    assert "(darker.taxo:5)" in row


def test_json_has_findings_and_laws(mine: Path, capsys: pytest.CaptureFixture[str]):
    mine.write_text(DARKER.replace("{claim}", "positive"))
    assert main(["check", "--deep", "--json", "darker.taxo"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["findings"] == []
    assert [one["law"] for one in said["laws"]] == list(QUICK)
    (wrong,) = [one for one in said["laws"] if one["verdict"] == "fails"]
    assert (wrong["law"], wrong["line"], wrong["column"]) == ("direction", 5, 15)
    assert wrong["file"] == "darker.taxo"


def test_an_error_is_said_and_no_law_tried(mine: Path, capsys: pytest.CaptureFixture[str]):
    mine.write_text(DARKER.replace("{claim}", "positiv"))
    assert main(["check", "--deep", "--json", "darker.taxo"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["laws"] == []
    assert [one["code"] for one in said["findings"]] == ["T205"]


def test_slow_laws_are_asked_for(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    from taxo.laws import judge
    from taxo.laws.pools import Reason
    from taxo.laws.verdict import exempt

    tried = {law: lambda _: exempt(Reason("not tried")) for law in LAWS}
    monkeypatch.setattr(judge, "FUNCTIONS", tried)
    assert main(["check", "--deep", "--slow", "--json", "sam"]) == 0
    assert [one["law"] for one in json.loads(capsys.readouterr().out)["laws"]] == list(LAWS)
