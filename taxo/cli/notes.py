"""What cannot be read off a method, and people wrote down: one file a method, under the same headings."""

from __future__ import annotations

import re
from dataclasses import dataclass

from taxo.resources import method_notes

FOLDER = "docs/methods/notes"
HEADINGS = (
    "What it does",
    "Defaults and their sources",
    "Paper and code",
    "Known good settings",
    "How it was checked",
)
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Notes:
    """The text under each heading."""

    what: str
    defaults: str
    differences: str
    settings: str
    checks: str


def notes_of(name: str) -> Notes | None:
    """The notes of a shipped method; None where there are none, as for a method of one's own.

    Raises `ValueError` where a heading is missing, out of order, unknown, or has no text.
    """
    text = method_notes(name)
    return None if text is None else read(text, f"{FOLDER}/{name}.md")


def read(text: str, path: str) -> Notes:
    """The notes that a text holds.

    >>> read("## What it does", "a.md")
    Traceback (most recent call last):
    ValueError: a.md: the headings are `What it does`, and should be `What it does`, \
`Defaults and their sources`, `Paper and code`, `Known good settings`, `How it was checked`
    """
    before, *parts = _HEADING.split(text)
    headings = tuple(parts[::2])
    if headings != HEADINGS:
        raise ValueError(f"{path}: the headings are {_quoted(headings)}, and should be {_quoted(HEADINGS)}")
    sections = [part.strip() for part in parts[1::2]]
    empty = [heading for heading, section in zip(headings, sections, strict=True) if not section]
    if before.strip() or empty:
        wrong = f"nothing is under {_quoted(empty)}" if empty else "the first line is no heading"
        raise ValueError(f"{path}: {wrong}")
    return Notes(*sections)


def _quoted(words: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{word}`" for word in words) or "none"
