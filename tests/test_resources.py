"""The grammar and the methods are found wherever taxo lies."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from taxo import resources

ROOT = Path(__file__).parents[1]
WHERE = "from taxo import resources as r; print(r.methods_folder(), r.grammar_text(), sep='|', end='')"


def ask(path: Path, cwd: Path) -> list[str]:
    """What the taxo under `path` says of its resources, asked from another folder."""
    environment = {**os.environ, "PYTHONPATH": str(path)}
    command = [sys.executable, "-c", WHERE]
    return subprocess.check_output(command, cwd=cwd, env=environment, text=True).split("|", 1)


def lone_package(folder: Path) -> Path:
    """A copy of the module alone, as an installer would lay it down."""
    package = folder / "taxo"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    shutil.copy(ROOT / "taxo" / "resources.py", package)
    return package


def fill(folder: Path, grammar: str) -> None:
    for name in ("grammar", "methods"):
        (folder / name).mkdir(parents=True)
    (folder / "grammar" / "taxo.lark").write_text(grammar, encoding="utf-8")


def test_the_grammar_is_the_checkouts():
    assert resources.grammar_text() == (ROOT / "grammar" / "taxo.lark").read_text(encoding="utf-8")


def test_the_methods_are_the_checkouts():
    assert resources.methods_folder() == ROOT / "methods"
    assert list(resources.methods_folder().glob("*.taxo"))


def test_a_bare_checkout_is_enough(tmp_path: Path):
    folder, grammar = ask(ROOT, cwd=tmp_path)
    assert Path(folder) == ROOT / "methods"
    assert grammar == resources.grammar_text()


def test_packaged_data_comes_before_a_neighbours(tmp_path: Path):
    package = lone_package(tmp_path / "site")
    fill(tmp_path / "site", "a neighbour's")
    fill(package / "_data", "packaged")
    assert ask(tmp_path / "site", cwd=tmp_path) == [str(package / "_data" / "methods"), "packaged"]
