"""A picture as Mermaid text, which hosts of Markdown draw: the plain `flowchart` and no more."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.cli.graph.picture import ACCENTS, SHARED, Edge, Kind, Node, Picture

SHAPES: dict[Kind, tuple[str, str]] = {
    "value": ("([", "])"),
    "model": ("[[", "]]"),
    "perturbation": ("[", "]"),
    "source": ("(", ")"),
    "weight": ("[", "]"),
    "total": ("((", "))"),
}
# Mermaid reads these in a text as its own, as HTML or as Markdown; they are given by number.
SPECIAL = '"#&<>`\\'


def mermaid(picture: Picture) -> str:
    """The picture as a Mermaid flowchart."""
    lines = [f"%% {picture.heading}", *(f"%% {note}" for note in picture.notes), "flowchart LR"]
    lines += [f"  {_node(node)}" for node in picture.on(SHARED)]
    for number, lane in enumerate(picture.lanes):
        lines += _lane(picture, number, lane.name)
    lines += [f"  {_edge(edge)}" for edge in picture.edges]
    lines += _classes(picture)
    return "\n".join(lines) + "\n"


def _lane(picture: Picture, number: int, name: str) -> Iterator[str]:
    """The boxes of a lane; those of a branch in a frame."""
    indent = "    " if name else "  "
    if name:
        yield f"  subgraph lane_{number}[{_text(name)}]"
    yield from (f"{indent}{_node(node)}" for node in picture.on(number))
    if name:
        yield "  end"


def _node(node: Node) -> str:
    start, end = SHAPES[node.kind]
    return f"{node.key}{start}{_text(*(caption.text for caption in node.captions))}{end}"


def _edge(edge: Edge) -> str:
    arrow = f"-. {_text(edge.reads)} .->" if edge.reads else "-->"
    return f"{edge.tail} {arrow} {edge.head}"


def _text(*lines: str) -> str:
    escaped = ["".join(f"#{ord(sign)};" if sign in SPECIAL else sign for sign in line) for line in lines]
    return f'"{"<br/>".join(escaped)}"'


def _classes(picture: Picture) -> Iterator[str]:
    """The colour of each direction, for the boxes that have it."""
    for direction, colour in ACCENTS.items():
        keys = [node.key for node in picture.nodes if node.direction == direction]
        if keys:
            yield f"  classDef {direction} stroke:{colour},stroke-width:3px"
            yield f"  class {','.join(keys)} {direction}"
