"""What is a picture: a batch whose last two axes are its height and width, and fields over its pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from taxo.language.errors import fail
from taxo.ops.forms import real_type

AXES = 4


def pictures(x: Tensor) -> Tensor:
    """A batch of pictures in a type to compute in; anything else is refused."""
    if x.dim() != AXES:
        hint = "give images as [samples, channels, height, width]"
        fail("T412", f"the values are {list(x.shape)}, and pictures are needed", None, hint)
    return x.to(real_type(x))


def motionless(x: Tensor) -> Tensor:
    """A field of motions, down and right, for every picture: none moves."""
    pictures(x)
    return torch.zeros(len(x), 2, *x.shape[-2:], dtype=real_type(x), device=x.device)
