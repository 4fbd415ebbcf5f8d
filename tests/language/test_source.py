"""What messages quote: lines, carets, and the words that were probably meant."""

import pytest

from taxo.language.source import Source, Span
from taxo.language.spelling import listed, nearest, shortened, suggest


def excerpt(text: str, start: int, end: int) -> list[str]:
    return Span(Source("m.taxo", text), start, end).excerpt().split("\n")


def test_a_place():
    span = Span(Source("m.taxo", "one\ntwo three\n"), 8, 13)
    assert (span.line, span.column, span.text, str(span)) == (2, 5, "three", "m.taxo:2:5")


@pytest.mark.parametrize(
    ("text", "word", "lines"),
    [
        ("one two", "two", ["  1 | one two", "    |     ^^^"]),
        ("\tone two", "two", ["  1 | \tone two", "    | \t    ^^^"]),
        ("方法 two", "two", ["  1 | 方法 two", "    |      ^^^"]),
        ("a\u0301 two", "two", ["  1 | a\u0301 two", "    |   ^^^"]),
        ("\x1b[1m two\r", "two", ["  1 | \ufffd[1m two", "    |      ^^^"]),
        ("one\ntwo\n", "\n", ["  1 | one", "    |    ^"]),
    ],
)
def test_a_caret_stands_under_its_word(text: str, word: str, lines: list[str]):
    start = text.index(word)
    assert excerpt(text, start, start + len(word)) == lines


def test_of_a_long_line_the_part_around_the_caret_is_shown():
    line, caret = excerpt("x" * 5000 + "here" + "x" * 5000, 5000, 5004)
    assert len(line) < 140
    assert line[caret.index("^") :].startswith("here")


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("smaple", ["sample", "simple"], ["sample"]),
        ("i", ["in", "at"], ["in"]),
        ("CC", ["C", "N"], ["C"]),
        ("yy", ["y", "u"], ["y"]),
        ("UNIFORM", ["uniform"], ["uniform"]),
        ("granluarity", ["granularity", "direction"], ["granularity"]),
        ("sofmtax", ["softmax", "sigmoid"], ["softmax"]),
        ("q", ["u", "y"], []),
        ("strength", ["lam", "eta"], []),
        ("a" * 10_000, ["a" * 9_999], []),
    ],
)
def test_the_nearest_word(word: str, known: list[str], found: list[str]):
    assert nearest(word, known) == found


def test_hints():
    assert suggest("lo", ["log", "loss", "l1"]) == "did you mean `l1` or `log`?"
    assert suggest("yy", ["dy", "ly", "y"]) == "did you mean `y`?"
    assert suggest("zzz", ["a", "b", "c"]) == "one of `a`, `b` or `c`"
    assert suggest("zzz", ["top"]) == "write `top`"
    assert suggest("zzz", []) == "drop it"
    assert suggest("zzz", [f"name{number}" for number in range(50)]).endswith("and 20 more are known")
    assert listed(["a"]) == "`a`"
    assert shortened("a\nb" * 100) == "a ba ba ba ba ba ba ba ba ba ba ba ba..."
