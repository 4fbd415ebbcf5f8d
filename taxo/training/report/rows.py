"""Charts with a row for each name: bars with whiskers, and a table in colours; no torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from taxo.training.report.charts import Axis, figure, look, svg, text
from taxo.training.report.scale import Scale, step_of

WIDTH, ROW, HEAD, FOOT = 560.0, 26.0, 8.0, 40.0
LETTER = 6.6  # how wide a letter of a label is, about
MOST_LETTERS = 34


@dataclass(frozen=True, slots=True)
class Bar:
    """A number under a name, and how far it is uncertain."""

    name: str
    value: float
    spread: float | None = None
    colour: int | None = None


def bars(title: str, axis: Axis, found: Sequence[Bar], note: str = "") -> str:
    """A bar from zero for each number, with whiskers."""
    if not found:
        return ""
    left, right = _room(found), WIDTH - 64
    reach = [bar.value + sign * (bar.spread or 0) for bar in found for sign in (-1, 1)]
    x = axis.scale([0.0, *reach], left, right)
    height = HEAD + ROW * len(found) + FOOT
    parts = [*_grid(axis, x, height - FOOT)]
    for number, bar in enumerate(found):
        parts.append(_bar(number, bar, axis, x, left))
    parts.append(f'<path class="axis" d="M{x(0):.1f} {HEAD}V{height - FOOT:.1f}"/>')
    parts.append(text((left + right) / 2, height - 6, axis.name, "name", "middle"))
    return figure(title, svg(title, height, parts), note=note)


def heatmap(
    title: str,
    names: Sequence[str],
    heads: Sequence[str],
    values: Sequence[Sequence[float | None]],
    axis: Axis,
    note: str = "",
) -> str:
    """A table whose cells are the darker the larger their number; the smallest of a column is bold."""
    known = [value for row in values for value in row if value is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    least = [min((v for v in column if v is not None), default=None) for column in zip(*values, strict=True)]
    head = "".join(f"<th scope='col'>{escape(name.replace('_', ' '))}</th>" for name in heads)
    body = "".join(
        f"<tr><th scope='row'>{escape(name)}</th>"
        + "".join(
            _cell(value, (low, high), value is not None and value == best, axis)
            for value, best in zip(row, least, strict=True)
        )
        + "</tr>"
        for name, row in zip(names, values, strict=True)
    )
    table = f"<table class='heat'><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
    return figure(title, f"<div class='wide'>{table}</div>", note=note)


def _cell(value: float | None, ends: tuple[float, float], best: bool, axis: Axis) -> str:
    if value is None:
        return "<td>–</td>"
    share = (value - ends[0]) / (ends[1] - ends[0]) if ends[1] > ends[0] else 0.0
    shown = axis.said(value, 0.001 if axis.percent else 0.01).removesuffix("%")
    mark = f"<b>{shown}</b>" if best else shown
    return f"<td class='h{round(share * 9)}'>{mark}</td>"


def _room(found: Sequence[Bar]) -> float:
    return 16 + LETTER * min(MOST_LETTERS, max(len(bar.name) for bar in found))


def _grid(axis: Axis, x: Scale, bottom: float) -> list[str]:
    step = step_of(x.low, x.high, 5)
    return [
        part
        for value in x.ticks(5)
        for part in (
            f'<path class="grid" d="M{x(value):.1f} {HEAD}V{bottom:.1f}"/>',
            text(x(value), bottom + 15, axis.said(value, step), "tick", "middle"),
        )
    ]


def _bar(number: int, bar: Bar, axis: Axis, x: Scale, left: float) -> str:
    top = HEAD + ROW * number
    start, end = sorted((x(0.0), x(bar.value)))
    shape = f'x="{start:.1f}" y="{top + 5:.1f}" width="{max(end - start, 0.5):.1f}" height="{ROW - 10}"'
    name = bar.name if len(bar.name) <= MOST_LETTERS else bar.name[: MOST_LETTERS - 1] + "…"
    fine = 0.001 if axis.percent else 0.0001 if abs(bar.value) < 0.1 else 0.001
    shown = axis.said(bar.value, fine)
    far = end
    whisker = ""
    if bar.spread:
        low, high, middle = x(bar.value - bar.spread), x(bar.value + bar.spread), top + ROW / 2
        caps = f"M{low:.1f} {middle - 4:.1f}v8M{high:.1f} {middle - 4:.1f}v8"
        whisker = f'<path class="spread ink" d="M{low:.1f} {middle:.1f}H{high:.1f}{caps}"/>'
        far = max(far, high)
    told = f"{bar.name}: {shown}" + (f" ± {axis.said(bar.spread, fine)}" if bar.spread else "")
    block = f'<rect class="block" {shape}><title>{escape(told)}</title></rect>'
    words = text(left - 8, top + ROW / 2 + 4, name, "label", "end")
    value = text(far + 6, top + ROW / 2 + 4, shown, "tick", "start")
    return (
        f'<g class="{look(number if bar.colour is None else bar.colour)}">{words}{block}{whisker}{value}</g>'
    )
