"""The plane as a model sees it: areas by class and confidence, the boundary, and the training samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import inf, log

from taxo.training.plane import Moved, Plane, Spots
from taxo.training.report.charts import Axis, Series, figure, look, svg, text
from taxo.training.report.contours import Field, Point
from taxo.training.report.scale import Scale, step_of

EDGE, LEFT, TOP, FOOT = 480.0, 58.0, 10.0, 44.0
WIDTH, HEIGHT = LEFT + EDGE + 10, TOP + EDGE + FOOT
TONES = (0.0, 0.6, 0.8, 0.95)  # from these shares on an area is a tone stronger
DOTS = (4.5, 7.0, 9.5, 12.0)  # how wide
RING = 3.5
MOST_WAYS = 300
ACROSS, UP = Axis("first input"), Axis("second input")


@dataclass(frozen=True, slots=True)
class Dot:
    """A sample where it is drawn: its class, whether its label is wrong, and which of the sizes it has."""

    place: Point
    label: int
    wrong: bool
    size: int = 0
    start: Point | None = None


def legend_of(spots: Spots) -> str:
    """What is to be seen on a chart of the plane."""
    ring = " A ring marks a wrong label." if spots.spoiled else ""
    return f"{_LEGEND}{ring}"


_LEGEND = (
    "What the model says at the end of the run: a colour is a class, a stronger tone a greater confidence "
    f"(from {' and '.join(f'{tone:.0%}' for tone in TONES if tone)} on), the line the boundary. "
    "Dots are training samples, by their labels."
)


def plane_chart(title: str, plane: Plane, spots: Spots, moved: Moved | None = None) -> str:
    """The plane with the samples in it; if `moved` is told, where or how far it moves them."""
    dots = _dots(spots, moved)
    drawn = [*_areas(plane), *_boundaries(plane), _inside(_samples(dots, plane)), *_frame(plane)]
    outputs = range(len(plane.logs))
    names = [f"class {number}" if number < spots.classes else f"output {number}" for number in outputs]
    colours = [Series(name, (), (), colour=number) for number, name in enumerate(names)]
    note = "" if moved is None else _WAYS if moved.across else _SIZES
    return figure(title, svg(title, HEIGHT, drawn, WIDTH), colours, note)


_WAYS = "A line leads from a sample to where it is moved."
_SIZES = "The larger a dot, the farther the sample is moved."


def _areas(plane: Plane) -> Iterator[str]:
    """Where each output is the largest, once more where it is surer, and so on."""
    for number, (ahead, own) in enumerate(zip(_leads(plane), plane.logs, strict=True)):
        shapes = [
            _shape([min(a, b - _log(tone)) for a, b in zip(ahead, own, strict=True)], plane) for tone in TONES
        ]
        drawn = "".join(f'<path class="area" d="{shape}"/>' for shape in shapes if shape)
        yield f'<g class="{look(number)}">{drawn}</g>'


def _log(share: float) -> float:
    return log(share) if share else -inf


def _shape(values: Sequence[float], plane: Plane) -> str:
    areas = Field(values, plane.side).areas()
    return "".join(f"M{'L'.join(_at(point, plane) for point in area)}z" for area in areas)


def _boundaries(plane: Plane) -> Iterator[str]:
    # what bounds the last output bounds one of the others
    for ahead in _leads(plane)[:-1]:
        found = Field(ahead, plane.side).segments()
        line = "".join(f"M{_at(one, plane)}L{_at(other, plane)}" for one, other in found)
        if line:
            yield f'<path class="boundary" d="{line}"/>'


def _leads(plane: Plane) -> list[list[float]]:
    """By how much each output is ahead of the largest other one."""
    columns = list(zip(*plane.logs, strict=True))
    return [
        [column[number] - max(column[:number] + column[number + 1 :]) for column in columns]
        for number in range(len(plane.logs))
    ]


def _at(point: Point, plane: Plane) -> str:
    share = EDGE / (plane.side - 1)
    return f"{LEFT + share * point[0]:.1f} {TOP + EDGE - share * point[1]:.1f}"


def _dots(spots: Spots, moved: Moved | None) -> list[Dot]:
    places = list(zip(spots.x, spots.y, strict=True))
    facts = [(label, label != clean) for label, clean in zip(spots.labels, spots.clean, strict=True)]
    if moved is None:
        return [Dot(place, *fact) for place, fact in zip(places, facts, strict=True)]
    if not moved.across:
        steps = _steps(moved.sizes)
        return [Dot(place, *fact, size) for place, fact, size in zip(places, facts, steps, strict=True)]
    ends = [(a + c, b + d) for (a, b), c, d in zip(places, moved.across, moved.up, strict=True)]
    every = -(-len(places) // MOST_WAYS)
    found = [Dot(end, *fact, 0, start) for start, end, fact in zip(places, ends, facts, strict=True)]
    return found[::every]


def _steps(sizes: Sequence[float]) -> list[int]:
    """Which of the sizes of dots tells each size; those of the largest twentieth are alike."""
    largest = sorted(sizes)[int(0.95 * (len(sizes) - 1))] or max(sizes)
    return [round(min(size / largest, 1.0) * (len(DOTS) - 1)) for size in sizes]


def _samples(dots: Sequence[Dot], plane: Plane) -> Iterator[str]:
    """Ways first, then dots by class; a wrong label has a ring."""
    x, y = _scales(plane)
    for label in sorted({dot.label for dot in dots}):
        own = [dot for dot in dots if dot.label == label]
        yield f'<g class="{look(label)}">'
        ways = "".join(
            f"M{_place(dot.start, x, y)}L{_place(dot.place, x, y)}" for dot in own if dot.start is not None
        )
        if ways:
            yield f'<path class="way" d="{ways}"/>'
        for wrong in (False, True):
            for size, wide in enumerate(DOTS):
                shown = [dot.place for dot in own if (dot.wrong, dot.size) == (wrong, size)]
                shape = "".join(f"M{_place(place, x, y)}h0" for place in shown)
                if shape:
                    ring = "ring" if wrong else "rim"
                    yield f'<path class="{ring}" stroke-width="{wide + (RING if wrong else 1)}" d="{shape}"/>'
                    yield f'<path class="dot" stroke-width="{wide}" d="{shape}"/>'
        yield "</g>"


def _place(point: Point, x: Scale, y: Scale) -> str:
    return f"{x(point[0]):.1f} {y(point[1]):.1f}"


def _inside(parts: Iterator[str]) -> str:
    """A drawing that ends where the plane does."""
    box = f"{LEFT} {TOP} {EDGE} {EDGE}"
    head = f'<svg x="{LEFT}" y="{TOP}" width="{EDGE}" height="{EDGE}" viewBox="{box}">'
    return f"{head}{''.join(parts)}</svg>"


def _scales(plane: Plane) -> tuple[Scale, Scale]:
    left, right, bottom, top = plane.box
    return Scale(left, right, LEFT, LEFT + EDGE), Scale(bottom, top, TOP + EDGE, TOP)


def _frame(plane: Plane) -> Iterator[str]:
    """The numbers along two edges, and the frame."""
    x, y = _scales(plane)
    base, middle = TOP + EDGE, TOP + EDGE / 2
    for value in x.ticks(5):
        yield text(x(value), base + 17, ACROSS.said(value, step_of(x.low, x.high, 5)), "tick", "middle")
    for value in y.ticks(5):
        yield text(LEFT - 7, y(value) + 4, UP.said(value, step_of(y.low, y.high, 5)), "tick", "end")
    yield f'<path class="axis" d="M{LEFT} {TOP}V{base}H{LEFT + EDGE}V{TOP}z"/>'
    yield text(LEFT + EDGE / 2, base + 38, ACROSS.name, "name", "middle")
    turned = f'transform="rotate(-90 13 {middle:.0f})"'
    yield f'<text class="name" x="13" y="{middle:.0f}" text-anchor="middle" {turned}>{UP.name}</text>'
