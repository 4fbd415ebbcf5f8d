"""Offsets and the lines and columns of editors."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from taxo.editor.positions import UNITS, Position, Positions

LETTERS = some.text(some.sampled_from("aé𝄞\n\r\t\u2028\ud800"), max_size=12)


@pytest.mark.parametrize(
    ("encoding", "column"), [("utf-8", 9), ("utf-16", 5), ("utf-32", 4)], ids=["utf-8", "utf-16", "utf-32"]
)
def test_columns_are_counted_in_units(encoding: str, column: int):
    positions = Positions("\naé𝄞é", encoding)
    assert positions.position(5) == Position(1, column)
    assert positions.offset(Position(1, column)) == 5


def test_a_column_inside_a_character_is_its_start():
    assert Positions("a𝄞b").offset(Position(0, 2)) == 1


def test_a_column_behind_the_line_is_its_end():
    assert Positions("ab\r\nc").offset(Position(0, 9)) == 2


def test_a_line_behind_the_text_is_its_end():
    assert Positions("ab\nc").offset(Position(7, 0)) == 4


def test_lines_end_as_the_protocol_says():
    assert [Positions("a\rb\nc\r\nd\u2028e").position(place).line for place in range(9)] == [
        *(0, 0, 1, 1, 2, 2, 2, 3, 3)
    ]


@given(LETTERS, some.integers(0, 12), some.sampled_from(sorted(UNITS)))
def test_every_offset_has_a_position_that_leads_back(text: str, offset: int, encoding: str):
    positions = Positions(text, encoding)
    inside = min(offset, len(text))
    expected = inside - (text[inside - 1 : inside + 1] == "\r\n")
    assert positions.offset(positions.position(offset)) == expected


@given(LETTERS, some.integers(0, 9), some.integers(0, 9))
def test_every_position_has_an_offset_in_the_text(text: str, line: int, character: int):
    assert 0 <= Positions(text).offset(Position(line, character)) <= len(text)
