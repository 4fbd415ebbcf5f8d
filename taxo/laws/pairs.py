"""Whether two methods go together, said by the checker alone: nothing is compiled or trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from taxo.catalog import library_of
from taxo.language.check import check
from taxo.language.errors import Diagnostic
from taxo.language.method import Method, Use
from taxo.language.parser import parse_reference
from taxo.language.syntax import Word
from taxo.language.uses import Library


@dataclass(frozen=True, slots=True)
class Pair:
    """Two methods and what the checker says of their composition."""

    first: str
    second: str
    findings: tuple[Diagnostic, ...] = ()

    @property
    def name(self) -> str:
        """The pair as one writes it."""
        return f"{self.first}+{self.second}"

    @property
    def refused(self) -> bool:
        """Whether the two cannot be had together."""
        return any(one.severity == "error" for one in self.findings)

    @property
    def codes(self) -> list[str]:
        """The codes of what is said: errors alone where there are some."""
        said = [one for one in self.findings if one.severity == "error" or not self.refused]
        return sorted({one.code for one in said})


def pairs(names: Sequence[str], library: Library | None = None) -> Iterator[Pair]:
    """Every pair of methods; what is said of `a+b` is said of `b+a`, too."""
    known = library or library_of(None)
    for first, second in combinations(names, 2):
        yield pair(first, second, known)


def pair(first: str, second: str, library: Library) -> Pair:
    """What the checker says of two methods that one uses together."""
    uses = tuple(Use(method=call, span=call.span) for call in parse_reference(f"{first}+{second}"))
    method = Method(name=Word(f"{first}_{second}"), summary=f"{first}, then {second}.", clauses=uses)
    return Pair(first, second, tuple(check(method, library=library)))
