"""Where in a program an expression is written, and what each value is called there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from taxo.language.shapes import ANYWHERE, Reader
from taxo.language.vocabulary import Place

SEEN = frozenset({"x", "z", "h", "W", "u", "loss", "base"})


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in the program.

    `line` is the variable of the pass that values are read of, and `own` are those that have a variable
    of their own. The `let`s of `spelt` have no name here, and are written out. Labels are `soft` where they
    have become distributions. A per-weight expression is about the parameter under `key`.
    """

    reader: Reader
    line: str = ""
    own: Mapping[str, str] = field(default_factory=dict[str, str])
    y: str = "y"
    soft: bool = False
    clean: str = "clean"
    unknown: str = ""
    key: str = ""
    spelt: frozenset[str] = frozenset()

    def value(self, name: str) -> str:
        """What a value is called."""
        if name in self.own:
            return self.own[name]
        if name == "W" and not self.line:
            return "self.W"
        return f"{self.line}.{name}" if self.line and name in SEEN else name

    def like(self) -> str:
        """A tensor at hand whose type and device others take."""
        late = self.reader.place >= Place.LOGITS and self.reader is not ANYWHERE
        return self.value("u") if late or "u" in self.own else "x"


EARLY = Spot(Reader(Place.DATA, "let"))


def of_line(variable: str, reader: Reader = ANYWHERE, **more: object) -> Spot:
    """The spot behind a pass, whose values are those of its end."""
    own = {"u": f"{variable}.u"}
    return Spot(reader, line=variable, own=own, **more)  # pyright: ignore[reportArgumentType]
