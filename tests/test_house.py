"""The house rules, read off the tree."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "taxo"
MODULES = sorted(str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*.py"))
each_module = pytest.mark.parametrize("module", MODULES)

# A module may import its own level and those below it.
LEVELS = {
    "resources": 0,
    "language": 1,
    "plugins": 2,
    "variants": 2,
    "catalog": 2,
    "compiler": 3,
    "ops": 4,
    "runtime": 5,
    "laws": 6,
    "__init__": 6,  # the front door: what is behind it does not go through it
    "editor": 7,
    "training": 7,
    "cli": 8,
    "__main__": 9,
}
# These answer before torch has loaded.
LIGHT = {
    *("__init__", "__main__", "catalog", "cli", "compiler", "editor", "language", "plugins", "resources"),
    "variants",
}
HEAVY = {"sklearn", "torch", "torchvision"}
# Methods' names that are also words of their own: the baseline, and the augmentation of `--augment`.
ORDINARY = {"plain", "augmix"}

MOST_LINES = 300
MOST_FUNCTION_LINES = 45
MOST_PUBLIC_NAMES = 12

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@cache
def parse(module: str) -> ast.Module:
    return ast.parse((ROOT / module).read_text(encoding="utf-8"))


def room(module: str) -> str:
    """The part of taxo that a file belongs to: `language`, `catalog`, `__init__`."""
    return Path(module).parts[1].removesuffix(".py")


def is_module(name: str) -> bool:
    return (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file()


def imported_rooms(node: ast.AST, module: str) -> Iterator[str]:
    """The rooms of taxo that an import statement reaches into."""
    match node:
        case ast.Import(names=names):
            paths = [alias.name.split(".") for alias in names]
        case ast.ImportFrom(module=source, names=names, level=level):
            package = list(Path(module).parts[:-1])
            above = package[: len(package) - level + 1] if level else []
            paths = [[*above, *(source.split(".") if source else []), alias.name] for alias in names]
        case _:
            return
    for path in paths:
        if path[0] == "taxo":
            yield path[1] if len(path) > 1 and is_module(path[1]) else "__init__"


def at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run when the module is imported, which leaves out the insides of functions."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        yield child
        yield from at_import(child)


def public(node: ast.AST, prefix: str = "") -> Iterator[tuple[str, Definition]]:
    """Every public class, function and method, by its dotted name."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Definition) and not child.name.startswith("_"):
            yield f"{prefix}{child.name}", child
            if isinstance(child, ast.ClassDef):
                yield from public(child, f"{prefix}{child.name}.")


def redefines(node: Definition) -> bool:
    """Whether the docstring belongs elsewhere: to an overloaded or overridden function, or to a getter."""
    marks = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
    return bool(re.search(r"\boverload\b|\boverride\b|\.setter\b", marks))


def docstrings(tree: ast.Module) -> set[int]:
    """The constants of a module that are documentation."""
    return {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | Definition) and node.body and isinstance(node.body[0], ast.Expr)
    }


def words(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every identifier, and every word of a string that is not documentation, with its line."""
    documentation = docstrings(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(text)) if id(node) not in documentation:
                found = re.findall(r"\w+", text)
            case (
                ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name) | ast.keyword(arg=str(name))
            ):
                found = [name.lower()]
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.alias(name=name):
                found = [name.lower()]
            case _:
                continue
        yield from ((word, getattr(node, "lineno", 0)) for word in found)


def texts() -> Iterator[tuple[Path, str]]:
    """Every text of the project, by its path."""
    folders = ["taxo", "grammar", "methods", "tests", "editors", "examples", "benchmarks", "docs", ".ci"]
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*")]
    for path in [*paths, *ROOT.iterdir()]:
        if (
            path.is_file()
            and "__pycache__" not in path.parts
            and not path.name.startswith((".git", ".coverage"))
        ):
            yield path.relative_to(ROOT), path.read_text(encoding="utf-8", errors="ignore")


def offences(pattern: str) -> list[str]:
    return [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path, text in texts()
        for match in re.finditer(pattern, text)
    ]


@each_module
def test_imports_go_one_way(module: str):
    reached = {found for node in ast.walk(parse(module)) for found in imported_rooms(node, module)}
    assert {name for name in reached if LEVELS[name] > LEVELS[room(module)]} == set()


@each_module
def test_light_modules_import_nothing_heavy(module: str):
    if room(module) not in LIGHT:
        return
    found = {
        name.split(".")[0]
        for node in at_import(parse(module))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or "", *(alias.name for alias in node.names)]
    }
    assert found & HEAVY == set()


@each_module
def test_files_are_short(module: str):
    lines = (ROOT / module).read_text(encoding="utf-8").count("\n")
    assert lines <= MOST_LINES


@each_module
def test_functions_are_short(module: str):
    long = {
        f"{node.name}, line {node.lineno}"
        for node in ast.walk(parse(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno >= MOST_FUNCTION_LINES
    }
    assert long == set()


@each_module
def test_public_names_are_documented(module: str):
    tree = parse(module)
    bare = {name for name, node in public(tree) if not ast.get_docstring(node) and not redefines(node)}
    assert bare == set()
    assert ast.get_docstring(tree)


@each_module
def test_no_code_knows_a_methods_name(module: str):
    methods = {path.stem for path in (ROOT / "methods").glob("*.taxo")} - ORDINARY
    assert [(word, line) for word, line in words(parse(module)) if word in methods] == []


def test_the_front_door_is_small():
    import taxo

    assert len(taxo.__all__) <= MOST_PUBLIC_NAMES


def test_nothing_names_the_workplace():
    # Spelled so that this file is no offence itself.
    places = r"(?<![\w.])/(?:work|root|opt)/[\w./-]*"
    hosts = r"\b(?:pypi|python" r"hosted|anaconda|npm" r"js|jfrog|download\.pytorch)\.(?:org|com|io)\b"
    registries = r"(?:--(?:extra-)?index|--find|PIP_\w*IND|UV_IND)[-_\w]*[ =]\S+"
    assert offences(f"{places}|{hosts}|{registries}") == []


def test_nothing_is_left_to_do():
    assert offences(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b") == []
