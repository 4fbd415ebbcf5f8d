"""A file of flags, for `--config`: the same names, and what is typed beside it wins; no torch here."""

from __future__ import annotations

import tomllib
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from taxo.language.errors import fail, suggest

SET = "set"
# what a command line must say itself
_TYPED = ("config", "handler", "assignments", "method", "methods", "resume")


def configured(namespace: Namespace) -> Namespace:
    """The command line with what it leaves open filled in by its file, if it names one."""
    if getattr(namespace, "config", None) is None:
        return namespace
    given = _read(Path(namespace.config))
    known = {name: value for name, value in vars(namespace).items() if name not in _TYPED}
    filled: dict[str, object] = {}
    for key, value in given.items():
        name = key.replace("-", "_")
        if name == SET:
            continue
        if name not in known:
            names = sorted(known.keys() | {SET})
            fail("T503", f"`{namespace.config}` sets `{key}`, which is no flag", help=suggest(name, names))
        if known[name] is None or known[name] is False:
            filled[name] = _word(value, known[name], f"{namespace.config}: {key}")
    assignments = [*_assignments(given.get(SET, {}), str(namespace.config)), *namespace.assignments]
    return Namespace(**(vars(namespace) | filled | {"assignments": assignments}))


def _read(path: Path) -> Mapping[str, object]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        hint = 'write lines such as `epochs = 30` and `noise = "pair:30%"`'
        fail("T503", f"`--config {path}` cannot be read: {error}", help=hint)


def _word(value: object, default: object, place: str) -> object:
    """What would have been typed: a switch is on or not, everything else is a word."""
    if isinstance(value, bool):
        return value if default is False else ("on" if value else "off")
    if default is not False and isinstance(value, (str, int, float)):
        return str(value)
    expected = "`true` or `false`" if default is False else "a word or a number"
    fail("T503", f"`{place}` cannot be `{value}`", help=f"expected {expected}")


def _assignments(table: object, path: str) -> list[str]:
    if not isinstance(table, dict):
        fail(
            "T503", f"`{path}: {SET}` cannot be `{table}`", help=f"write `[{SET}]`, and `name = value` below"
        )
    return [f"{name}={value}" for name, value in cast("dict[str, object]", table).items()]
