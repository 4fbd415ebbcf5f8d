"""The methods as a catalogue lists them: their coordinates, and the words they are found by."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from taxo.language.method import Method, Perturbation
from taxo.language.scope import Scope

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Coordinates:
    """What one perturbation declares of itself."""

    target: str
    direction: str
    manner: str
    granularity: tuple[str, ...]

    def rows(self) -> list[list[str]]:
        """The words as rows of a table; each further granularity has a row of its own."""
        first, *others = self.granularity
        return [[self.target, self.direction, self.manner, first], *(["", "", "", word] for word in others)]


@dataclass(frozen=True, slots=True)
class Entry:
    """A method in the catalogue, with the coordinates of each of its perturbations."""

    name: str
    title: str
    summary: str
    cite: tuple[str, ...]
    perturbations: tuple[Coordinates, ...]

    def words(self, coordinate: str) -> tuple[str, ...]:
        """The words of one coordinate over all perturbations, each once."""
        match coordinate:
            case "target":
                return _distinct(one.target for one in self.perturbations)
            case "direction":
                return _distinct(one.direction for one in self.perturbations)
            case "manner":
                return _distinct(one.manner for one in self.perturbations)
            case _:
                return _distinct(word for one in self.perturbations for word in one.granularity)

    @property
    def heading(self) -> str:
        """What the method is, in one line."""
        return self.title or self.summary

    def texts(self) -> Iterator[str]:
        """Everything that a search looks at."""
        yield from (self.name, self.name.replace("_", " "), self.title, self.summary, *self.cite)
        for one in self.perturbations:
            yield from (one.target, one.direction, one.manner, *one.granularity)

    def to_json(self) -> dict[str, str | list[str]]:
        """The entry as plain values."""
        return {
            "name": self.name,
            "title": self.heading,
            "target": list(self.words("target")),
            "direction": list(self.words("direction")),
            "manner": list(self.words("manner")),
            "granularity": list(self.words("granularity")),
        }


def entry(method: Method) -> Entry:
    """The catalogue's entry of a method."""
    scope = Scope(method)
    places = _distinct(_coordinates(item, scope) for item in method.perturbations())
    return Entry(method.name.text, method.title, method.summary, method.cite, places)


def _coordinates(item: Perturbation, scope: Scope) -> Coordinates:
    """What it declares; where the method finds what it reads, the manner is that of the method."""
    grains = tuple(word.text for word in item.granularity)
    found = [scope.found[name].manner.text for name in scope.covered(item)]
    manner = item.infer.manner.text or " + ".join(_distinct(found))
    return Coordinates(item.target.text, item.direction.text, manner, grains)


def _distinct(found: Iterable[Found]) -> tuple[Found, ...]:
    return tuple(dict.fromkeys(found))
