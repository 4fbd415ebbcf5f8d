"""The functions that put values together: over a sample, over the batch, of two values, of all weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor

from taxo.ops.forms import filled, real_type
from taxo.ops.norms import norm_of_all, per_row


def total(e: Tensor) -> Tensor:
    """The sum over all axes but the first."""
    return per_row(e).sum(1)


def average(e: Tensor) -> Tensor:
    """The mean over all axes but the first."""
    return per_row(_real(e)).mean(1)


def largest(e: Tensor) -> Tensor:
    """The largest entry over all axes but the first."""
    return per_row(e).amax(1)


def smallest(e: Tensor) -> Tensor:
    """The smallest entry over all axes but the first."""
    return per_row(e).amin(1)


def larger(a: Tensor | float, b: Tensor | float) -> Tensor:
    """The larger of two values, entry by entry; at least one of them is a tensor."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.maximum(a, b)
    value, bound = (a, b) if isinstance(a, Tensor) else (b, a)
    return cast(Tensor, value).clamp(min=cast(float, bound))


def smaller(a: Tensor | float, b: Tensor | float) -> Tensor:
    """The smaller of two values, entry by entry; at least one of them is a tensor."""
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.minimum(a, b)
    value, bound = (a, b) if isinstance(a, Tensor) else (b, a)
    return cast(Tensor, value).clamp(max=cast(float, bound))


def mean_batch(e: Tensor) -> Tensor:
    """The mean over the batch."""
    return _real(e).mean(0)


def _real(e: Tensor) -> Tensor:
    """The values as numbers that have means: whole ones have none of their type."""
    return e if e.is_floating_point() else e.to(real_type(e))


def quantile(e: Tensor, share: Tensor | float) -> Tensor:
    """The value below which a share of the batch lies, between two samples by their distances."""
    ordered = e.to(real_type(e)).sort().values
    place = filled(share, ordered.new_empty(())).to(ordered.dtype).clamp(0, 1) * (len(ordered) - 1)
    below, above = ordered.index_select(0, torch.stack([place.floor(), place.ceil()]).long()).unbind()
    return torch.lerp(below, above, place - place.floor())


def kl(p: Tensor, q: Tensor) -> Tensor:
    """The mean log ratio of each row's two distributions under the first, whose zeros count nothing."""
    return (p * (_log(p) - _log(q))).sum(-1)


def _log(p: Tensor) -> Tensor:
    return p.clamp(min=torch.finfo(p.dtype).tiny).log()


def lp(e: Tensor, p: Tensor | float) -> Tensor:
    """The norm of order p of each sample's part; its gradient at zero is zero."""
    return _norm(per_row(e), p)


def _norm(rows: Tensor, p: Tensor | float) -> Tensor:
    """The norm of order p along the last axis."""
    # Any unit gives the same norm, and this one keeps high powers from under- and overflowing.
    unit = rows.detach().abs().amax(-1, keepdim=True)
    unit = torch.where((unit > 0) & unit.isfinite(), unit, 1)
    return unit.squeeze(-1) * _plain_norm(rows / unit, p)


def _plain_norm(rows: Tensor, p: Tensor | float) -> Tensor:
    if not isinstance(p, Tensor):
        return cast(Tensor, torch.linalg.vector_norm(rows, p, dim=-1))  # pyright: ignore[reportUnknownArgumentType]
    size = rows.abs()
    powers = torch.where(size > 0, torch.where(size > 0, size, 1) ** p, 0).sum(-1)
    return torch.where(powers > 0, torch.where(powers > 0, powers, 1) ** (1 / p), 0)


def acos(e: Tensor) -> Tensor:
    """The angle of a cosine, kept one rounding error (of float32 at least) away from -1 and 1."""
    wide = e.to(real_type(e))
    bound = 1 - torch.finfo(wide.dtype).eps
    return wide.clamp(-bound, bound).acos().to(e.dtype)


def weights_l1(parts: Mapping[str, Tensor]) -> Tensor:
    """The sum of absolute values of all tensors together."""
    return _of_all(parts, lambda part: part.abs().sum()).sum()


def weights_l2(parts: Mapping[str, Tensor]) -> Tensor:
    """The Euclidean norm of all tensors together."""
    return norm_of_all(list(parts.values()))


def weights_linf(parts: Mapping[str, Tensor]) -> Tensor:
    """The largest absolute value of all tensors together."""
    return _of_all(parts, lambda part: part.abs().amax()).amax()


def weights_lp(parts: Mapping[str, Tensor], p: Tensor | float) -> Tensor:
    """The norm of order p of all tensors together."""
    return _norm(_of_all(parts, lambda part: _norm(part.flatten(), p)), p)


def _of_all(parts: Mapping[str, Tensor], measure: Callable[[Tensor], Tensor]) -> Tensor:
    """One number per tensor; those without entries have none."""
    return torch.stack([measure(part) for part in parts.values() if part.numel()])
