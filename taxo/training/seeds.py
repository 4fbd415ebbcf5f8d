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
