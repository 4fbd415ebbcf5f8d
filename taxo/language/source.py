"""Text with a name, and the stretches of it that messages point to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the name under which messages quote it."""

    name: str
    text: str


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

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    def excerpt(self) -> str:
        """The span's first line with carets under the span."""
        start = self.start - self.column + 1
        stop = self.source.text.find("\n", start)
        line = self.source.text[start : len(self.source.text) if stop < 0 else stop]
        width = max(1, min(self.end - self.start, len(line) - self.column + 1))
        gutter = f"{self.line:>3} | "
        blank = "".join("\t" if character == "\t" else " " for character in line[: self.column - 1])
        return f"{gutter}{line}\n{' ' * (len(gutter) - 2)}| {blank}{'^' * width}"
