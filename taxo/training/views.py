"""Several views of a batch, for methods that ask for them: the samples themselves, then changed copies."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from taxo.training.augment import chains
from taxo.training.tensors import sent

JITTER = 0.05  # rows of numbers move by this deviation, where the training samples span [0, 1]


def views(x: Tensor, count: int, generator: Generator) -> Tensor | list[Tensor]:
    """The batch, or as many views of it as asked for; the generator lives on the host.

    Images are mixed with chains of mild transforms, as AugMix does it.
    """
    if count == 1:
        return x
    changed = chains if x.dim() == 4 else _jittered
    copies = x.repeat(count - 1, *[1] * (x.dim() - 1))
    return [x, *changed(copies, generator).chunk(count - 1)]


def _jittered(x: Tensor, generator: Generator) -> Tensor:
    return x + JITTER * sent(torch.randn(x.shape, generator=generator), x)
