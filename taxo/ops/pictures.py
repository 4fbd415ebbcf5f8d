"""What is a picture: a batch whose last two axes are its height and width, and fields over its pixels."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from taxo.language.errors import fail
from taxo.ops.forms import real_type

AXES = 4
AT_ONCE = 2**18  # numbers for each thread of a processor, whose caches hold what belongs to as many


def pictures(x: Tensor) -> Tensor:
    """A batch of pictures in a type to compute in; anything else is refused."""
    if x.dim() != AXES:
        hint = "give images as [samples, channels, height, width]"
        fail("T412", f"the values are {list(x.shape)}, and pictures are needed", None, hint)
    return x.to(real_type(x))


def by_few(find: Callable[[Tensor, float | Tensor], Tensor], fields: Tensor, size: float | Tensor) -> Tensor:
    """What is found of each field, and of its size, by as few fields at a time as a processor likes best."""
    few = max(AT_ONCE * torch.get_num_threads() // max(fields[:1].numel(), 1), 1)
    if fields.device.type != "cpu" or few >= len(fields):
        return find(fields, size)
    found = torch.empty_like(fields)
    for start in range(0, len(fields), few):
        rows = slice(start, start + few)
        own = size[rows] if isinstance(size, Tensor) and size.dim() else size
        found[rows] = find(fields[rows], own)
    return found


def motionless(x: Tensor) -> Tensor:
    """A field of motions, down and right, for every picture: none moves."""
    pictures(x)
    return torch.zeros(len(x), 2, *x.shape[-2:], dtype=real_type(x), device=x.device)
