"""A method on a card: what it is, where it is from, and its coordinates, declared and derived."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from taxo.catalog import examine, source_of
from taxo.language.check import errors
from taxo.language.coordinates import derive
from taxo.language.errors import TaxoError
from taxo.language.method import Method, Perturbation
from taxo.language.printer import expression_text
from taxo.language.scope import Scope
from taxo.language.source import Source

_HEAD = ["| | | direction | manner | granularity |", "| --- | --- | --- | --- | --- |"]


def card(place: Source | Path) -> str | None:
    """The card of the method that a text or file spells, as Markdown; None where it spells none."""
    try:
        method, findings = examine(source_of(str(place)) if isinstance(place, Path) else place)
    except TaxoError:
        return None
    return "\n\n".join(_parts(method, not errors(findings)))


def _parts(method: Method, sound: bool) -> Iterator[str]:
    yield f"**{method.name}**" + (f": {method.title}" if method.title else "")
    yield from filter(None, [method.summary, *(f"*{cite}*" for cite in method.cite)])
    scope = Scope(method)
    rows = [row for item in method.perturbations() for row in _rows(item, scope if sound else None)]
    if rows:
        yield "\n".join(_HEAD + rows)


def _rows(item: Perturbation, scope: Scope | None) -> Iterator[str]:
    """What a perturbation declares, and below it what its form shows, if it is sound."""
    form = expression_text(item.by).replace("|", "\\|")
    grains = " + ".join(map(str, item.granularity))
    yield f"| `{item.target} by {form}` | declared | {item.direction} | {item.infer.manner} | {grains} |"
    if scope is not None:
        derived = derive(item, scope)
        grain = derived.granularity.name.lower()
        yield f"| | derived | {derived.direction or '-'} | {derived.manner} | {grain} |"
