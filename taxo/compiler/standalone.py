"""A program with all that it calls, as one file that needs torch and nothing of taxo."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

from taxo.compiler.emit import Program
from taxo.compiler.sources import Definition, Import, Module, module, read
from taxo.compiler.wrapping import WIDTH

PROGRAM = ""  # the module of the program itself
Place = tuple[str, str]  # a module, and a name in it

HOW = """
The program stands at the end of this file, behind what it calls. It needs torch alone:

    step = {name}(model, classes=10{given})
    for x, y, index in loader:
        step(x, y, index).backward()
        optimizer.step()
        optimizer.zero_grad()
"""


def standalone(program: Program) -> str:
    """The text of a program, behind the parts of the library that it calls, each where it came from."""
    bundle = Bundle(read(PROGRAM, program.text))
    for name in bundle.root.definitions:
        bundle.take(PROGRAM, name)
    bundle.settle()
    return bundle.write(program)


@dataclass(slots=True)
class Bundle:
    """The definitions that a program needs, module by module, and the names they get in one file."""

    root: Module
    wanted: dict[str, set[str]] = field(default_factory=dict[str, set[str]])
    outside: dict[str, Import] = field(default_factory=dict[str, Import])
    names: dict[Place, str] = field(default_factory=dict[Place, str])

    def module(self, name: str) -> Module:
        """A module by its name."""
        return self.root if name == PROGRAM else module(name)

    def take(self, where: str, name: str) -> None:
        """Take a definition along, and all that it reads."""
        waiting = [(where, name)]
        while waiting:
            place = self._home(*waiting.pop())
            if place is None or place[1] in self.wanted.setdefault(place[0], set()):
                continue
            self.wanted[place[0]].add(place[1])
            definition = self.module(place[0]).definitions[place[1]]
            waiting += [(place[0], read_name) for read_name in sorted({one.id for one in definition.uses})]
            for annotated in sorted(definition.annotated):
                self._note(place[0], annotated)

    def _home(self, where: str, name: str) -> Place | None:
        """Where a name is defined; None if that is not inlined."""
        while True:
            found = self.module(where)
            if name in found.definitions:
                return where, name
            source = found.imports.get(name)
            if source is None or not self._is_ours(source.module):
                self._note(where, name)
                return None
            assert source.name is not None, f"`{where}` imports the module `{source.module}`"
            where, name = source.module, source.name

    def _note(self, where: str, name: str) -> None:
        """Note what is imported from elsewhere."""
        source = self.module(where).imports.get(name)
        if source is not None and not self._is_ours(source.module):
            self.outside[name] = source

    def _is_ours(self, name: str) -> bool:
        """Whether a module is inlined: taxo's own, or one that the program's words come from."""
        top = name.partition(".")[0]
        ours = {source.module.partition(".")[0] for source in self.root.imports.values()}
        return top in {"taxo", *ours} - {"torch", *sys.stdlib_module_names}

    def settle(self) -> None:
        """Choose each definition's name in the file: its own, or with its module's where two are alike."""
        taken = {*dir(builtins), *self.outside, *self.root.definitions}
        self.names |= {(PROGRAM, name): name for name in self.root.definitions}
        for where in self.order():
            last = where.rpartition(".")[2]
            for name in self._chosen(where) if where != PROGRAM else ():
                new = name
                while new in taken:
                    new = f"{new}_{last}"
                taken.add(new)
                self.names[where, name] = new

    def order(self) -> list[str]:
        """The modules, each behind those that it imports."""
        found: list[str] = []

        def visit(where: str, above: tuple[str, ...]) -> None:
            if where in found or where in above:
                return
            for source in self.module(where).imports.values():
                if source.module in self.wanted or self._is_ours(source.module):
                    visit(source.module, (*above, where))
            found.append(where)

        visit(PROGRAM, ())
        return [where for where in found if where in self.wanted]

    def _chosen(self, where: str) -> list[str]:
        return [name for name in self.module(where).definitions if name in self.wanted[where]]

    def write(self, program: Program) -> str:
        """The file."""
        head = ast.get_docstring(ast.parse(program.text), clean=False) or ""
        given = "".join(f", {name}=..." for name in program.needs)
        how = HOW.format(name=program.name, given=given)
        parts = [f'"""{head.rstrip()}\n{how}"""\n\n{self._imports()}']
        for where in self.order():
            title = f"# {where or program.method.name}"
            parts.append("\n\n".join([f"{title}\n", *self._texts(where)]))
        return "\n\n".join(parts)

    def _imports(self) -> str:
        whole = sorted({source.module for source in self.outside.values() if source.name is None})
        parts: dict[str, list[str]] = {}
        for name, source in sorted(self.outside.items()):
            if source.name is not None and source.module != "__future__":
                parts.setdefault(source.module, []).append(
                    source.name if source.name == name else f"{source.name} as {name}"
                )
        lines = [f"import {name}" for name in whole]
        lines += [line for name in sorted(parts) for line in _import_lines(name, parts[name])]
        return "\n".join(["from __future__ import annotations", "", *lines]) + "\n"

    def _texts(self, where: str) -> Iterator[str]:
        """The definitions of a module that are wanted, as they stand there."""
        found, done = self.module(where), set[int]()
        for name in self._chosen(where):
            definition = found.definitions[name]
            for node in definition.nodes:
                if node.lineno not in done:
                    done.add(node.lineno)
                    yield self._text(found, node, definition)

    def _text(self, found: Module, node: ast.stmt, definition: Definition) -> str:
        first, last = _extent(node, found.lines)
        lines = found.lines[first:last]
        edits = [
            (use.lineno - 1 - first, use.col_offset, use.id, new)
            for use in definition.uses
            if first <= use.lineno - 1 < last and (new := self._new(found.name, use.id)) != use.id
        ]
        for row, column, old, new in sorted(set(edits), reverse=True):
            line = lines[row].encode()
            assert line[column:].startswith(old.encode()), f"`{old}` is not at its place in `{lines[row]}`"
            lines[row] = (line[:column] + new.encode() + line[column + len(old) :]).decode()
        own = getattr(node, "name", None)
        if own is not None and (new := self.names[found.name, own]) != own:
            row = node.lineno - 1 - first
            lines[row] = lines[row].replace(own, new, 1)
        return "".join(lines)

    def _new(self, where: str, name: str) -> str:
        place = self._home(where, name)
        return name if place is None else self.names[place]


def _import_lines(module: str, names: list[str]) -> list[str]:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= WIDTH:
        return [line]
    return [f"from {module} import (", *(f"    {name}," for name in names), ")"]


def _extent(node: ast.stmt, lines: list[str]) -> tuple[int, int]:
    """The rows of a statement, with its decorators and the comments above it."""
    first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))]) - 1
    while first and lines[first - 1].startswith("#"):
        first -= 1
    assert node.end_lineno is not None
    return first, node.end_lineno
