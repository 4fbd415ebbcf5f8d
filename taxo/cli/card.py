"""The command `card`: all there is to know of a method, as a page."""

from __future__ import annotations

import sys
from argparse import Namespace

from taxo.catalog import load
from taxo.training.commands import Subparsers, add_command

_DESCRIPTION = """Print the card of a method: what it does, its formula and coordinates, its text, its plan
and cost, where its defaults come from, how it was checked, what it goes together with, whom to cite.

  taxo card METHOD             coloured in a terminal, Markdown anywhere else
  taxo card METHOD > card.md"""


def register(subparsers: Subparsers) -> None:
    """Add the command; it sets `handler` to a function from the namespace to an exit code."""
    card = add_command(subparsers, "card", "all there is to know of a method, as a page", _DESCRIPTION)
    card.add_argument("method", metavar="METHOD", help="a shipped name, a path, a variant or a composition")
    card.set_defaults(handler=run_card)


def run_card(namespace: Namespace) -> int:
    """Run `taxo card`."""
    from taxo.cli.card_page import page
    from taxo.cli.formula import Latex, Unicode

    method = load(namespace.method)
    if not sys.stdout.isatty():
        print(page(method, Latex()), end="")
        return 0
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(page(method, Unicode())))
    return 0
