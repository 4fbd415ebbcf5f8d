"""What the host tells a step while it runs: a recorded step is told it anew each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from taxo.language.errors import fail

Say = Callable[[], tuple[Tensor | float, ...]]
Said = tuple[Tensor, ...]


@dataclass(slots=True)
class _Line:
    """Something that is said, and the memory on the device in which a recorded step finds it."""

    say: Say
    heard: Said


class Telling:
    """All that is said in one step, in order.

    Steps before the recorded one are listened to; the recorded one finds what was `fetched` for it where they
    found it, or a step that is none finds just that.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._lines: list[_Line] = []
        self._ready: list[Said] | None = None
        self._next = 0

    def listen(self) -> None:
        """Begin a step in which everything is said and remembered."""
        self._lines, self._ready = [], None

    def repeat(self, said: list[Said] | None = None) -> None:
        """Begin a step in which nothing is said: it finds what has been fetched, or the memory for that."""
        self._ready, self._next = said or [line.heard for line in self._lines], 0

    def hear(self, say: Say) -> Said:
        """What is said here."""
        if self._ready is not None:
            self._next += 1
            if self._next > len(self._ready):
                hint = "call the step itself"
                fail("T415", "a recorded step asks the host for more than steps before it", None, hint)
            return self._ready[self._next - 1]
        # apart from what was said: that is the user's, and may change
        heard = tuple(one.detach().clone() for one in self._sent(say()))
        self._lines.append(_Line(say, heard))
        return heard

    def fetch(self) -> list[Said]:
        """Have everything said once more."""
        return [self._sent(line.say()) for line in self._lines]

    def fits(self, said: list[Said]) -> bool:
        """Whether what was fetched has room where a recorded step looks for it."""
        pairs = zip(said, self._lines, strict=True)
        return all(_shapes(new) == _shapes(line.heard) for new, line in pairs)

    def put(self, said: list[Said]) -> None:
        """Write what was fetched where a recorded step looks for it."""
        for new, line in zip(said, self._lines, strict=True):
            for source, target in zip(new, line.heard, strict=True):
                target.copy_(source)

    def _sent(self, said: tuple[Tensor | float, ...]) -> Said:
        return tuple(
            one.to(self._device)
            if isinstance(one, Tensor)
            else torch.full((), one, dtype=torch.float64, device=self._device)
            for one in said
        )


def _shapes(said: Said) -> list[tuple[torch.Size, torch.dtype]]:
    return [(one.shape, one.dtype) for one in said]
