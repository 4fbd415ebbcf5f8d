"""The command `taxo`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from typing import cast

from taxo import __version__
from taxo.cli import card, explain, lsp, specs
from taxo.cli.usage import Parser
from taxo.language.errors import TaxoError
from taxo.training import commands

DONE, WRONG, USAGE, INTERRUPTED = 0, 1, 2, 130
USAGE_CODES = ("T403", "T503", "T504", "T505")
Handler = Callable[[Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code says how it went."""
    parser = _parser()
    try:
        namespace = parser.parse_args(arguments)
        handler = cast("Handler | None", getattr(namespace, "handler", None))
        if handler is None:
            parser.print_help()
            return USAGE
        code = handler(namespace)
        sys.stdout.flush()
        return code
    except TaxoError as error:
        print(error, file=sys.stderr)
        return USAGE if any(found.code in USAGE_CODES for found in error.diagnostics) else WRONG
    except BrokenPipeError:
        # whoever read our output has seen enough; Python must not try to flush it again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        print(f"error: {error.strerror or error}".lower(), file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED


def _parser() -> Parser:
    parser = Parser(prog="taxo", description="Learning with perturbation, one file a method.")
    parser.add_argument("--version", action="version", version=f"taxo {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    specs.register(subparsers)
    card.register(subparsers)
    explain.register(subparsers)
    commands.register(subparsers)
    lsp.register(subparsers)
    return parser
