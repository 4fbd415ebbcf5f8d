"""The command `explain`: the page of an error code, or the entry of a word, as plain text."""

from __future__ import annotations

import re
import textwrap
from argparse import Namespace
from collections.abc import Iterator

from taxo.catalog import shipped
from taxo.cli.reference_chapters import CHAPTERS
from taxo.cli.reference_pages import entry_on
from taxo.cli.word_entries import entry
from taxo.language.errors import CODES, fail, nearest, suggest
from taxo.language.spelling import shortened
from taxo.language.vocabulary import TABLES
from taxo.resources import error_page, reference_page
from taxo.training.commands import Subparsers, add_command

WIDTH = 90
LINK = re.compile(r"\[([^]]+)\]\([^)]*\)")


def register(subparsers: Subparsers) -> None:
    """Add the command; it sets `handler` to a function from the namespace to an exit code."""
    help = "what an error code or a word of the language means, with an example"
    explain = add_command(subparsers, "explain", help, f"{help[0].upper()}{help[1:]}.")
    explain.add_argument(
        "word", metavar="WORD", nargs="?", help="such as T203 or pgd; none lists all of them"
    )
    explain.set_defaults(handler=run_explain)


def run_explain(namespace: Namespace) -> int:
    """Run `taxo explain`."""
    word: str | None = namespace.word
    print("\n\n".join(_texts(word) if word is not None else _everything()))
    return 0


def _everything() -> Iterator[str]:
    yield _shown(error_page("README"))
    yield _shown(reference_page("README"))


def _texts(word: str) -> Iterator[str]:
    """What there is to say of a word: the page of a code, or an entry for each table that has it."""
    if word.upper() in CODES:
        yield _shown(error_page(word.upper()))
    elif not any(word in table for table in TABLES.values()):
        _unknown(word)
    for chapter in CHAPTERS:
        for section in chapter.sections:
            if word in TABLES[section.table]:
                text = entry_on(reference_page(chapter.name), section, word)
                text = text or "\n".join(entry(TABLES[section.table][word]))  # a plug-in's is on no page
                yield f"{word} ({section.table})\n\n{_shown(text)}"


def _unknown(word: str) -> None:
    words = {known for table in TABLES.values() for known in table}
    known = CODES if nearest(word.upper(), CODES) else words
    hint = suggest(word, known) if nearest(word, known) else "`taxo explain` lists all codes and words"
    if word in shipped():
        hint = f"it is a method: `taxo card {word}` is all there is to know of it"
    message = f"`{shortened(word)}` is no code of an error and no word of the language"
    fail("T503", message, help=hint)


def _shown(page: str) -> str:
    return "\n".join(plain(page)).rstrip()


def plain(page: str) -> Iterator[str]:
    r"""The lines of a page without marks: examples indented, sentences wrapped, no way to other pages.

    >>> list(plain("## Codes\n\n- [T1](T1.md): text\n[Back](README.md)"))
    ['Codes', '', '- T1: text']
    """
    fenced = False
    for line in page.splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced:
            yield f"    {line}".rstrip()
        elif line.startswith("#"):
            yield line.lstrip("# ")
        elif not line.startswith("["):
            indent = "  " if line.startswith("- ") else ""
            yield from textwrap.wrap(LINK.sub(r"\1", line), WIDTH, subsequent_indent=indent) or [""]
