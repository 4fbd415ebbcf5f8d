"""Arithmetic per granule: numbers and norms of rows, and the points of simplices.

A granule is a sample, a class or the corpus: an entry of a tensor's first axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from taxo.ops.forms import per_sample, real_type, tensor_of

Number = float | Tensor


def of_each(number: Number, like: Tensor) -> Number:
    """One number for all, or one per granule, shaped to multiply `like`."""
    return per_sample(number, like) if isinstance(number, Tensor) and number.dim() else number


def positive(number: Number) -> Number:
    """The number, or zero for what is no positive number."""
    if isinstance(number, Tensor):
        return torch.where(number > 0, number, torch.zeros_like(number))
    return number if number > 0 else 0.0


def length(part: Tensor, order: float, rows: bool) -> Tensor:
    """The norm of each row, shaped to multiply the tensor, or of all its entries."""
    wide = part[:, None] if rows and part.dim() == 1 else part
    axes = tuple(range(1, wide.dim())) if rows else None
    found = cast(Tensor, torch.linalg.vector_norm(wide, order, axes, dtype=real_type(part)))  # pyright: ignore[reportUnknownArgumentType]
    return per_sample(found, part) if rows else found


def lengths(parts: list[Tensor]) -> list[Tensor]:
    """The Euclidean norms of several tensors, on a GPU by few launches."""
    return list(torch._foreach_norm(parts, 2, dtype=real_type(parts[0])))  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]


def scaled(parts: list[Tensor], factors: Sequence[Number]) -> list[Tensor]:
    """Every tensor times its factor, in its own type."""
    first = factors[0]
    if isinstance(first, Tensor) and not first.dim() and all(factor is first for factor in factors):
        return list(torch._foreach_mul(parts, first))  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    return [(part * factor).to(part.dtype) for part, factor in zip(parts, factors, strict=True)]


def reshaped(rows: list[Tensor], like: list[Tensor]) -> list[Tensor]:
    """Rows back in the shapes and types of the parts."""
    return [row.reshape(part.shape).to(part.dtype) for row, part in zip(rows, like, strict=True)]


def clipped(part: Tensor, low: Number, high: Number) -> Tensor:
    """The tensor between two bounds, which are numbers or tensors."""
    if isinstance(low, Tensor) or isinstance(high, Tensor):
        bounds = [tensor_of(end, real_type(part), part.device) for end in (low, high)]
        return part.clamp(*bounds).to(part.dtype)
    return part.clamp(low, high)


def level(rows: Tensor, total: Number) -> Tensor:
    """The level of each row above which its entries rise by `total` in all."""
    falling = rows.sort(1, descending=True).values
    excess = falling.cumsum(1) - total
    counts = torch.arange(1, rows.shape[1] + 1, dtype=rows.dtype, device=rows.device)
    last = (counts * falling > excess).sum(1, keepdim=True).clamp(min=1)
    return excess.gather(1, last - 1) / last


def vertex(rows: Tensor) -> Tensor:
    """The distribution on the largest entry of each row; several such share."""
    largest = (rows == rows.amax(1, keepdim=True)).to(real_type(rows))
    return largest / largest.sum(1, keepdim=True)


def random_shares(like: Tensor, more: int, generator: torch.Generator) -> Tensor:
    """Rows of random shares of one, all shares alike likely; for `more` receivers than there are columns."""
    wide = torch.empty(len(like), like.shape[1] + more, dtype=real_type(like), device=like.device)
    drawn = wide.exponential_(generator=generator)
    return drawn / drawn.sum(1, keepdim=True)
