"""Offsets in a text and the lines and columns of editors, who count columns in units of an encoding."""

from __future__ import annotations

import re
from dataclasses import dataclass

# How many bytes a unit has, and the codec to count them in.
UNITS = {"utf-8": (1, "utf-8"), "utf-16": (2, "utf-16-le"), "utf-32": (4, "utf-32-le")}
_LINE_END = re.compile(r"\r\n?|\n")


@dataclass(frozen=True, slots=True)
class Position:
    """A line and a column, both counted from 0."""

    line: int
    character: int


@dataclass(frozen=True, slots=True)
class Positions:
    r"""The positions of one text in one encoding.

    >>> Positions("é\n𝄞 loss").position(5)
    Position(line=1, character=4)
    """

    text: str
    encoding: str = "utf-16"

    def position(self, offset: int) -> Position:
        """Where the character at an offset stands; one past the end is the end."""
        text, offset = self.text, max(0, min(offset, len(self.text)))
        if text[offset - 1 : offset + 1] == "\r\n":
            offset -= 1
        ends = text.count("\n", 0, offset) + text.count("\r", 0, offset) - text.count("\r\n", 0, offset)
        start = max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
        return Position(ends, self._units(text[start:offset]))

    def offset(self, position: Position) -> int:
        """The offset of a position; one behind the end of its line is that end."""
        start = 0
        for _ in range(position.line):
            end = _LINE_END.search(self.text, start)
            if end is None:
                return len(self.text)
            start = end.end()
        end = _LINE_END.search(self.text, start)
        stop, units = end.start() if end else len(self.text), 0
        for place in range(start, stop):
            units += self._units(self.text[place])
            if units > position.character:
                return place
        return stop

    def _units(self, text: str) -> int:
        size, codec = UNITS[self.encoding]
        return len(text.encode(codec, "surrogatepass")) // size
