"""What other packages add to taxo: words with the ops that carry them out, and methods.

A package names them in its `pyproject.toml`, and they are there wherever it is installed:

    [project.entry-points."taxo.ops"]
    huber = "my_package:HUBER"             # an `Op`

    [project.entry-points."taxo.methods"]
    my_methods = "my_package.methods"      # a package with `.taxo` files

A third way to extend taxo needs no plug-in: `taxo.compile(..., passes=...)` takes compiler passes.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
import warnings
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from taxo.language.errors import TaxoError, fail
from taxo.language.fields import NAME
from taxo.language.lexer import reserved
from taxo.language.spelling import listed, shortened
from taxo.language.vocabulary import FUNCTIONS, REGIONS, SOLVERS, Function, Region, Solver

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

OPS, METHODS = "taxo.ops", "taxo.methods"
BUILT_IN = "taxo"
TABLES: dict[type, MutableMapping[str, object]] = {
    Function: cast("MutableMapping[str, object]", FUNCTIONS),
    Solver: cast("MutableMapping[str, object]", SOLVERS),
    Region: cast("MutableMapping[str, object]", REGIONS),
}
REGION_METHODS = ("project", "steepest", "furthest", "uniform")
_SEARCH = ("objective", "first", "within")


@dataclass(frozen=True, slots=True)
class Op:
    """A word for the vocabulary, and where the function or class lies that carries it out.

    `source` is `module:name`. The module is imported by the programs that use the word and by nothing
    else, so that it may import torch; the row's module must not.
    """

    name: str
    row: Function | Solver | Region
    source: str

    @property
    def module(self) -> str:
        """The module that carries it out."""
        return self.source.partition(":")[0]

    @property
    def attribute(self) -> str:
        """The function's or class's name there."""
        return self.source.partition(":")[2]


_ops: dict[str, tuple[Op, str]] = {}
_methods: dict[str, tuple[Path, str]] = {}
_loaded: list[bool] = []


def register(op: Op, owner: str = "this program") -> None:
    """Add a word to the vocabulary; `owner` is whom to name if another one wants it too.

    Raises `TaxoError` where the word is taken, or where what carries it out does not fit the row.
    """
    if not NAME.fullmatch(op.name) or op.name in reserved():
        fail("T101", f"`{shortened(op.name)}` is no name for an op of {owner}", None, "choose another name")
    known = next((table for table in TABLES.values() if op.name in table), None)
    if known is not None:
        other = _ops[op.name][1] if op.name in _ops else BUILT_IN
        fail("T103", f"`{op.name}` comes from {other} and from {owner}", None, "rename or remove one of them")
    _check_source(op, owner)
    TABLES[type(op.row)][op.name] = op.row
    _ops[op.name] = op, owner


def unregister(name: str) -> None:
    """Take a registered word out of the vocabulary again."""
    op, _ = _ops.pop(name)
    del TABLES[type(op.row)][name]


def source_of_op(name: str) -> Op | None:
    """The op of a word that a package has added."""
    return _ops[name][0] if name in _ops else None


def added_attributes() -> dict[str, str]:
    """The names that programs import from added modules, each with its module."""
    return {op.attribute: op.module for op, _ in _ops.values()}


def added_methods() -> dict[str, Path]:
    """The files of the methods that other packages bring, by name."""
    return {name: path for name, (path, _) in _methods.items()}


def load() -> None:
    """Add what the installed packages bring, once; one that is wrong is left out, with a warning."""
    if _loaded:
        return
    _loaded.append(True)
    for point in _entry_points():
        try:
            _add(point)
        except TaxoError as error:
            warnings.warn(f"a plug-in was left out: {error}", stacklevel=2)
        except Exception as error:
            owner = point.dist.name if point.dist else point.value
            warnings.warn(f"the plug-in `{point.name}` of {owner} was left out: {error}", stacklevel=2)


def _entry_points() -> Iterator[EntryPoint]:
    """What installed packages name; a look at the files spares most machines a slow import."""
    folders = [Path(folder) for folder in sys.path if folder]
    files = (path for folder in folders for path in folder.glob("*-info/entry_points.txt"))
    if any(b"[taxo." in path.read_bytes() for path in files):
        from importlib.metadata import entry_points

        yield from (*entry_points(group=OPS), *entry_points(group=METHODS))


def _add(point: EntryPoint) -> None:
    owner = point.dist.name if point.dist else point.value
    if point.group == METHODS:
        _add_methods(point.value, owner)
        return
    op = point.load()
    if not isinstance(op, Op):
        fail("T103", f"`{point.value}` of {owner} is no `Op`", None, "such as `taxo.plugins.Op(...)`")
    register(op, owner)


def _add_methods(package: str, owner: str) -> None:
    """The files of a package; a name that is taken names both owners."""
    from taxo.resources import methods_folder

    spec = importlib.util.find_spec(package)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec else []
    if not folders:
        fail("T201", f"`{package}` of {owner} is no package", None, "name one that holds `.taxo` files")
    built_in = {path.stem for path in methods_folder().glob("*.taxo")}
    for path in sorted(path for folder in folders for path in folder.glob("*.taxo")):
        name = path.stem
        if name in built_in or name in _methods:
            other = _methods[name][1] if name in _methods else BUILT_IN
            fail(
                "T103", f"the method `{name}` comes from {other} and from {owner}", None, "rename one of them"
            )
        _methods[name] = path, owner


def _check_source(op: Op, owner: str) -> None:
    """What carries a word out exists and takes what its row says; its module is read, not imported."""
    where = f"`{op.source}` of {owner}"
    found = _definition(op)
    if found is None:
        fail("T201", f"{where} does not exist", None, "write `module:name` of a function or class")
    if isinstance(op.row, Region):
        missing = [name for name in REGION_METHODS if name not in _methods_of(found)]
        if missing:
            fail(
                "T204",
                f"{where} has no {listed(missing, 'and')}",
                None,
                "a set is a class with those methods",
            )
        return
    if not isinstance(found, ast.FunctionDef):
        fail("T204", f"{where} is no function", None, "a function or solver is carried out by a function")
    given = [argument.arg for argument in (*found.args.args, *found.args.kwonlyargs)]
    wanted = _wanted(op.row)
    if isinstance(op.row, Solver) and not set(wanted) <= set(given):
        lacks = listed([name for name in wanted if name not in given], "and")
        fail("T204", f"{where} does not take {lacks}", None, f"a solver takes {listed(wanted, 'and')}")
    if isinstance(op.row, Function) and len(given) < len(wanted) and found.args.vararg is None:
        fail("T204", f"{where} takes {len(given)} arguments, its row {len(wanted)}", None, "make them agree")


def _wanted(row: Function | Solver | Region) -> list[str]:
    """The arguments that a program gives."""
    if isinstance(row, Function):
        return [str(number) for number in range(len(row.shapes))]
    numbers = [name for name, option in row.options.items() if not option.words]
    return [*_SEARCH, *numbers, "maximize"]


def _definition(op: Op) -> ast.FunctionDef | ast.ClassDef | None:
    try:
        spec = importlib.util.find_spec(op.module)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.ClassDef)
    return next((one for one in tree.body if isinstance(one, kinds) and one.name == op.attribute), None)


def _methods_of(node: ast.AST) -> Iterator[str]:
    yield from (child.name for child in ast.iter_child_nodes(node) if isinstance(child, ast.FunctionDef))
