"""`taxo explain`, run as a user runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from taxo.cli import main
from taxo.cli.examples import said
from taxo.language.errors import CODES

EXAMPLES = Path(__file__).parents[2] / "docs" / "errors" / "examples"


def explain(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["explain", *words]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained_as_plain_text(capsys: pytest.CaptureFixture[str], code: str):
    out = explain(capsys, code)
    assert out.startswith(f"{code}: {CODES[code].title}\n")
    assert not {"```", "## ", ".md)"} & {mark for mark in ("```", "## ", ".md)") if mark in out}
    words = " ".join(out.split())
    assert CODES[code].why in words


def test_the_example_and_its_message_are_indented(capsys: pytest.CaptureFixture[str]):
    out = explain(capsys, "T203")
    for text in ((EXAMPLES / "T203.wrong.taxo").read_text(), said(EXAMPLES / "T203.wrong.taxo", "T203")):
        assert "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines()) in out


def test_a_code_may_be_typed_in_small_letters(capsys: pytest.CaptureFixture[str]):
    assert explain(capsys, "t203") == explain(capsys, "T203")


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]):
    out = explain(capsys)
    assert [code for code in CODES if f"- {code}: {CODES[code].title}\n" not in out] == []


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("T2033", "did you mean `T203`?"),
        ("perturb", "`taxo explain` lists all codes"),
        ("../T203", "`taxo explain` lists all codes"),
    ],
)
def test_an_unknown_code_is_a_usage_error(capsys: pytest.CaptureFixture[str], word: str, hint: str):
    assert main(["explain", word]) == 2
    assert f"no error has the code `{word}`\n  help: {hint}" in capsys.readouterr().err


def test_explaining_loads_no_torch():
    question = (
        "import sys; from taxo.cli import main; main(['explain', 'T601'])\n"
        "print(sorted({'torch', 'sklearn', 'networkx'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", question], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
