"""Reading one word."""

from __future__ import annotations

import pytest

from taxo.language.errors import TaxoError
from taxo.training import words


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.3", 0.3), ("30%", 0.3), (" 12.5 %", 0.125), ("8/255", 8 / 255), ("1e-3", 1e-3), ("-2", -2.0)],
)
def test_number(text: str, value: float):
    assert words.number(text) == value


@pytest.mark.parametrize("text", ["", "%", "many", "1/0", "1/", "30%%", "0x10"])
def test_not_a_number(text: str):
    with pytest.raises(ValueError, match=r".*"):
        words.number(text)


@pytest.mark.parametrize("text", ["100%", "1", "-0.1", "nan", "inf", "much"])
def test_a_share_lies_in_0_to_1(text: str):
    with pytest.raises(TaxoError, match=rf"T503.*`--validation` cannot be `{text}`"):
        words.share(text, "--validation")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "1e3", "²", "9" * 13])
def test_a_whole_number_has_no_other_spelling(text: str):
    with pytest.raises(TaxoError, match=r"a whole number of at least 1"):
        words.whole(text, "--epochs", 1)


def test_a_wrong_choice_names_the_nearest():
    with pytest.raises(TaxoError, match=r"did you mean `cosine`"):
        words.choice("cosin", "--schedule", ("cosine", "linear"))


def test_an_assignment_is_two_words():
    assert words.assignment(" eps = 8/255 ", "--set") == ("eps", "8/255")
    assert words.assignment("a=b=c", "--set") == ("a", "b=c")


@pytest.mark.parametrize("text", ["eta", "=3", "eta=", ""])
def test_an_assignment_that_cannot_be_read(text: str):
    with pytest.raises(TaxoError, match=rf"T503.*`--set {text}` is not `name=value`"):
        words.assignment(text, "--set")
