"""The quadratic forms of differences of class vectors: (W[c] - W[a]) M[a] (W[c] - W[a]).

With one matrix per class they come from a form of four values that is linear in each: for rows r of class a,

    F = sum_rc g_rc (U[c] - U[a]) S[a] (V[c] - V[a]),    S = (M + M^T) / 2.

Its slopes by g, by U (or V, which is the same) and by M are `_value`, `_vector` and `_matrix`, and the
slopes of those are these three again: so the result is differentiable as often as one likes. None of them
keeps more than its arguments; what is as large as rows x classes x features is made again, block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, cast

import torch
from torch import Tensor
from torch.autograd import Function

from taxo.ops.forms import product, real_type, rows_of

# No tensor of a block has more entries than this, or than one row needs.
BLOCK = 1 << 20
Slopes = tuple[Tensor | None, ...]
_Saved = tuple[Tensor, Tensor | None, Tensor, Tensor]


class _Context(Protocol):
    """What torch lends a function between its two directions."""

    saved_tensors: tuple[Tensor, ...]
    needs_input_grad: tuple[bool, ...]

    def save_for_backward(self, *tensors: Tensor | None) -> None: ...


def quadratic(W: Tensor, M: Tensor | float, y: Tensor, diagonal: bool | None = None) -> Tensor:
    """For each sample's class a and each class c, the form of their difference; of soft labels, the mean.

    M is a matrix per class, one for all, a diagonal per class, or a number: that multiple of the identity.
    `diagonal` tells a diagonal per class from one matrix, where there are as many classes as features.
    """
    if not y.is_floating_point() and len(y) < len(W):
        return _rows(W, M, y, diagonal)
    return rows_of(quadratic_table(W, M, diagonal), y).expand(len(y), -1)


def quadratic_table(W: Tensor, M: Tensor | float, diagonal: bool | None = None) -> Tensor:
    """For each class a, a row of the forms of its differences from each class c."""
    return _rows(W, M, torch.arange(len(W), device=W.device), diagonal)


def _rows(W: Tensor, M: Tensor | float, a: Tensor, diagonal: bool | None) -> Tensor:
    """The row of each class in `a`, by the way that the matrix allows."""
    kind = real_type(W)
    if not isinstance(M, Tensor) or M.dim() == 0:
        return _of_one(W.to(kind), lambda rows: 2 * M * rows, a)
    kind = torch.promote_types(kind, M.dtype)
    vectors, matrix = W.to(kind), (M[0] if M.dim() == 3 and len(M) == 1 else M).to(kind)
    if matrix.dim() == 3:
        return _value(vectors, None, matrix, a)
    if diagonal or (diagonal is None and matrix.shape != (W.shape[1],) * 2):
        return _of_diagonals(vectors, matrix.expand(len(W), -1)[a], a)
    return _of_one(vectors, lambda rows: product(rows, matrix + matrix.T), a)


def _centred(W: Tensor) -> Tensor:
    """The vectors around their mean, which no difference shows: smaller products, smaller errors."""
    return W - W.detach().mean(0)


def _of_one(W: Tensor, doubled: Callable[[Tensor], Tensor], a: Tensor) -> Tensor:
    """The forms of one matrix, given what multiplies by it and its transpose."""
    rows = _centred(W)
    moved = doubled(rows)
    own = (moved * rows).sum(-1) / 2
    return _without_own(own - product(moved[a], rows.T) + own[a][:, None], a)


def _of_diagonals(W: Tensor, M: Tensor, a: Tensor) -> Tensor:
    """The forms of a diagonal per row."""
    rows = _centred(W)
    moved = M * rows[a]
    others = product(M, rows.square().T) - 2 * product(moved, rows.T)
    return _without_own(others + (moved * rows[a]).sum(-1)[:, None], a)


def _without_own(values: Tensor, a: Tensor) -> Tensor:
    """Zero, where rounding leaves a little, at each row's own class."""
    own = torch.arange(values.shape[1], device=a.device) == a[:, None]
    return torch.where(own, 0, values)


def _blocks(a: Tensor, like: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """The rows in blocks, each with its classes."""
    classes, features = like.shape
    size = max(1, BLOCK // (max(classes, features) * features))
    for start in range(0, len(a), size):
        rows = slice(start, start + size)
        yield rows, a[rows]


def _apart(V: Tensor, classes: Tensor) -> Tensor:
    """The differences of all class vectors from those of some classes."""
    return V - V[classes][:, None]


def _symmetric(M: Tensor) -> Tensor:
    return (M + M.mT) / 2


class _Slope(Function):
    """A function that keeps its arguments and nothing else."""

    @staticmethod
    def setup_context(ctx: _Context, inputs: tuple[Tensor | None, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)


class _Value(_Slope):
    """The slope by g: the form of each row and class."""

    @staticmethod
    def forward(U: Tensor, V: Tensor | None, M: Tensor, a: Tensor) -> Tensor:
        values = U.new_empty(len(a), len(U))
        for rows, classes in _blocks(a, U):
            left = _apart(U, classes)
            right = left if V is None else _apart(V, classes)
            values[rows] = (product(left, _symmetric(M[classes])) * right).sum(-1)
        return values

    @staticmethod
    def backward(ctx: _Context, *gradients: Tensor) -> Slopes:
        (h,), (U, V, M, a) = gradients, cast(_Saved, ctx.saved_tensors)
        by_u, by_v, by_m, _ = ctx.needs_input_grad
        other = U if V is None else V
        return (
            (2 if V is None else 1) * _vector(h, other, M, a) if by_u else None,
            _vector(h, U, M, a) if by_v else None,
            _matrix(h, U, other, a) if by_m else None,
            None,
        )


class _Vector(_Slope):
    """The slope by U, or by V."""

    @staticmethod
    def forward(g: Tensor, V: Tensor, M: Tensor, a: Tensor) -> Tensor:
        slope = torch.zeros_like(V)
        for rows, classes in _blocks(a, V):
            part = product(g[rows, :, None] * _apart(V, classes), _symmetric(M[classes]))
            slope += part.sum(0)
            slope.index_add_(0, classes, part.sum(1), alpha=-1)
        return slope

    @staticmethod
    def backward(ctx: _Context, *gradients: Tensor) -> Slopes:
        (h,), (g, V, M, a) = gradients, ctx.saved_tensors
        by_g, by_v, by_m, _ = ctx.needs_input_grad
        return (
            _value(h, V, M, a) if by_g else None,
            _vector(g, h, M, a) if by_v else None,
            _matrix(g, h, V, a) if by_m else None,
            None,
        )


class _Matrix(_Slope):
    """The slope by M."""

    @staticmethod
    def forward(g: Tensor, U: Tensor, V: Tensor, a: Tensor) -> Tensor:
        slope = U.new_zeros(len(U), U.shape[1], U.shape[1])
        for rows, classes in _blocks(a, U):
            part = product((g[rows, :, None] * _apart(U, classes)).mT, _apart(V, classes))
            slope.index_add_(0, classes, _symmetric(part))
        return slope

    @staticmethod
    def backward(ctx: _Context, *gradients: Tensor) -> Slopes:
        (h,), (g, U, V, a) = gradients, ctx.saved_tensors
        by_g, by_u, by_v, _ = ctx.needs_input_grad
        return (
            _value(U, V, h, a) if by_g else None,
            _vector(g, V, h, a) if by_u else None,
            _vector(g, U, h, a) if by_v else None,
            None,
        )


def _value(U: Tensor, V: Tensor | None, M: Tensor, a: Tensor) -> Tensor:
    return cast(Tensor, _Value.apply(U, V, M, a))


def _vector(g: Tensor, V: Tensor, M: Tensor, a: Tensor) -> Tensor:
    return cast(Tensor, _Vector.apply(g, V, M, a))


def _matrix(g: Tensor, U: Tensor, V: Tensor, a: Tensor) -> Tensor:
    return cast(Tensor, _Matrix.apply(g, U, V, a))
