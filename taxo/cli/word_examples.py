"""An example for every word of the language: the lines that are about it, and the method around them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from taxo.language.vocabulary import TABLES
from taxo.resources import CHECKOUT

FOLDER = "docs/language/examples"
GAP = "..."
# What stands where an example leaves something out; `method` begins every file.
USUAL = {"direction": "mixed", "infer": "prior", "granularity": "sample"}
_HEADING = re.compile(r"^# (\w+)$", re.MULTILINE)
_BLOCK = re.compile(r"\{([^{}]*)\.\.\.\s*\}")


@cache
def examples() -> dict[tuple[str, str], str]:
    """The example of each word, by its table and the word."""
    return {(table, word): text for table in TABLES for word, text in _read(table)}


def _read(table: str) -> list[tuple[str, str]]:
    """The words of one file, each with the lines below its heading."""
    path = CHECKOUT / FOLDER / f"{stem(table)}.txt"
    _, *parts = _HEADING.split(path.read_text(encoding="utf-8"))
    return [(word, text.strip("\n")) for word, text in zip(parts[::2], parts[1::2], strict=True)]


def stem(table: str) -> str:
    """The name of the file that holds a table's examples.

    >>> stem("held-out set")
    'held_out_set'
    """
    return re.sub(r"\W", "_", table)


def whole(example: str) -> str:
    """The method that an example is a part of: each gap is filled with the clauses that are left out."""
    # What an inference of the whole method finds, the perturbation does not find again.
    usual = {clause: word for clause, word in USUAL.items() if clause != "infer" or "\ninfer" not in example}
    text = _BLOCK.sub(lambda block: f"{{{block[1]}{_rest(block[1], usual)}}}", example)
    return text if text.startswith("method ") else f"method example\n{text}\n"


def _rest(block: str, usual: Mapping[str, str]) -> str:
    """The clauses that a block does not say."""
    said = set(re.findall(r"^\s*(\w+)", block, re.MULTILINE))
    return "".join(f"\n  {clause} {word}" for clause, word in usual.items() if clause not in said) + "\n"
