"""`taxo list WORD…`: methods by their name, their paper, what they say of themselves, their coordinates."""

from __future__ import annotations

import json

import pytest

from taxo.cli import main

# What is expected below is of these; the library around them grows.
KNOWN = [
    "damp",
    "label_smoothing",
    "logit_adjustment",
    "logpert",
    "mixpert",
    "pgd_at",
    "plain",
    "polyloss",
    "sam",
]


def found(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main(["list", "--json", *words]) == 0
    return [entry["name"] for entry in json.loads(capsys.readouterr().out)]


def known(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    return [name for name in found(capsys, *words) if name in KNOWN]


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["list", *words]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (["yao", "2022"], ["label_smoothing", "logpert", "mixpert"]),
        (["Madry"], ["pgd_at"]),
        (["foret", "SHARPNESS"], ["sam"]),
        (["wrong", "label"], ["logpert"]),
        (["logit", "adjustment"], ["logit_adjustment"]),
        (["logit_adj"], ["logit_adjustment"]),
        (["weights", "adversarial"], ["sam"]),
        (["regularization"], ["logpert"]),
        (["Poly-1"], ["polyloss"]),
        (["eq. 24"], ["label_smoothing"]),
    ],
)
def test_every_word_must_be_found(capsys: pytest.CaptureFixture[str], words: list[str], names: list[str]):
    assert known(capsys, *words) == names
    one_by_one = [set(found(capsys, word)) for word in words]
    assert set(found(capsys, *words)) == set.intersection(*one_by_one)


def test_words_and_filters_go_together(capsys: pytest.CaptureFixture[str]):
    assert known(capsys, "yao", "--target", "labels") == ["label_smoothing"]
    assert known(capsys, "--manner", "adversarial", "yao") == ["mixpert"]


def test_the_table_shows_what_was_found(capsys: pytest.CaptureFixture[str]):
    assert main(["list", "madry"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["method", "pgd_at"]


def test_a_misspelt_name_is_guessed(capsys: pytest.CaptureFixture[str]):
    said = refused(capsys, "mixprt")
    assert "error[T201]: no method matches `mixprt`" in said
    assert "did you mean `mixpert`?" in said


def test_a_misspelt_word_is_guessed(capsys: pytest.CaptureFixture[str]):
    assert "did you mean `sharpness`?" in refused(capsys, "foret", "sharpnes5")


def test_words_of_different_methods(capsys: pytest.CaptureFixture[str]):
    assert "each word is found, but not all in one method" in refused(capsys, "madry", "labels")


def test_a_word_like_no_other(capsys: pytest.CaptureFixture[str]):
    said = refused(capsys, "zzyzx", "--json")
    assert "no method matches `zzyzx`" in said
    assert "`taxo list` shows every method" in said


def test_a_long_search_is_cut_in_the_message(capsys: pytest.CaptureFixture[str]):
    assert "..." in refused(capsys, "x" * 500)
