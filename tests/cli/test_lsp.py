"""The command that serves editors, where its extra is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("missing", ["pygls", "lsprotocol"])
def test_without_its_extra_it_says_how_to_get_it(missing: str):
    program = (
        f"import sys; sys.modules[{missing!r}] = None; from taxo.cli import main; sys.exit(main(['lsp']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: `taxo lsp` needs the package `pygls`\n  help: pip install 'taxo[editor]'\n"
