"""Typed doors to what torch's annotations leave open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor


def numbers(tensor: Tensor) -> list[float]:
    """A vector's numbers on the host; this waits for the device."""
    return cast("list[float]", tensor.tolist())


def pixels(image: Tensor) -> list[list[list[float]]]:
    """An image's numbers on the host: channels of rows."""
    return cast("list[list[list[float]]]", image.tolist())


def batches(rows: Tensor, size: int) -> tuple[Tensor, ...]:
    """The rows in pieces of `size`, the last one as small as it comes."""
    return cast("tuple[Tensor, ...]", rows.split(size))


def pieces(count: int, size: int) -> Iterator[slice]:
    """The places of so many rows, `size` at a time."""
    for start in range(0, count, size):
        yield slice(start, start + size)


def sent(made: Tensor, place: Tensor | torch.device) -> Tensor:
    """What was made on the host where it is wanted, in the type of a tensor there; the host goes on."""
    if isinstance(place, torch.device):
        return made.to(place, non_blocking=True)
    return made.to(place.device, place.dtype, non_blocking=True)
