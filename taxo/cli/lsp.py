"""The command `lsp`: the language server, which needs an extra."""

from __future__ import annotations

import sys
from argparse import Namespace

from taxo.training.commands import Subparsers, add_command

USAGE = 2
_DESCRIPTION = """Speak the language server protocol over standard input and output; editors start this.

editors/README.md of the project says how, for several of them."""


def register(subparsers: Subparsers) -> None:
    """Add `lsp`."""
    parser = add_command(subparsers, "lsp", "serve editors: diagnostics, hover, completion", _DESCRIPTION)
    # Some editors' clients add this by themselves; there is no other way to speak.
    parser.add_argument("--stdio", action="store_true", help="speak over standard input and output (always)")
    parser.set_defaults(handler=run_lsp)


def run_lsp(namespace: Namespace) -> int:
    """Run `taxo lsp`."""
    try:
        from taxo.editor.server import serve
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("lsprotocol", "pygls"):
            raise
        print(
            "error: `taxo lsp` needs the package `pygls`\n  help: pip install 'taxo[editor]'", file=sys.stderr
        )
        return USAGE
    return serve()
