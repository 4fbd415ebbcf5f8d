"""Several views of a batch, for methods that ask for them: the samples themselves, then moved copies."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

ROOM = 8  # images move by up to this part of their size
JITTER = 0.05  # rows of numbers move by this deviation, where the training samples span [0, 1]


def views(x: Tensor, count: int, generator: Generator) -> Tensor | list[Tensor]:
    """The batch, or as many views of it as asked for; the generator lives on its device."""
    if count == 1:
        return x
    moved = _shifted if x.dim() == 4 else _jittered
    return [x, *(moved(x, generator) for _ in range(count - 1))]


def _shifted(x: Tensor, generator: Generator) -> Tensor:
    """Each image moved by whole pixels, its border repeated."""
    down, right = (_places(x, size, generator) for size in x.shape[2:])
    image = torch.arange(len(x), device=x.device)[:, None, None]
    return x[image, :, down[:, :, None], right[:, None, :]].permute(0, 3, 1, 2)


def _places(x: Tensor, size: int, generator: Generator) -> Tensor:
    """Which row or column of its image each one of the view shows."""
    far = max(1, size // ROOM)
    shift = torch.randint(-far, far + 1, (len(x), 1), generator=generator, device=x.device)
    return (torch.arange(size, device=x.device) + shift).clamp(0, size - 1)


def _jittered(x: Tensor, generator: Generator) -> Tensor:
    return x + JITTER * torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
