"""Program text under construction: lines, their indentation, and the clause each comes from."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from taxo.compiler.wrapping import wrapped
from taxo.language.source import Span

INDENT = "    "


@dataclass(slots=True)
class Text:
    """Lines in order; `indented` and `of` say how those written inside them differ."""

    written: list[tuple[str, Span | None]] = field(default_factory=list[tuple[str, Span | None]])
    depth: int = 0
    origin: Span | None = None

    def line(self, *lines: str) -> None:
        """Add lines at the present depth."""
        self.written += [(f"{INDENT * self.depth}{line}" if line else "", self.origin) for line in lines]

    def gap(self) -> None:
        """Add an empty line, unless a block or its comment just began, or there is one."""
        last = self.written[-1][0] if self.written else ""
        if last and not last.endswith(":") and not last.lstrip().startswith("#"):
            self.line("")

    def comment(self, text: str) -> None:
        """Add a comment, wrapped."""
        self.line(*textwrap.wrap(f"# {text}", 92, subsequent_indent="#   "))

    def block(self, head: str, *lines: str) -> None:
        """Add a line and others below it, one step deeper."""
        self.line(head)
        with self.indented():
            self.line(*lines)

    def extend(self, other: Text) -> None:
        """Add another text at the present depth."""
        for line, origin in other.written:
            self.written.append((f"{INDENT * self.depth}{line}" if line else "", origin))

    @contextmanager
    def indented(self) -> Generator[None]:
        """What is added inside stands one step deeper."""
        self.depth += 1
        yield
        self.depth -= 1

    @contextmanager
    def under(self, head: str) -> Generator[None]:
        """What is added inside stands below `head`; nowhere in particular where that is empty."""
        if head:
            self.line(head)
        self.depth += bool(head)
        yield
        self.depth -= bool(head)

    @contextmanager
    def of(self, origin: Span | None) -> Generator[None]:
        """What is added inside comes from one clause."""
        before, self.origin = self.origin, origin
        yield
        self.origin = before

    def wrap(self) -> None:
        """Break the lines that are too long."""
        self.written = [(line, origin) for long, origin in self.written for line in wrapped(long)]

    def joined(self) -> str:
        """The whole text."""
        return "".join(f"{line}\n" for line, _ in self.written)

    def origins(self) -> dict[int, Span]:
        """The clause of each line, by line number."""
        return {number: origin for number, (_, origin) in enumerate(self.written, 1) if origin}

    def words(self) -> set[str]:
        """Every word of the text outside comments."""
        return {
            word for line, _ in self.written for word in re.findall(r"[A-Za-z_]\w*", line.partition("#")[0])
        }


def call(function: str, arguments: Sequence[str], width: int = 80) -> list[str]:
    """A call on one line, or with one argument a line where that is too long."""
    whole = f"{function}({', '.join(arguments)})"
    if len(whole) <= width:
        return [whole]
    return [f"{function}(", *(f"{INDENT}{argument}," for argument in arguments), ")"]


def text_sum(terms: Sequence[str], width: int = 80) -> list[str]:
    """A sum on one line, or with one term a line where that is too long."""
    whole = " + ".join(terms)
    if len(whole) <= width or (len(terms) == 1 and whole.endswith(")")):
        return [whole]
    return ["(", *(f"{INDENT}{'+ ' * (number > 0)}{term}" for number, term in enumerate(terms)), ")"]


def quoted(text: str) -> str:
    """A text as a Python string in double quotes."""
    return json.dumps(text, ensure_ascii=False)
