"""Where everything of a drawn picture stands, in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from taxo.cli.graph.picture import Edge, Node

Point = tuple[float, float]
Look = Literal["title", "head", "code", "plain", "read", "lane", "note"]


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle."""

    left: float
    top: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x of its right side."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The y of its lower side."""
        return self.top + self.height

    @property
    def middle(self) -> Point:
        """Its centre."""
        return self.left + self.width / 2, self.top + self.height / 2

    def meets(self, other: Box) -> bool:
        """Whether the two share an area."""
        beside = self.right <= other.left or other.right <= self.left
        return not (beside or self.bottom <= other.top or other.bottom <= self.top)


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text and the room it takes."""

    content: str
    look: Look
    box: Box


@dataclass(frozen=True, slots=True)
class Wire:
    """An edge as a line from corner to corner."""

    edge: Edge
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Placed:
    """A node, where it stands, and its captions."""

    node: Node
    box: Box
    texts: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture with every place settled; `texts` are those outside boxes, `dots` where wires part."""

    width: float
    height: float
    frames: tuple[Box, ...]
    placed: tuple[Placed, ...]
    wires: tuple[Wire, ...]
    dots: tuple[Point, ...]
    texts: tuple[Text, ...]
