"""Convolutions whose backward is differentiated part by part.

Each part is one convolution, or one half of its backward; of torch's own derivative all are computed at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, Protocol, SupportsIndex, cast

import torch
from torch import Tensor

from taxo.ops.asked import Context, Part, asked, narrowed, opened, total

Numbers = SupportsIndex | Sequence[int]


class Shape(NamedTuple):
    """How a convolution's kernel moves, in the order in which torch's own operators are told."""

    stride: Sequence[int]
    padding: Sequence[int]
    dilation: Sequence[int]
    transposed: bool
    output_padding: Sequence[int]
    groups: int


def convolution(x: Tensor, weight: Tensor, bias: Part, shape: Shape) -> Tensor:
    """A convolution whose backward can be differentiated part by part."""
    narrow = narrowed(x.device.type)
    if narrow is not None and x.dtype != torch.float64:
        x, weight, bias = x.to(narrow), weight.to(narrow), None if bias is None else bias.to(narrow)
    return cast("Tensor", _ConvolutionForward.apply(opened(x), opened(weight), opened(bias), shape))


class _Moved(Context, Protocol):
    shape: Shape


class _ConvolutionForward(torch.autograd.Function):
    """What enters, and the kernel and the bias, to what comes out."""

    @staticmethod
    def forward(ctx: _Moved, x: Tensor, weight: Tensor, bias: Part, shape: Shape) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.save_for_backward(x, weight)
        ctx.shape = shape
        return torch.ops.aten.convolution(x, weight, bias, *shape)

    @staticmethod
    def backward(ctx: _Moved, slope: Tensor) -> tuple[Part, ...]:  # pyright: ignore[reportIncompatibleMethodOverride]
        given = *ctx.saved_tensors, ctx.shape, asked(ctx, 3)
        return *cast("tuple[Part, ...]", _ConvolutionBackward.apply(opened(slope), *given)), None


class _ConvolutionBackward(torch.autograd.Function):
    """The slope at what came out, with what entered and the kernel, to those before them."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: _Moved, slope: Tensor, x: Tensor, weight: Tensor, shape: Shape, mask: Sequence[bool]
    ) -> tuple[Part, ...]:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(slope, x, weight)
        ctx.shape = shape
        return _slopes(slope, x, weight, shape, mask)

    @staticmethod
    def backward(ctx: _Moved, *ways: Part) -> tuple[Part, ...]:
        (slope, x, weight), (by_x, by_weight, _) = ctx.saved_tensors, ways
        of_slope, of_x, of_weight = asked(ctx, 3)
        found: list[Part] = [_change(slope, x, weight, ways, ctx.shape) if of_slope else None, None, None]
        if of_x and by_weight is not None:
            found[1] = _slopes(slope, x, by_weight, ctx.shape, (True, False, False))[0]
        if of_weight and by_x is not None:
            found[2] = _slopes(slope, by_x, weight, ctx.shape, (False, True, False))[1]
        return *found, None, None


def _change(slope: Tensor, x: Tensor, weight: Tensor, ways: Sequence[Part], shape: Shape) -> Part:
    """How what comes out, as large as its slope, changes as all that it is made of moves some way."""
    by_x, by_weight, by_bias = ways
    parts: list[Part] = []
    if by_weight is not None:
        parts.append(torch.ops.aten.convolution(x, by_weight, by_bias, *shape))
    elif by_bias is not None:
        parts.append(by_bias.view(-1, *[1] * (x.dim() - 2)).expand_as(slope))
    if by_x is not None:
        parts.append(torch.ops.aten.convolution(by_x, weight, None, *shape))
    return total(parts)


def _slopes(slope: Tensor, x: Tensor, weight: Tensor, shape: Shape, mask: Sequence[bool]) -> tuple[Part, ...]:
    outputs = [slope.shape[1]] if mask[2] else None
    return torch.ops.aten.convolution_backward(slope, x, weight, outputs, *shape, mask)


def _plain(
    dimensions: int,
    input: Tensor,  # as torch names it
    weight: Tensor,
    bias: Part = None,
    stride: Numbers = 1,
    padding: Numbers | str = 0,
    dilation: Numbers = 1,
    groups: SupportsIndex = 1,
) -> Tensor | None:
    if not _ours(dimensions, input, weight) or isinstance(padding, str):
        return None
    shape = _shape(dimensions, stride, padding, dilation, groups)
    return convolution(input, weight, bias, shape)


def _transposed(
    dimensions: int,
    input: Tensor,  # as torch names it
    weight: Tensor,
    bias: Part = None,
    stride: Numbers = 1,
    padding: Numbers = 0,
    output_padding: Numbers = 0,
    groups: SupportsIndex = 1,
    dilation: Numbers = 1,
) -> Tensor | None:
    if not _ours(dimensions, input, weight):
        return None
    shape = _shape(dimensions, stride, padding, dilation, groups)
    beyond = _each(output_padding, dimensions)
    return convolution(input, weight, bias, shape._replace(transposed=True, output_padding=beyond))


def _ours(dimensions: int, x: Tensor, weight: Tensor) -> bool:
    """Whether a call is no mistake, of no complex numbers, and of a batch rather than of one sample."""
    return x.dim() == weight.dim() == dimensions + 2 and not x.is_complex()


def _shape(
    dimensions: int, stride: Numbers, padding: Numbers, dilation: Numbers, groups: SupportsIndex
) -> Shape:
    """How the kernel of a convolution that is not transposed moves."""
    each = (_each(value, dimensions) for value in (stride, padding, dilation))
    return Shape(*each, transposed=False, output_padding=[0] * dimensions, groups=groups.__index__())


def _each(value: Numbers, dimensions: int) -> Sequence[int]:
    """One number for each dimension."""
    if isinstance(value, SupportsIndex):
        return [value.__index__()] * dimensions
    return [*value] * (dimensions if len(value) == 1 else 1)


CONVOLUTIONS: dict[Callable[..., Tensor], Callable[..., Tensor | None]] = {
    torch.conv1d: partial(_plain, 1),
    torch.conv2d: partial(_plain, 2),
    torch.conv3d: partial(_plain, 3),
    torch.conv_transpose1d: partial(_transposed, 1),
    torch.conv_transpose2d: partial(_transposed, 2),
    torch.conv_transpose3d: partial(_transposed, 3),
}
