"""The layout of a picture: columns from the order of the line, rows from lanes, wires at right angles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from statistics import mean
from textwrap import wrap

from taxo.cli.columns import clipped
from taxo.cli.graph.geometry import Box, Layout, Look, Placed, Point, Text, Wire
from taxo.cli.graph.grid import Band, Grid, Side, arrange
from taxo.cli.graph.measure import text_height, text_width
from taxo.cli.graph.picture import ROWS, SHARED, Edge, Node, Picture, Row
from taxo.cli.graph.wires import dots, without_stops

MARGIN = 20.0
PAD = 10.0  # inside a box
LEAST = 32.0  # the width and height of the smallest box
GUTTER = 30.0  # between columns, without tracks
TRACK = 10.0  # between neighbouring wires
LABEL = 24.0  # between a box and the nearest rail
ROW_GAP = 20.0
LANE_GAP = 16.0
SOURCE_GAP = 12.0
FRAME = 14.0  # inside a lane's frame
PORT = 6.0  # between a wire and its label, and between a label and the next wire
LEAST_NOTE = 80  # letters on a line below the smallest picture
LEAST_HEADING = 54
LETTER = text_width("n", "title") * 0.9  # of a heading, more or less
LONGEST_LABEL = 36
SIDES: tuple[Side, ...] = ("above", "below")


def lay_out(picture: Picture) -> Layout:
    """A place for everything in a picture."""
    return _Draft(picture, arrange(picture)).finish()


@dataclass(slots=True)
class _Draft:
    """A layout in the making."""

    picture: Picture
    grid: Grid
    columns: dict[int, Box] = field(default_factory=dict[int, Box])
    boxes: dict[str, Box] = field(default_factory=dict[str, Box])
    rails: dict[tuple[Band, str], float] = field(default_factory=dict[tuple[Band, str], float])
    frames: list[Box] = field(default_factory=list[Box])
    texts: list[Text] = field(default_factory=list[Text])

    @property
    def framed(self) -> bool:
        """Whether lanes have frames: where there are branches."""
        return any(lane.name for lane in self.picture.lanes)

    def finish(self) -> Layout:
        """Place columns, then lanes from top to bottom, then what stands beside them."""
        self._place_columns()
        heading = self._heading()
        start = MARGIN + text_height("title") * len(heading) + 14
        bottom = self._place_lanes(start)
        above = start - self._highest_source()
        if above > 0:
            # lower the lanes, so that the first source is level with its rail
            bottom = self._place_lanes(start + above)
        bottom = max(bottom, self._place_shared(start)) + 16
        wires = [self._wire(edge) for edge in self.picture.edges]
        for number, line in enumerate(heading):
            self._write("title", line, MARGIN, MARGIN + number * text_height("title"))
        bottom = self._place_notes(bottom)
        placed = tuple(self._placed(node) for node in self.picture.nodes)
        right = max([box.right for box in self.boxes.values()] + [text.box.right for text in self.texts])
        size = (right + MARGIN, bottom + MARGIN)
        return Layout(*size, tuple(self.frames), placed, tuple(wires), tuple(dots(wires)), tuple(self.texts))

    def _heading(self) -> list[str]:
        """The lines of the heading, wrapped to the picture's width."""
        right = max(column.right for column in self.columns.values())
        return wrap(self.picture.heading, max(LEAST_HEADING, int(right / LETTER)))

    def _place_notes(self, top: float) -> float:
        """Place what is said below, wrapped to the picture's width; the bottom."""
        right = max(box.right for box in self.boxes.values())
        letters = max(LEAST_NOTE, int((right - MARGIN) / text_width(".", "note")))
        for note in self.picture.notes:
            for line in wrap(note, letters, subsequent_indent="  "):
                top = self._write("note", line, MARGIN, top).box.bottom
        return top

    def _write(self, look: Look, content: str, left: float, top: float) -> Text:
        text = Text(content, look, Box(left, top, text_width(content, look), text_height(look)))
        self.texts.append(text)
        return text

    def _place_columns(self) -> None:
        """Give each column its widest box's width, and each gutter room for the wires that turn in it."""
        inner = {self.grid.columns[node.key] for node in self.picture.nodes if node.lane != SHARED}
        left = MARGIN + FRAME * (self.framed and min(inner) == 0)
        for column in range(max(self.grid.columns.values()) + 1):
            nodes = [node for node in self.picture.nodes if self.grid.columns[node.key] == column]
            width = max(self._size(node)[0] for node in nodes)
            self.columns[column] = Box(left, 0, width, 0)
            tails = [self.picture.node(tail).lane for tail in self.grid.tracks.get(column, [])]
            tracks = max((tails.count(lane) for lane in tails), default=0)
            edge = FRAME * (self.framed and column in (min(inner) - 1, max(inner)))
            left += width + GUTTER + TRACK * tracks + edge

    def _size(self, node: Node) -> tuple[float, float]:
        """The size of a box: its captions, and room for the labels of what reaches it."""
        wide = max(text_width(caption.text, caption.style) for caption in node.captions)
        labels = [sum(self._slot(edge) for edge in self.grid.read_into(node, side)) for side in SIDES]
        high = sum(text_height(caption.style) for caption in node.captions)
        return max(LEAST, wide + 2 * PAD, *labels), max(LEAST, high + 1.4 * PAD)

    def _slot(self, edge: Edge) -> float:
        return text_width(_label(edge), "read") + 2 * PORT

    def _place_lanes(self, top: float) -> float:
        """Place all lanes from `top` on; the bottom."""
        self.frames.clear()
        self.texts.clear()
        for lane in range(len(self.picture.lanes)):
            top = self._place_lane(lane, top) + LANE_GAP
        return top - LANE_GAP

    def _place_lane(self, lane: int, top: float) -> float:
        """Place a lane from `top` on, a branch's in a frame with its name; the bottom."""
        name, nodes = self.picture.lanes[lane].name, self.picture.on(lane)
        left, right = self._inner_sides()
        inside = top
        if name:
            heading = clipped(name, LONGEST_LABEL)
            inside = self._write("lane", heading, left - FRAME + 10, top + 6).box.bottom + 6
        rows: list[Row] = [row for row in ROWS if any(node.row == row for node in nodes)]
        for number, row in enumerate(rows):
            inside = self._place_row(lane, row, inside + ROW_GAP * (number > 0))
        if not name:
            return inside
        bottom = inside + FRAME
        self.frames.append(Box(left - FRAME, top, right - left + 2 * FRAME, bottom - top))
        return bottom

    def _place_row(self, lane: int, row: Row, top: float) -> float:
        """Place the boxes of a row, below the rails that reach them from above; the bottom."""
        nodes = [node for node in self.picture.on(lane) if node.row == row]
        above, below = Band(lane, row, "above"), Band(lane, row, "below")
        top += self._depth(above)
        bottom = top + max(self._size(node)[1] for node in nodes)
        for node in nodes:
            self._place(node, (top + bottom) / 2)
        for order, tail in enumerate(self.grid.rails.get(above, [])):
            self.rails[above, tail] = top - LABEL - TRACK * order
        for order, tail in enumerate(self.grid.rails.get(below, [])):
            self.rails[below, tail] = bottom + LABEL + TRACK * order
        return bottom + self._depth(below)

    def _depth(self, band: Band) -> float:
        """The room that the rails of a band take."""
        tails = self.grid.rails.get(band, [])
        return LABEL + TRACK * len(tails) if tails else 0

    def _inner_sides(self) -> tuple[float, float]:
        """The left and right side of what lanes hold."""
        inner = [self.grid.columns[node.key] for node in self.picture.nodes if node.lane != SHARED]
        return self.columns[min(inner)].left, self.columns[max(inner)].right

    def _place(self, node: Node, middle: float) -> None:
        width, height = self._size(node)
        centre = self.columns[self.grid.columns[node.key]].middle[0]
        self.boxes[node.key] = Box(centre - width / 2, middle - height / 2, width, height)

    def _levels(self) -> dict[str, float]:
        """The mean height of each source's rails, from top to bottom."""
        found = {
            node.key: mean(high for (_, tail), high in self.rails.items() if tail == node.key)
            for node in self.picture.nodes
            if node.kind == "source"
        }
        return dict(sorted(found.items(), key=lambda one: one[1]))

    def _highest_source(self) -> float:
        """The top of the first source if it is level with its rails."""
        tops = [high - self._size(self.picture.node(key))[1] / 2 for key, high in self._levels().items()]
        return tops[0] if tops else inf

    def _place_shared(self, top: float) -> float:
        """Place the end beside all lanes, and sources level with their rails if there is room; the bottom."""
        ends = [edge.tail for edge in self.picture.edges if self.picture.node(edge.head).kind == "total"]
        self._place(self.picture.node("total"), mean(self.boxes[end].middle[1] for end in ends))
        levels, bottom = self._levels(), top
        for key, level in levels.items():
            height = self._size(self.picture.node(key))[1]
            middle = max(top + height / 2, level)
            self._place(self.picture.node(key), middle)
            bottom = middle + height / 2
            top = bottom + SOURCE_GAP
        if levels:
            # from top to bottom, so that no two wires cross on the way out
            self.grid.tracks[0].sort(key=list(levels).index)
        return bottom

    def _wire(self, edge: Edge) -> Wire:
        points = self._read(edge) if edge.reads else self._flow(edge)
        return Wire(edge, without_stops(points))

    def _flow(self, edge: Edge) -> Iterator[Point]:
        """Straight along a row; from another row up or down into the box; to the end by a last gutter."""
        tail, head = self.boxes[edge.tail], self.boxes[edge.head]
        rows = [self.picture.node(key).row for key in (edge.tail, edge.head)]
        yield tail.right, tail.middle[1]
        if rows[0] != rows[1]:
            yield head.middle[0], tail.middle[1]
            yield head.middle[0], head.top if tail.middle[1] < head.middle[1] else head.bottom
            return
        turn = head.left - GUTTER / 2
        yield from ((turn, tail.middle[1]), (turn, head.middle[1]), (head.left, head.middle[1]))

    def _read(self, edge: Edge) -> Iterator[Point]:
        """Out to the tail's track, along its rail, and into the head beside the label."""
        tail, head, band = self.boxes[edge.tail], self.boxes[edge.head], self.grid.band(edge)
        rail, port = self.rails[band, edge.tail], self._port(edge, band.side)
        track = self._track(edge.tail)
        end = head.top if band.side == "above" else head.bottom
        high = text_height("read")
        self._write(
            "read", _label(edge), port + PORT - 1, end + 4 if band.side == "below" else end - high - 4
        )
        yield from ((tail.right, tail.middle[1]), (track, tail.middle[1]))
        yield from ((track, rail), (port, rail), (port, end))

    def _port(self, edge: Edge, side: Side) -> float:
        """Where an edge meets its head: those of near rails on the left, so that they do not cross."""
        node = self.picture.node(edge.head)
        edges = self.grid.read_into(node, side)
        slots = [self._slot(one) for one in edges]
        start = self.boxes[node.key].middle[0] - sum(slots) / 2
        return start + sum(slots[: edges.index(edge)]) + 2

    def _track(self, tail: str) -> float:
        """The x at which what reads a box leaves its column."""
        column = self.grid.columns[tail]
        lane = self.picture.node(tail).lane
        tails = [one for one in self.grid.tracks[column] if self.picture.node(one).lane == lane]
        return self.columns[column].right + 12 + TRACK * tails.index(tail)

    def _placed(self, node: Node) -> Placed:
        """A box with its captions below each other: a card's from the left, any other's in the middle."""
        box = self.boxes[node.key]
        high = sum(text_height(caption.style) for caption in node.captions)
        top = box.middle[1] - high / 2
        texts: list[Text] = []
        for caption in node.captions:
            width, height = text_width(caption.text, caption.style), text_height(caption.style)
            card = node.kind == "perturbation"
            left = box.left + PAD if card else box.middle[0] - width / 2
            texts.append(Text(caption.text, caption.style, Box(left, top, width, height)))
            top += height
        return Placed(node, box, tuple(texts))


def _label(edge: Edge) -> str:
    return clipped(edge.reads, LONGEST_LABEL)
