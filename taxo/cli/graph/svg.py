"""A picture as SVG: no font, script or program from elsewhere, and colours for light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import dist
from xml.sax.saxutils import escape, quoteattr

from taxo.cli.graph.geometry import Box, Placed, Point, Text, Wire
from taxo.cli.graph.layout import lay_out
from taxo.cli.graph.measure import BOLD, MONOSPACED, SIZES
from taxo.cli.graph.picture import ACCENTS, Picture

SANS = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, 'DejaVu Sans', sans-serif"
MONO = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', 'DejaVu Sans Mono', monospace"
BEND = 6.0  # the radius of a wire's corner
BAR = 4.0  # the width of a card's coloured side

# class, property, light, dark
COLOURS = (
    ("page", "fill", "#ffffff", "#0f1419"),
    ("frame", "fill", "#f5f7fa", "#151c24"),
    ("frame", "stroke", "#d5dce4", "#2b3642"),
    ("box", "fill", "#ffffff", "#1b232d"),
    ("box", "stroke", "#8794a3", "#5f6e7e"),
    ("model .box", "fill", "#e8eef5", "#25313e"),
    ("total .box", "fill", "#e8eef5", "#25313e"),
    ("text", "fill", "#1b2530", "#e3e9ef"),
    ("plain", "fill", "#4d5a68", "#a9b5c1"),
    ("note", "fill", "#4d5a68", "#a9b5c1"),
    ("read", "fill", "#2b5c94", "#86b6ea"),
    ("flow", "stroke", "#44515f", "#a9b5c1"),
    ("reading", "stroke", "#4a7fb8", "#5f95cc"),
    ("flow-tip", "fill", "#44515f", "#a9b5c1"),
    ("reading-tip", "fill", "#4a7fb8", "#5f95cc"),
    ("bar", "fill", "#8794a3", "#5f6e7e"),
    ("positive .bar", "fill", ACCENTS["positive"], "#35b882"),
    ("negative .bar", "fill", ACCENTS["negative"], "#ee7259"),
    ("mixed .bar", "fill", ACCENTS["mixed"], "#ab83de"),
)


def svg(picture: Picture) -> str:
    """The picture as an SVG document."""
    layout = lay_out(picture)
    size = f"{layout.width:.0f}", f"{layout.height:.0f}"
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" '
        f'width="{size[0]}" height="{size[1]}" viewBox="0 0 {size[0]} {size[1]}">',
        f"<title>{escape(picture.heading)}</title>",
        f"<style>\n{_style()}\n</style>",
        f"<defs>{_tip('flow')}{_tip('reading')}</defs>",
        '<rect class="page" width="100%" height="100%" rx="8"/>',
        *(_rectangle(frame, "frame", 8) for frame in layout.frames),
        *map(_wire, layout.wires),
        *(f'<circle class="reading-tip" cx="{x:.1f}" cy="{y:.1f}" r="2.5"/>' for x, y in layout.dots),
        *(line for placed in layout.placed for line in _node(placed)),
        *map(_text, layout.texts),
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _style() -> str:
    """The looks of texts and wires, then the colours, then those for dark viewers."""
    looks = [
        f".{look} {{ font: {'600 ' * (look in BOLD)}{size}px {MONO if look in MONOSPACED else SANS}; }}"
        for look, size in SIZES.items()
    ]
    wires = [".flow { fill: none; stroke-width: 1.6; }", ".reading { fill: none; stroke-width: 1.2; }"]
    source = ".source .box { stroke-dasharray: 4 3; }"
    light = [f".{name} {{ {kind}: {light}; }}" for name, kind, light, _ in COLOURS]
    dark = [f"  .{name} {{ {kind}: {dark}; }}" for name, kind, _, dark in COLOURS]
    return "\n".join([*looks, *wires, source, *light, "@media (prefers-color-scheme: dark) {", *dark, "}"])


def _tip(kind: str) -> str:
    shape = f'<path class="{kind}-tip" d="M0 0 L8 4 L0 8 z"/>'
    size = (
        'viewBox="0 0 8 8" refX="7.5" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse"'
    )
    return f'<marker id="{kind}" {size} orient="auto">{shape}</marker>'


def _rectangle(box: Box, name: str, radius: float) -> str:
    place = f'x="{box.left:.1f}" y="{box.top:.1f}" width="{box.width:.1f}" height="{box.height:.1f}"'
    return f'<rect class="{name}" {place} rx="{radius:.0f}"/>'


def _node(placed: Placed) -> Iterator[str]:
    """A box with its captions; pointing at it shows all it stands for."""
    node, box = placed.node, placed.box
    yield f'<g id={quoteattr(node.key)} class="{node.kind} {node.direction}">'
    yield f"<title>{escape(node.title)}</title>"
    yield _rectangle(box, "box", box.height / 2 if node.kind in ("value", "total") else 5)
    if node.kind == "perturbation":
        yield _rectangle(Box(box.left, box.top, BAR, box.height), "bar", 2)
    yield from map(_text, placed.texts)
    yield "</g>"


def _text(text: Text) -> str:
    size = SIZES[text.look]
    base = text.box.top + (text.box.height + size * 0.7) / 2
    place = f'x="{text.box.left:.1f}" y="{base:.1f}"'
    return f'<text class="text {text.look}" {place}>{escape(text.content)}</text>'


def _wire(wire: Wire) -> str:
    kind = "reading" if wire.edge.reads else "flow"
    tail, head = quoteattr(wire.edge.tail), quoteattr(wire.edge.head)
    path = " ".join(_path(wire.points))
    title = f"<title>{escape(wire.edge.reads)}</title>" if wire.edge.reads else ""
    return (
        f'<path class="{kind}" data-from={tail} data-to={head} marker-end="url(#{kind})" d="{path}">'
        f"{title}</path>"
    )


def _path(points: tuple[Point, ...]) -> Iterator[str]:
    """A line with round corners."""
    yield f"M{points[0][0]:.1f} {points[0][1]:.1f}"
    for (before, corner), (_, after) in pairwise(pairwise(points)):
        radius = min(BEND, dist(before, corner) / 2, dist(corner, after) / 2)
        start, end = _towards(corner, before, radius), _towards(corner, after, radius)
        yield f"L{start[0]:.1f} {start[1]:.1f} Q{corner[0]:.1f} {corner[1]:.1f} {end[0]:.1f} {end[1]:.1f}"
    yield f"L{points[-1][0]:.1f} {points[-1][1]:.1f}"


def _towards(start: Point, end: Point, length: float) -> Point:
    share = length / (dist(start, end) or 1)
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share
