"""Text with a name, and the stretches of it that messages point to."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from pathlib import Path

WIDTH = 120  # of a quoted line: of a longer one, the part around the caret is shown


@dataclass(frozen=True, slots=True)
class Source:
    """A text, the name under which messages quote it, and the folder it lies in, if it does."""

    name: str
    text: str
    folder: Path | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """The stretch `start:end` of a source."""

    source: Source
    start: int
    end: int

    @property
    def line(self) -> int:
        """The line of the first character, counted from 1."""
        return self.source.text.count("\n", 0, self.start) + 1

    @property
    def column(self) -> int:
        """The column of the first character, counted from 1."""
        return self.start - self.source.text.rfind("\n", 0, self.start)

    @property
    def text(self) -> str:
        """The characters the span covers."""
        return self.source.text[self.start : self.end]

    def __contains__(self, other: Span) -> bool:
        return self.source is other.source and self.start <= other.start and other.end <= self.end

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def excerpt(self) -> str:
        """The span's first line with carets under the span."""
        first = self.start - self.column + 1
        stop = self.source.text.find("\n", first)
        last = len(self.source.text) if stop < 0 else stop
        if last - first > WIDTH:
            first = max(first, self.start - WIDTH // 2)
            last = min(last, first + WIDTH)
        line = self.source.text[first:last].rstrip("\r")
        before, marked = line[: self.start - first], line[self.start - first : self.end - first]
        gutter = f"{self.line:>3} | "
        blank = "".join("\t" if letter == "\t" else " " * _columns(letter) for letter in before)
        carets = "^" * max(1, sum(map(_columns, marked)))
        return f"{gutter}{_printable(line)}\n{' ' * (len(gutter) - 2)}| {blank}{carets}"


def _columns(letter: str) -> int:
    """How many columns of a terminal a character takes."""
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1


def _printable(line: str) -> str:
    """The line without the characters that would steer a terminal."""
    return "".join(
        letter if letter.isprintable() or letter == "\t" else "\N{REPLACEMENT CHARACTER}" for letter in line
    )
