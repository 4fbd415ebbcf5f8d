"""Methods found by words: of their name, what they say of themselves, their paper, their coordinates."""

from __future__ import annotations

import re
from collections.abc import Sequence

from taxo.cli.entries import Entry
from taxo.language.errors import fail
from taxo.language.spelling import likeliest, listed, shortened


def search(entries: list[Entry], words: Sequence[str]) -> list[Entry]:
    """The entries that hold every word, whatever its case.

    Raises `TaxoError` with near names where there is none.
    """
    found = [one for one in entries if all(_holds(one, word) for word in words)]
    if words and not found:
        asked = shortened(" ".join(words))
        fail("T201", f"no method matches `{asked}`", None, _hint(entries, words))
    return found


def _holds(one: Entry, word: str) -> bool:
    return any(word.casefold() in text.casefold() for text in one.texts())


def _hint(entries: list[Entry], words: Sequence[str]) -> str:
    """What was probably meant: names and words near to those that no method holds."""
    missing = [word for word in words if not any(_holds(one, word) for one in entries)]
    if not missing:
        return "each word is found, but not all in one method: give fewer words"
    near = [name for word in missing for name in likeliest(word, _vocabulary(entries))]
    return f"did you mean {listed(dict.fromkeys(near))}?" if near else "`taxo list` shows every method"


def _vocabulary(entries: list[Entry]) -> set[str]:
    """Every name, and every word that a search would find; each in one spelling, small letters first."""
    words = {word for one in entries for text in one.texts() for word in re.findall(r"[^\W\d_]{3,}", text)}
    spelled = {word.casefold(): word for word in sorted(words | {one.name for one in entries})}
    return set(spelled.values())
