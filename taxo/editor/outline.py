"""The parts of a text, as an editor's side bar lists them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from taxo.editor.document import Document
from taxo.editor.statements import DECLARING, Statement
from taxo.editor.tokens import end, start

LISTED = DECLARING | {"METHOD", "PERTURB", "USE"}


@dataclass(frozen=True, slots=True)
class Part:
    """An item: what it is called, its stretch, that of its name, and the items inside it."""

    name: str
    keyword: str
    start: int
    end: int
    name_start: int
    name_end: int
    inner: tuple[Part, ...] = ()


def outline(document: Document) -> list[Part]:
    """The items of a text that have a name or a target; a branch holds those inside it."""
    parts: list[Part] = []
    last, inside = None, list[Part]()
    for item in document.items:
        if item.keyword.type not in LISTED or (item.name is None and item.keyword.type != "BRANCH"):
            continue
        if last is not None and item.start < last.end:
            inside.append(_part(item))
            continue
        if last is not None:
            parts.append(_part(last, inside))
        last, inside = item, []
    return [*parts, _part(last, inside)] if last is not None else parts


def _part(item: Statement, inner: Iterable[Part] = ()) -> Part:
    token = item.name or item.keyword
    label = str(token) if item.keyword.type not in ("PERTURB", "USE") else f"{item.keyword} {token}"
    return Part(label, str(item.keyword), item.start, item.end, start(token), end(token), tuple(inner))
