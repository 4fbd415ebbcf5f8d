"""The text of a module, read as definitions, each with the names that it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Import:
    """Where a name of a module comes from: another module, or, with a name, something in it."""

    module: str
    name: str | None = None


@dataclass(slots=True)
class Definition:
    """The statements that bind a name, and the places where they read or write names of the module."""

    nodes: list[ast.stmt] = field(default_factory=list[ast.stmt])
    uses: list[ast.Name] = field(default_factory=list[ast.Name])
    annotated: set[str] = field(default_factory=set[str])


@dataclass(slots=True)
class Module:
    """A module's text, its definitions by name, in order, and its imports by the name they get."""

    name: str
    text: str
    definitions: dict[str, Definition] = field(default_factory=dict[str, Definition])
    imports: dict[str, Import] = field(default_factory=dict[str, Import])

    @property
    def lines(self) -> list[str]:
        """The text's lines, with their ends."""
        return self.text.splitlines(keepends=True)


@cache
def module(name: str) -> Module:
    """A module that can be imported, read and not run."""
    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    return read(name, Path(spec.origin).read_text("utf-8"))


def read(name: str, text: str) -> Module:
    """A text as a module."""
    found = Module(name, text)
    for node in ast.parse(text).body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            found.imports.update(_imported(node))
            continue
        names = list(_bound([node]))
        for bound in names:
            definition = found.definitions.setdefault(bound, Definition())
            definition.nodes.append(node)
            reader = _Uses(definition)
            reader.visit(node)
    return found


def _imported(node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Import]]:
    for one in node.names:
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            assert not node.level
            yield one.asname or one.name, Import(node.module, one.name)
        elif one.asname is not None:
            yield one.asname, Import(one.name)
        else:
            yield one.name.split(".")[0], Import(one.name)


def _bound(nodes: Iterable[ast.AST]) -> Iterator[str]:
    """The names that statements or expressions bind in the scope they stand in."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from (one.asname or one.name.split(".")[0] for one in node.names)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name is not None:
            yield node.name
        if isinstance(node, Comprehension):
            inner = (part for part in ast.walk(node) if isinstance(part, ast.NamedExpr))
            yield from _bound(part.target for part in inner)
        elif not isinstance(node, SCOPES):
            yield from _bound(ast.iter_child_nodes(node))


class _Uses(ast.NodeVisitor):
    """Collects the names of a definition that are the module's; annotations are never evaluated."""

    def __init__(self, found: Definition) -> None:
        self.found = found
        self.inner: list[frozenset[str]] = []  # what the functions around a name bind
        self.own: frozenset[str] = frozenset()  # what the class whose body this is binds

    def visit_Name(self, node: ast.Name) -> None:
        """A name that no function around it binds, nor the class that it stands in."""
        if node.id not in self.own and not any(node.id in scope for scope in self.inner):
            self.found.uses.append(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """What is evaluated where it stands, then its body."""
        for part in node.decorator_list:
            self.visit(part)
        self._function(node, node.body)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - the name that ast asks for

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """The same of a function without a name."""
        self._function(node, [node.body])

    def _function(self, node: Function, body: Iterable[ast.AST]) -> None:
        arguments = node.args
        for default in chain(arguments.defaults, (one for one in arguments.kw_defaults if one is not None)):
            self.visit(default)
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
        for one in every:
            self._annotation(one.annotation)
        self._annotation(None if isinstance(node, ast.Lambda) else node.returns)
        parts = list(body)
        self._within(parts, {one.arg for one in every} | set(_bound(parts)))

    def _within(self, parts: Iterable[ast.AST], names: Iterable[str]) -> None:
        own, self.own = self.own, frozenset()
        self.inner.append(frozenset(names))
        for part in parts:
            self.visit(part)
        self.inner.pop()
        self.own = own

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        """What it is made of, then its body, whose names its functions do not see."""
        for part in (*node.decorator_list, *node.bases, *(one.value for one in node.keywords)):
            self.visit(part)
        own, self.own = self.own, frozenset(_bound(node.body))
        for part in node.body:
            self.visit(part)
        self.own = own

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        """What is assigned to, and what is assigned."""
        self.visit(node.target)
        self._annotation(node.annotation)
        if node.value is not None:
            self.visit(node.value)

    def _annotation(self, node: ast.expr | None) -> None:
        if node is not None:
            self.found.annotated |= {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}

    def _comprehension(self, node: Comprehension) -> None:
        targets = set(_bound(one.target for one in node.generators))
        self._within(ast.iter_child_nodes(node), targets)

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension  # noqa: N815
