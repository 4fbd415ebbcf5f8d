"""A method as a picture: boxes, wires and lanes, before any format or any coordinate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["value", "model", "perturbation", "source", "weight", "total"]
Style = Literal["head", "code", "plain"]
Row = Literal["weights", "line", "labels"]
ROWS: tuple[Row, ...] = ("weights", "line", "labels")
ACCENTS = {"positive": "#1a8f5f", "negative": "#c8472f", "mixed": "#8356b8"}  # by direction
SHARED = -1  # the lane of what belongs to none


@dataclass(frozen=True, slots=True)
class Caption:
    """One line of text in a box."""

    text: str
    style: Style = "plain"


@dataclass(frozen=True, slots=True)
class Node:
    """A box: `name` is what it has in common with its twins on other lanes, `title` all there is to say."""

    key: str
    name: str
    kind: Kind
    captions: tuple[Caption, ...]
    title: str
    lane: int = SHARED
    row: Row = "line"
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """A wire: of the training line itself, or from a value to what reads it."""

    tail: str
    head: str
    reads: str = ""


@dataclass(frozen=True, slots=True)
class Lane:
    """One weighted copy of the batch; a line without branches has no name."""

    name: str
    weight: str


@dataclass(frozen=True, slots=True)
class Picture:
    """Everything a format draws; an edge's tail comes before its head among the nodes."""

    name: str
    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    lanes: tuple[Lane, ...]
    notes: tuple[str, ...]

    @property
    def heading(self) -> str:
        """The method's name, and what it is."""
        return f"{self.name}: {self.title}" if self.title else self.name

    def node(self, key: str) -> Node:
        """The box of a key."""
        return next(node for node in self.nodes if node.key == key)

    def on(self, lane: int) -> list[Node]:
        """The boxes of a lane."""
        return [node for node in self.nodes if node.lane == lane]
