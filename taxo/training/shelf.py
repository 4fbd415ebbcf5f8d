"""`taxo data`: what data sets there are, which of them are here, and getting the others; no torch here."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from taxo.training import archives
from taxo.training.datasets import DATA_SETS, OWN, DataSet, find

YOURS = {
    "folder": "images in `CLASS/`, or in `train/CLASS/` and `test/CLASS/`",
    "csv": "a table of numbers with a header; the column `label` has classes, or `target` numbers",
    "text": "a table with the columns `label` and `text`",
}
Facts = dict[str, str | int | float | bool | None]


def shelf(namespace: Namespace) -> int:
    """List the data sets or say all of one, after getting it if asked to; 0 when done."""
    root = Path(namespace.data_root).expanduser()
    if namespace.name is None:
        found = [_facts(row, root) for row in DATA_SETS.values()]
        print(json.dumps(found, indent=2)) if namespace.json else _print(found)
        return 0
    row = find(namespace.name)
    if namespace.download:
        get(row, root)
    facts = _facts(row, root) | _recipe(row)
    if namespace.json:
        print(json.dumps(facts, indent=2))
        return 0
    for name, value in facts.items():
        print(f"{name.replace('_', ' '):14}{value}")
    return 0


def get(row: DataSet, root: Path) -> None:
    """Download a data set that is not there; those that come along or are yours need nothing."""
    if row.source is not None:
        archives.fetch(row.name, row.source, root, lambda line: print(line, file=sys.stderr))


def where(row: DataSet, root: Path) -> str:
    """Where a data set is, or the way to get it."""
    if row.source is not None:
        return str(row.source.place(root)) if row.source.is_there(root) else row.source.hint(row.name)
    return "comes along" if _installed(row.package) else f"pip install {row.package}"


def _is_there(row: DataSet, root: Path) -> bool:
    return row.source.is_there(root) if row.source is not None else _installed(row.package)


def _installed(package: str) -> bool:
    try:
        return not package or bool(version(package))
    except PackageNotFoundError:
        return False


def _facts(row: DataSet, root: Path) -> Facts:
    return {
        "name": row.name,
        "what": row.title,
        "labels": row.goal,
        "here": _is_there(row, root),
        "where": where(row, root),
    }


def _recipe(row: DataSet) -> Facts:
    recipe = row.recipe
    return {
        "model": recipe.model,
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "lr": recipe.lr,
        "weight_decay": recipe.weight_decay,
        "augment": recipe.augment,
        "test": "official" if row.official else "two samples in five",
    }


def _print(found: list[Facts]) -> None:
    screen = Console()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "what it is", "where"):
        table.add_column(heading, overflow="fold")
    for facts in found:
        style = None if facts["here"] else "dim"
        table.add_row(str(facts["name"]), str(facts["what"]), str(facts["where"]), style=style)
    for kind in OWN:
        table.add_row(f"{kind}:PATH", YOURS[kind], "yours")
    if not screen.is_terminal:
        screen = Console(width=200)
    screen.print(table)
