"""The places inside a model where values are read and changed: its head, its embedding, modules by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import cast

import torch
from torch import Tensor, nn

from taxo.language.source import Span
from taxo.ops.sites import embedding_of, head_of, logits_of, modules_at
from taxo.runtime.hooks import Change, Enter, Hook, Leave, entering, leaving
from taxo.runtime.line import Line
from taxo.runtime.sharded import check_wrapping, is_sharded, refuse

Inputs = tuple[Tensor, ...]
At = Callable[[Line], AbstractContextManager[None]]


class Places:
    """The places of one model; they are looked for when something first acts there."""

    def __init__(self, model: nn.Module, classes: int, head: nn.Module | None = None) -> None:
        self.model = model
        self.classes = classes
        self._head = head
        self._found: dict[str, dict[str, nn.Module]] = {}

    def find(self, site: str, span: Span | None = None) -> dict[str, nn.Module]:
        """The modules of a site by name; `span` is where it is written."""
        if site not in self._found:
            match site:
                case "z":
                    self._head = self._head or head_of(self.model, self.classes, span)
                    self._found[site] = {site: self._head}
                case "embedding":
                    self._found[site] = {site: embedding_of(self.model, span)}
                case _:
                    self._found[site] = modules_at(self.model, site, span)
        return self._found[site]

    @property
    def head(self) -> nn.Module:
        """The module whose input is `z`."""
        return self.find("z")["z"]

    def put_head(self, head: nn.Module) -> None:
        """Go on with another head."""
        self._head = head
        self._found.pop("z", None)

    @property
    def weight(self) -> Tensor:
        """The head's weight."""
        check_wrapping(self.model, "`W` is read")
        found = cast(Tensor, self.head.weight)
        if is_sharded(found):
            refuse("`W` is read where no pass has been through the head", "read it behind the head")
        return found

    @property
    def width(self) -> int:
        """How many features there are before the head."""
        return cast(Tensor, self.head.weight).shape[1]

    def changing(self, line: Line, site: str, changes: Sequence[Change]) -> Iterator[Hook]:
        """The hooks that change the values of a site; no name stands for the input."""
        if not site:

            def note(x: Tensor) -> Tensor:
                line.x = x
                return x

            yield Hook(self.model, entering((*changes, note)))
            return
        for module in self.find(site).values():
            yield (
                Hook(module, entering(changes)) if site == "z" else Hook(module, None, leaving(changes, True))
            )

    def records(self, line: Line, sees: Sequence[str]) -> Iterator[Hook]:
        """The hooks that note what was seen inside: `z` with the head's weight, and outputs of modules."""
        if "z" in sees:
            yield Hook(self.head, self._seeing(line))
        for site in sees:
            if not site.endswith("z"):
                (module,) = list(self.find(site).values())[:1]
                yield Hook(module, None, _keeping(line, site))

    def together(
        self, lines: list[Line], inner: list[Mapping[str, Sequence[Change]]], sees: Sequence[str], at: At
    ) -> Iterator[Hook]:
        """The hooks of several passes in one: each changes and notes its own rows."""
        for site in dict.fromkeys(site for own in inner for site in own):
            changes = [own.get(site, ()) for own in inner]

            def change(h: Tensor, changes: list[Sequence[Change]] = changes) -> Tensor:
                parts = list(h.tensor_split(len(lines)))
                for number, line in enumerate(lines):
                    with at(line):
                        for one in changes[number]:
                            parts[number] = one(parts[number])
                return torch.cat(parts)

            for module in self.find(site).values():
                yield (
                    Hook(module, entering([change]))
                    if site == "z"
                    else Hook(module, None, leaving([change], True))
                )
        whole = Line(lines[0].stage, lines[0].x, None)
        for module, enter, leave in self.records(whole, sees):
            yield Hook(module, enter, leave)
            yield Hook(module, enter and _parting_inputs(whole, lines), leave and _parting(whole, lines))

    def _seeing(self, line: Line) -> Enter:
        def enter(inputs: Inputs) -> Inputs:
            line.seen["z"], line.seen["W"] = inputs[0], self.weight
            return inputs

        return enter


def _keeping(line: Line, site: str) -> Leave:
    def leave(_: Inputs, output: object) -> object:
        line.h[site] = logits_of(output)
        return output

    return leave


def _part(whole: Line, lines: list[Line]) -> None:
    """Give every pass its own rows of what was seen of them together."""
    for name, value in (*whole.seen.items(), *whole.h.items()):
        rows = value.tensor_split(len(lines)) if name != "W" else [value] * len(lines)
        for line, part in zip(lines, rows, strict=True):
            (line.h if name in whole.h else line.seen)[name] = part


def _parting_inputs(whole: Line, lines: list[Line]) -> Enter:
    def enter(inputs: Inputs) -> Inputs:
        _part(whole, lines)
        return inputs

    return enter


def _parting(whole: Line, lines: list[Line]) -> Leave:
    def leave(_: Inputs, output: object) -> object:
        _part(whole, lines)
        return output

    return leave
