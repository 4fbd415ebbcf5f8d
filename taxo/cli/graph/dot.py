"""A picture in Graphviz's language."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.cli.graph.picture import ACCENTS, SHARED, Edge, Kind, Node, Picture

SHAPES: dict[Kind, str] = {
    "value": 'shape=box, style="rounded"',
    "model": 'shape=box, style="filled"',
    "perturbation": "shape=box",
    "source": 'shape=box, style="dashed"',
    "weight": "shape=box",
    "total": "shape=circle",
}


def dot(picture: Picture) -> str:
    """The picture as a directed graph."""
    lines = [
        "digraph {",
        "  rankdir=LR",
        f"  label={_text(picture.heading, *picture.notes)}",
        '  node [fontname="Helvetica", fontsize=11, fillcolor="#e8eef5"]',
        '  edge [fontname="Courier", fontsize=10]',
        *(f"  {_node(node)}" for node in picture.on(SHARED)),
    ]
    for number, lane in enumerate(picture.lanes):
        lines += _lane(picture, number, lane.name)
    return "\n".join([*lines, *(f"  {_edge(edge)}" for edge in picture.edges), "}"]) + "\n"


def _lane(picture: Picture, number: int, name: str) -> Iterator[str]:
    """The boxes of a lane; those of a branch in a frame."""
    if not name:
        yield from (f"  {_node(node)}" for node in picture.on(number))
        return
    yield f"  subgraph cluster_{number} {{"
    yield f"    label={_text(name)}"
    yield from (f"    {_node(node)}" for node in picture.on(number))
    yield "  }"


def _node(node: Node) -> str:
    label = _text(*(caption.text for caption in node.captions))
    colour = f', color="{ACCENTS[node.direction]}", penwidth=2' if node.direction in ACCENTS else ""
    tooltip = _text(*node.title.splitlines())
    return f"{_text(node.key)} [label={label}, tooltip={tooltip}, {SHAPES[node.kind]}{colour}]"


def _edge(edge: Edge) -> str:
    look = f" [label={_text(edge.reads)}, style=dashed]" if edge.reads else ""
    return f"{_text(edge.tail)} -> {_text(edge.head)}{look}"


def _text(*lines: str) -> str:
    r"""Lines between quotes; `\n` parts them, and Graphviz would read an entity as HTML."""
    escaped = [line.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for line in lines]
    return '"' + "\\n".join(escaped) + '"'
