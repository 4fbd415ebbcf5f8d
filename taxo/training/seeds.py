"""One independent random stream per purpose, all drawn from the run's one seed."""

from __future__ import annotations

from zlib import crc32

import torch


def number(seed: int, purpose: str) -> int:
    """The seed of one purpose, so that changing one draw never moves another."""
    return crc32(f"{seed}:{purpose}".encode())


def generator(seed: int, purpose: str) -> torch.Generator:
    """A CPU generator of its own: the same numbers whatever the device."""
    return torch.Generator().manual_seed(number(seed, purpose))


class Dice:
    """Random numbers of a device for one purpose after another; where nobody asks, nothing is seeded."""

    def __init__(self, device: torch.device) -> None:
        self._generator = torch.Generator(device)
        self._waiting: tuple[int, str] | None = None

    def begin(self, seed: int, purpose: str) -> None:
        """What is drawn from now on is drawn for this purpose, anew."""
        self._waiting = seed, purpose

    def now(self) -> torch.Generator:
        """The generator of the present purpose."""
        if self._waiting is not None:
            self._generator.manual_seed(number(*self._waiting))
            self._waiting = None
        return self._generator
