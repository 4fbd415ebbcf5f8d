"""The discrete half of the layout: the column of each box, and the rails that carry what is read."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Literal

from taxo.cli.graph.picture import ROWS, SHARED, Edge, Node, Picture, Row

Side = Literal["above", "below"]


@dataclass(frozen=True, slots=True)
class Band:
    """The room for rails on one side of a row of boxes."""

    lane: int
    row: Row
    side: Side


@dataclass(frozen=True, slots=True)
class Grid:
    """Columns by key; the tails with a rail in each band, nearest first; those that leave a column."""

    picture: Picture
    columns: dict[str, int]
    rails: dict[Band, list[str]]
    tracks: dict[int, list[str]]

    def band(self, edge: Edge) -> Band:
        """The band that an edge reaches its head from."""
        return _band(self.picture, edge)

    def read_into(self, node: Node, side: Side) -> list[Edge]:
        """The edges that a box is reached by on one side, the nearest rail first."""
        band = Band(node.lane, node.row, side)
        order = self.rails.get(band, [])
        found = [edge for edge in reads(self.picture) if edge.head == node.key and self.band(edge) == band]
        return sorted(found, key=lambda edge: order.index(edge.tail))


def reads(picture: Picture) -> list[Edge]:
    """The edges beside the training line."""
    return [edge for edge in picture.edges if edge.reads]


def arrange(picture: Picture) -> Grid:
    """The grid of a picture."""
    columns = _columns(picture)
    rails: defaultdict[Band, dict[str, int]] = defaultdict(dict)
    tracks: defaultdict[int, list[str]] = defaultdict(list)
    for edge in reads(picture):
        reach = rails[_band(picture, edge)]
        reach[edge.tail] = max(reach.get(edge.tail, 0), columns[edge.head])
        if edge.tail not in tracks[columns[edge.tail]]:
            tracks[columns[edge.tail]].append(edge.tail)
    # a rail that ends early lies near the boxes, so that none further out is crossed on the way in
    ordered = {
        band: sorted(reach, key=lambda tail, reach=reach: reach[tail]) for band, reach in rails.items()
    }
    return Grid(picture, columns, ordered, dict(tracks))


def _band(picture: Picture, edge: Edge) -> Band:
    """From below where the tail's row is below the head's, else from above."""
    tail, head = picture.node(edge.tail), picture.node(edge.head)
    below = tail.lane == head.lane and ROWS.index(tail.row) > ROWS.index(head.row)
    return Band(head.lane, head.row, "below" if below else "above")


def _columns(picture: Picture) -> dict[str, int]:
    """Each box right of all that leads to it, and level with its twins on other lanes."""
    sources = any(node.kind == "source" for node in picture.nodes)
    columns = {node.key: int(sources and node.kind != "source") for node in picture.nodes}
    for _ in picture.nodes:
        for edge in picture.edges:
            columns[edge.head] = max(columns[edge.head], columns[edge.tail] + 1)
        for node in picture.nodes:
            twins = [twin.key for twin in picture.nodes if twin.name == node.name]
            columns[node.key] = max(columns[key] for key in twins)
    ends = [columns[node.key] for node in picture.nodes if node.lane != SHARED]
    return columns | {node.key: max(ends) + 1 for node in picture.nodes if node.kind == "total"}
