"""A text that is open in an editor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from taxo.editor.statements import Statement, declarations, enclosing, statements, unknowns
from taxo.editor.tokens import tokens
from taxo.language.source import Source

SUFFIX = ".taxo"


@dataclass(frozen=True)
class Document:
    """A text, and the file it belongs to if it has one."""

    text: str
    path: Path | None = None

    @classmethod
    def at(cls, uri: str, text: str) -> Document:
        """The text that an editor has under an address."""
        parts = urlsplit(uri)
        return cls(text, Path(url2pathname(parts.path)) if parts.scheme == "file" else None)

    @property
    def source(self) -> Source:
        """The text under the name that messages quote."""
        folder = self.path.parent if self.path else None
        return Source(str(self.path or "<text>"), self.text, folder)

    @property
    def stem(self) -> str | None:
        """The name that the file gives its method."""
        return self.path.stem if self.path and self.path.suffix == SUFFIX else None

    @cached_property
    def items(self) -> list[Statement]:
        """The text's items."""
        return statements(tokens(self.text))

    @cached_property
    def declared(self) -> dict[str, Statement]:
        """What the text declares."""
        return declarations(self.items)

    @cached_property
    def words(self) -> dict[str, str]:
        """The words that parameters may be, each with the parameter that is declared with it first."""
        found: dict[str, str] = {}
        for name, item in self.declared.items():
            kinds = [token.type for token in item.tokens]
            if item.keyword.type == "PARAM" and "LBRACE" in kinds:
                listed = item.tokens[kinds.index("LBRACE") :]
                found = {str(token): name for token in listed if token.type == "NAME"} | found
        return found

    def unknown(self, name: str, offset: int) -> tuple[int, int] | None:
        """Where the form of the perturbation around an offset reads an unknown of that name first."""
        around = enclosing(self.items, offset)
        if around is None:
            return None
        found = (token for token in unknowns(around, self.declared) if token == name)
        first = next(found, None)
        return (first.start_pos or 0, first.end_pos or 0) if first else None
