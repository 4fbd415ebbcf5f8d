"""The command `explain`: the page of an error code, as plain text."""

from __future__ import annotations

import re
import textwrap
from argparse import Namespace
from collections.abc import Iterator

from taxo.language.errors import CODES, fail, nearest, suggest
from taxo.language.spelling import shortened
from taxo.resources import error_page
from taxo.training.commands import Subparsers, add_command

WIDTH = 90
LINK = re.compile(r"\[([^]]+)\]\([^)]*\)")


def register(subparsers: Subparsers) -> None:
    """Add the command; it sets `handler` to a function from the namespace to an exit code."""
    help = "what an error code means, with an example"
    explain = add_command(subparsers, "explain", help, "What an error code means, with an example.")
    explain.add_argument("code", metavar="CODE", nargs="?", help="such as T203; none lists all of them")
    explain.set_defaults(handler=run_explain)


def run_explain(namespace: Namespace) -> int:
    """Run `taxo explain`."""
    name = "README" if namespace.code is None else _known(namespace.code)
    print("\n".join(plain(error_page(name))).rstrip())
    return 0


def _known(word: str) -> str:
    code = word.upper()
    if code not in CODES:
        hint = suggest(code, CODES) if nearest(code, CODES) else "`taxo explain` lists all codes"
        fail("T503", f"no error has the code `{shortened(word)}`", help=hint)
    return code


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
            yield from textwrap.wrap(LINK.sub(r"\1", line), WIDTH) or [""]
