"""`taxo explain`, run as a user runs it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from taxo.cli import main
from taxo.cli.examples import said
from taxo.cli.reference_pages import reference_pages
from taxo.cli.word_entries import entry
from taxo.cli.word_examples import examples
from taxo.language.errors import CODES
from taxo.language.vocabulary import FUNCTIONS, TABLES

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


def test_without_a_code_or_word_all_are_listed(capsys: pytest.CaptureFixture[str]):
    out = explain(capsys)
    assert [code for code in CODES if f"- {code}: {CODES[code].title}\n" not in out] == []
    assert {word for table in TABLES.values() for word in table} <= set(re.findall(r"`(\w+)`", out))


@pytest.mark.parametrize(("table", "word"), examples())
def test_every_word_is_explained_with_its_example(capsys: pytest.CaptureFixture[str], table: str, word: str):
    out = explain(capsys, word)
    text = out.partition(f"{word} ({table})\n\n")[2]
    meaning, *facts = entry(TABLES[table][word])
    example = [f"    {line}".rstrip() for line in examples()[table, word].splitlines()]
    shown = " ".join(text.split())
    assert shown.startswith(" ".join(" ".join((meaning, *facts, *example)).split()))


def test_an_entry_says_what_the_table_says(capsys: pytest.CaptureFixture[str]):
    out = " ".join(explain(capsys, "pgd").split())
    for part in (
        "- `steps`: how many steps (a whole number from 1 to 10,000)",
        "- `step`: the length of a step (a number of 0 or more, which may differ from sample to sample)",
        "(`zero`, `uniform`, `kept` or `previous`, or a value of the unknown's shape; `zero` if left out)",
        "- needs a set that bounds the unknown",
    ):
        assert part in out


@pytest.mark.parametrize(
    ("word", "part"),
    [
        ("z", "a site of `features`"),
        ("z", "there from an inner layer on"),
        ("u", "of the unperturbed pass with `clean.` before it"),
        ("teacher", "has to be asked for: `needs teacher`"),
        ("view", "has to be asked for: `needs views`"),
        ("ce", "takes one number per sample and class; then one number per sample and class"),
        ("quantile", "takes one number per sample; then a number from 0 to 1"),
        ("lp", "then a number of 1 or more"),
        ("max", "perhaps numbers of any shape"),
        ("mean_batch", "gives what is left without the batch"),
        ("outputs", "there is one owner of the head"),
        ("cross_entropy", "labels have to stay distributions"),
        ("permutation", "drawn `per batch`"),
        ("sphere", "all entries are drawn at once"),
        ("joint", "keeps a table of its own"),
        ("lookahead", "needs held-out data"),
        ("lookahead", "(`sgd` or `adam`; `sgd` if left out)"),
        ("box", "does not bound by itself"),
        ("smooth_flow", "the unknown is one motion per sample and pixel"),
        ("corruption", "(a word or a text)"),
        ("mean", "(a condition; or nothing)"),
        ("normal", "`mean`: the mean (a number)"),
    ],
)
def test_what_an_entry_tells(capsys: pytest.CaptureFixture[str], word: str, part: str):
    assert part in " ".join(explain(capsys, word).split())


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("T2033", "did you mean `T203`?"),
        ("pgdd", "did you mean `pgd`?"),
        ("PGD", "did you mean `pgd`?"),
        ("nothing like it", "`taxo explain` lists all codes and words"),
        ("metadistil", "it is a method: `taxo card metadistil` is all there is to know of it"),
        ("../T203", "`taxo explain` lists all codes and words"),
    ],
)
def test_anything_else_is_a_usage_error(capsys: pytest.CaptureFixture[str], word: str, hint: str):
    assert main(["explain", word]) == 2
    expected = f"`{word}` is no code of an error and no word of the language\n  help: {hint}"
    assert expected in capsys.readouterr().err


def test_a_word_that_a_plug_in_adds_is_explained_without_an_example(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(FUNCTIONS, "huber", replace(FUNCTIONS["abs"], meaning="the Huber function"))
    out = explain(capsys, "huber")
    assert out.startswith("huber (function)\n\nThe Huber function.\n- takes numbers of any shape\n")
    assert not any("huber" in page for page in reference_pages().values())
