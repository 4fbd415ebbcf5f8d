"""Charts as SVG inside a page, whose style gives them their colours; no torch here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html import escape
from math import isclose, isfinite

from taxo.training.report.scale import Scale, by_ratios, fitted, said, step_of

COLOURS = 8  # how many the page's style has
MARKED = 40  # longer lines have no marks
WIDTH, HEIGHT = 560.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 66.0, 22.0, 12.0, 44.0


@dataclass(frozen=True, slots=True)
class Axis:
    """What numbers along an edge are."""

    name: str
    percent: bool = False
    zero: bool = False
    ratios: bool = False
    fixed: tuple[float, float] | None = None
    whole: bool = False

    def scale(self, values: Sequence[float], start: float, end: float) -> Scale:
        """The scale for some numbers; where `ratios` may count, they do if the numbers are far apart."""
        if self.fixed is not None:
            return Scale(*self.fixed, start, end)
        log = self.ratios and by_ratios(dict.fromkeys(values))
        return fitted(values, start, end, zero=self.zero, log=log, around=0.01 if self.percent else 1.0)

    def said(self, value: float, step: float | None = None) -> str:
        """A number of it."""
        return said(value, step, self.percent)


@dataclass(frozen=True, slots=True)
class Series:
    """Points under one name; `spread` is how far each is uncertain, up and down; `quiet` ones are grey."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    spread: Sequence[float | None] = field(default_factory=tuple[float | None, ...])
    band: bool = False
    quiet: bool = False
    colour: int | None = None

    def look(self, place: int) -> str:
        """The classes of its colour, which is that of its place unless it has one of its own."""
        return "quiet dashed" if self.quiet else look(place if self.colour is None else self.colour)

    def points(self) -> Iterator[tuple[float, float, float | None]]:
        """The points that have a value, and how far each is uncertain."""
        for number, (x, y) in enumerate(zip(self.x, self.y, strict=True)):
            if isfinite(x) and isfinite(y):
                yield x, y, self.spread[number] if self.spread else None

    def reach(self) -> list[float]:
        """Everything that the axis must hold."""
        return [y + sign * (spread or 0.0) for _, y, spread in self.points() for sign in (-1, 1)]


def look(number: int) -> str:
    """The classes that give the n-th series its colour, and dashes where colours repeat."""
    return f"s{number % COLOURS}" + (" dashed" if number >= COLOURS else "")


def figure(title: str, drawn: str, names: Sequence[Series] = (), note: str = "", fewest: int = 2) -> str:
    """A chart with its title, what its colours are if they are so many, and a note under it."""
    swatches = "".join(
        f'<li class="{one.look(number)}"><i></i>{escape(one.name)}</li>' for number, one in enumerate(names)
    )
    legend = f'<ul class="legend">{swatches}</ul>' if len(names) >= fewest else ""
    below = f'<p class="note">{escape(note)}</p>' if note else ""
    return f"<figure><figcaption>{escape(title)}</figcaption>{legend}{drawn}{below}</figure>"


def lines(title: str, across: Axis, up: Axis, series: Sequence[Series], note: str = "") -> str:
    """A line for each series."""
    drawn = [one for one in series if any(True for _ in one.points())]
    if not drawn:
        return ""
    places = [x for one in drawn for x, _, _ in one.points()]
    x = across.scale(places, LEFT, WIDTH - RIGHT)
    y = up.scale([value for one in drawn for value in one.reach()], HEIGHT - BOTTOM, TOP)
    parts = [
        *grid(across, x, up, y),
        *(_line(one, one.look(n), x, y, up) for n, one in enumerate(drawn)),
    ]
    return figure(title, svg(title, HEIGHT, parts), drawn, note)


def dots(title: str, across: Axis, up: Axis, series: Sequence[Series], note: str = "") -> str:
    """A dot for each series, of one point each, with its name above the chart."""
    drawn = [one for one in series if any(True for _ in one.points())]
    if not drawn:
        return ""
    x = across.scale([value for one in drawn for value, _, _ in one.points()], LEFT, WIDTH - RIGHT)
    y = up.scale([value for one in drawn for value in one.reach()], HEIGHT - BOTTOM, TOP)
    marks = [
        _marks(one, x, y, up, radius=5).join((f'<g class="{one.look(n)}">', "</g>"))
        for n, one in enumerate(drawn)
    ]
    parts = [*grid(across, x, up, y), *marks]
    return figure(title, svg(title, HEIGHT, parts), drawn, note, fewest=1)


def columns(title: str, labels: Sequence[str], across: str, up: Axis, series: Sequence[Series]) -> str:
    """A group of columns for each label, from zero."""
    if not labels:
        return ""
    y = up.scale([0.0, *(value for one in series for value in one.reach())], HEIGHT - BOTTOM, TOP)
    room = (WIDTH - LEFT - RIGHT) / len(labels)
    wide = room * 0.76 / len(series)
    parts = list(_level(up, y))
    for number, one in enumerate(series):
        parts.append(f'<g class="{one.look(number)}">')
        for place, value, _ in one.points():
            left = LEFT + room * (place + 0.12) + wide * number
            parts.append(_block(left, y, value, wide, f"{labels[int(place)]}: {one.name} {up.said(value)}"))
        parts.append("</g>")
    every = -(-len(labels) // 20)
    for place in range(0, len(labels), every):
        middle = LEFT + room * (place + 0.5)
        parts.append(text(middle, HEIGHT - BOTTOM + 16, labels[place][:10], "tick", "middle"))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, across, "name", "middle"))
    parts.append(f'<path class="axis" d="M{LEFT} {y(0):.1f}H{WIDTH - RIGHT}"/>')
    return figure(title, svg(title, HEIGHT, parts), series)


def grid(across: Axis, x: Scale, up: Axis, y: Scale) -> Iterator[str]:
    """Both axes with their numbers and names, and level lines."""
    yield from _level(up, y)
    ticks = x.ticks(6)
    step = None if x.log else step_of(x.low, x.high, 6)
    if across.whole and step is not None:
        ticks = [value for value in ticks if isclose(value, round(value), abs_tol=1e-9)]
        step = max(step, 1.0)
    for value in ticks:
        yield f'<path class="axis" d="M{x(value):.1f} {HEIGHT - BOTTOM}v4"/>'
        yield text(x(value), HEIGHT - BOTTOM + 17, across.said(value, step), "tick", "middle")
    yield f'<path class="axis" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>'
    yield text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 6, across.name, "name", "middle")


def _level(up: Axis, y: Scale) -> Iterator[str]:
    step = step_of(y.low, y.high, 5)
    for value in y.ticks(5):
        yield f'<path class="grid" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>'
        yield text(LEFT - 7, y(value) + 4, up.said(value, step), "tick", "end")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    turned = f'transform="rotate(-90 13 {middle:.0f})"'
    yield f'<text class="name" x="13" y="{middle:.0f}" text-anchor="middle" {turned}>{escape(up.name)}</text>'


def _line(one: Series, looks: str, x: Scale, y: Scale, up: Axis) -> str:
    points = list(one.points())
    path = "L".join(f"{x(a):.1f} {y(b):.1f}" for a, b, _ in points)
    parts = [f'<path class="line" d="M{path}"><title>{escape(one.name)}</title></path>']
    if one.band and all(spread is not None for _, _, spread in points):
        upper = [f"{x(a):.1f} {y(b + (s or 0)):.1f}" for a, b, s in points]
        lower = [f"{x(a):.1f} {y(b - (s or 0)):.1f}" for a, b, s in reversed(points)]
        parts.insert(0, f'<path class="band" d="M{"L".join([*upper, *lower])}z"/>')
    if len(points) <= MARKED:
        parts.append(_marks(one, x, y, up, radius=3))
    return f'<g class="{looks}">{"".join(parts)}</g>'


def _marks(one: Series, x: Scale, y: Scale, up: Axis, radius: float) -> str:
    parts: list[str] = []
    for a, b, spread in one.points():
        if spread and not one.band:
            low, high = y(b - spread), y(b + spread)
            parts.append(f'<path class="spread" d="{_whisker(x(a), low, high)}"/>')
        told = f"{one.name}: {up.said(b)}" + (f" ± {up.said(spread)}" if spread else "")
        dot = f'<circle class="mark" cx="{x(a):.1f}" cy="{y(b):.1f}" r="{radius}">'
        parts.append(f"{dot}<title>{escape(told)}</title></circle>")
    return "".join(parts)


def _whisker(x: float, low: float, high: float) -> str:
    return f"M{x:.1f} {low:.1f}V{high:.1f}M{x - 4:.1f} {low:.1f}h8M{x - 4:.1f} {high:.1f}h8"


def _block(left: float, y: Scale, value: float, wide: float, told: str) -> str:
    top, bottom = sorted((y(value), y(0.0)))
    shape = f'x="{left:.1f}" y="{top:.1f}" width="{wide:.1f}" height="{max(bottom - top, 0.5):.1f}"'
    return f'<rect class="block" {shape}><title>{escape(told)}</title></rect>'


def text(x: float, y: float, words: str, looks: str, anchor: str) -> str:
    """Words at a place."""
    return f'<text class="{looks}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def svg(title: str, height: float, parts: Sequence[str], width: float = WIDTH) -> str:
    """The drawing itself."""
    head = f'<svg role="img" aria-label="{escape(title)}" viewBox="0 0 {width:.0f} {height:.0f}">'
    return f"{head}{''.join(parts)}</svg>"
