"""Solving (A + damping) x = b where A is known by its products alone: conjugate gradients, and two series.

No gradient is followed and nothing is kept of the steps behind, so memory does not grow with their number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

Products = Callable[[list[Tensor]], Sequence[Tensor]]
Number = float | Tensor


class Solution(NamedTuple):
    """What was found, what it leaves of the right-hand side (relative to it), and how many products it took.

    `residual` is a number on the device. A series knows what was left before its last term: there it is that.
    """

    parts: list[Tensor]
    residual: Tensor
    products: int


def conjugate(
    products: Products,
    right: Sequence[Tensor],
    *,
    damping: Number = 0.0,
    steps: int = 50,
    tolerance: float = 0.0,
) -> Solution:
    """The solution by conjugate gradients: for a symmetric A that is positive definite once damped.

    At a direction of no positive curvature it stays where it is. With a `tolerance` it ends as soon as the
    residual is that small; that asks the device at every step, and without one nothing is asked.
    """
    b = _flat(right)
    x, r = torch.zeros_like(b), b
    size = _length(b)
    p, old, going = r, r.dot(r), torch.ones((), dtype=torch.bool, device=b.device)
    taken = 0
    while taken < steps and not (tolerance and bool(_length(r) <= tolerance * size)):
        ap = _product(products, p, right) + damping * p
        taken += 1
        curvature = p.dot(ap)
        going = going & (curvature > 0) & (old > 0)
        if tolerance and not bool(going):
            break
        along = torch.where(going, old / curvature, 0.0).to(b.dtype)
        x, r = torch.where(going, x + along * p, x), torch.where(going, r - along * ap, r)
        new = r.dot(r)
        p = r + torch.where(going, new / old, 0.0).to(b.dtype) * p
        old = new
    return Solution(_shaped(x, right), _share(_length(r), size), taken)


def neumann(
    products: Products,
    right: Sequence[Tensor],
    *,
    damping: Number = 0.0,
    steps: int = 5,
    scale: Number = 1.0,
) -> Solution:
    """The first `steps` + 1 terms of Σ (1 − (A + damping) / scale)^k b / scale: the recursion of one A.

    It tends to the solution where no eigenvalue of A + damping reaches twice the scale.
    """
    return lissa(products, right, damping=damping, steps=steps, scale=scale)


def lissa(
    products: Products,
    right: Sequence[Tensor],
    *,
    damping: Number = 0.0,
    steps: int = 5000,
    scale: Number = 1.0,
) -> Solution:
    """The recursion s ← s + b − (A + damping) s / scale, divided by the scale at its end.

    A may be another sample of itself at every step; the residual is then that of the last sample. Written as
    s ← b + (1 − d) s − A s / scale, as it often is, the damping is d times the scale.
    """
    b = _flat(right)
    s, left = b, b
    for _ in range(steps):
        left = b - (_product(products, s, right) + damping * s) / scale
        s = s + left
    return Solution(_shaped(s / scale, right), _share(_length(left), _length(b)), steps)


def residual(
    products: Products, right: Sequence[Tensor], found: Sequence[Tensor], damping: Number = 0.0
) -> Tensor:
    """How much of the right-hand side a solution leaves, relative to it, by one product."""
    b, x = _flat(right), _flat(found)
    return _share(_length(b - _product(products, x, right) - damping * x), _length(b))


def _product(products: Products, at: Tensor, like: Sequence[Tensor]) -> Tensor:
    return _flat(products(_shaped(at, like)))


def _flat(parts: Sequence[Tensor]) -> Tensor:
    """All entries in one row, in no less than single precision."""
    row = torch.cat([part.detach().reshape(-1) for part in parts])
    return row if row.dtype == torch.float64 else row.float()


def _shaped(row: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    pieces = torch.split(row, [part.numel() for part in like])
    return [piece.reshape(part.shape).to(part.dtype) for piece, part in zip(pieces, like, strict=True)]


def _length(row: Tensor) -> Tensor:
    return row.dot(row).sqrt()


def _share(part: Tensor, whole: Tensor) -> Tensor:
    """Their quotient; of a right-hand side that is zero, zero."""
    return torch.where(whole > 0, part / whole, 0.0)
