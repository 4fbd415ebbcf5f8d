"""Reading the command line: flags are written out, and what is no flag is told which one is near."""

from __future__ import annotations

import re
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any, NoReturn

from taxo.language.errors import fail, suggest

CHOICE = re.compile(r"argument (?P<where>\S+): invalid choice: '(?P<word>.*)' \(choose from (?P<known>.*)\)")
MISSING = re.compile(r"the following arguments are required: (?P<names>.*)")


class Parser(ArgumentParser):
    """A parser whose complaints are errors with a code and a hint."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401  # argparse's own
        super().__init__(**options, allow_abbrev=False)

    def parse_known_args(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, args: Sequence[str] | None = None, namespace: Namespace | None = None
    ) -> tuple[Namespace, list[str]]:
        """Read the words; none may be left over."""
        found, rest = super().parse_known_args(args, Namespace() if namespace is None else namespace)
        if rest:
            self._refuse(rest[0])
        return found, rest

    def error(self, message: str) -> NoReturn:
        """T503 for words that make no command."""
        if choice := CHOICE.search(message):
            where, word = choice["where"], choice["word"]
            said = f"there is no command `{word}`" if where == "COMMAND" else f"`{where}` cannot be `{word}`"
            fail("T503", said, help=suggest(word, re.findall(r"[\w-]+", choice["known"])))
        if missing := MISSING.search(message):
            message = f"{missing['names']} is missing"
        said = re.sub(r"^argument (\S+): ", r"`\1`: ", message)
        fail("T503", said, help=self._help())

    def _refuse(self, word: str) -> NoReturn:
        flag = word.partition("=")[0]
        if not flag.startswith("-"):
            fail("T503", f"`{self.prog}` does not know what to do with `{word}`", help=self._help())
        flags = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
        fail("T503", f"`{self.prog}` has no flag `{flag}`", help=suggest(flag, flags))

    def _help(self) -> str:
        return f"`{self.prog} --help` says what there is"
