"""Norms whose backward is differentiated part by part.

How what is normed changes with what enters is symmetric, but for the weight, so that a norm's own backward
serves there too; torch's derivative of it takes some forty operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor
from torch.nn import functional

from taxo.ops.asked import Context, Part, asked, narrowed, opened, total

Found = tuple[Part, ...]


class Norm(Protocol):
    """How something was normed."""

    def slopes(self, slope: Tensor, x: Tensor, weight: Part, mask: Sequence[bool]) -> Found:
        """The slope at what came out to those at what entered, the weight and the bias."""
        ...

    def change(self, by: Tensor, x: Tensor, weight: Part) -> Part:
        """How what comes out changes as what enters moves."""
        ...

    def again(self, x: Tensor, weight: Part, bias: Part) -> Tensor:
        """The same norm with another weight and another bias."""
        ...


class BatchNorm(NamedTuple):
    """The norm of a batch: torch's operator for it, the running statistics it used if any, and its own."""

    operator: int
    running: tuple[Part, Part]
    own: tuple[Tensor, Tensor, Tensor]
    training: bool
    eps: float

    def slopes(self, slope: Tensor, x: Tensor, weight: Part, mask: Sequence[bool]) -> Found:
        """The slope at what came out to those at what entered, the weight and the bias."""
        mean, scale, reserve = self.own
        given = x, slope, weight, *self.running, mean, scale, self.training, self.eps, [*mask], reserve
        return torch.ops.aten._batch_norm_impl_index_backward(self.operator, *given)

    def change(self, by: Tensor, x: Tensor, weight: Part) -> Part:
        """How what comes out changes as what enters moves."""
        return self.slopes(by, x, weight, (True, False, False))[0]

    def again(self, x: Tensor, weight: Part, bias: Part) -> Tensor:
        """The same norm with another weight and another bias."""
        return functional.batch_norm(x, *self.running, weight, bias, self.training, 0.0, self.eps)


class LayerNorm(NamedTuple):
    """The norm of each sample over its last dimensions, with the statistics of each."""

    sizes: Sequence[int]
    own: tuple[Tensor, Tensor]
    eps: float

    def slopes(self, slope: Tensor, x: Tensor, weight: Part, mask: Sequence[bool]) -> Found:
        """The slope at what came out to those at what entered, the weight and the bias."""
        bias = None if weight is None else torch.empty_like(weight)  # of which only the size is read
        return torch.ops.aten.native_layer_norm_backward(
            slope, x, self.sizes, *self.own, weight, bias, [*mask]
        )

    def change(self, by: Tensor, x: Tensor, weight: Part) -> Part:
        """How what comes out changes as what enters moves."""
        # statistics are of the type of the weights, which a kernel without any takes for that of what enters
        ones = None if weight is None or weight.dtype == x.dtype else torch.ones_like(weight)
        found = self.slopes(by, x, ones, (True, False, False))[0]
        return found if found is None or weight is None else (found * weight).to(found.dtype)

    def again(self, x: Tensor, weight: Part, bias: Part) -> Tensor:
        """The same norm with another weight and another bias."""
        return functional.layer_norm(x, [*self.sizes], weight, bias, self.eps)


def batch_norm(
    input: Tensor,
    running_mean: Part,
    running_var: Part,
    weight: Part = None,
    bias: Part = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor | None:
    """What torch's functional of this name gives; none where that has something to say."""
    if input.dim() < 2 or input.numel() == input.shape[1] or (weight is None) != (bias is None):
        return None

    def normed(x: Tensor, *affine: Part) -> tuple[Tensor, Norm]:
        rest = running_mean, running_var, training, momentum, eps, torch.backends.cudnn.enabled
        out, mean, scale, reserve, operator = torch.ops.aten._batch_norm_impl_index(x, *affine, *rest)
        running = (None, None) if training else (_copy(running_mean), _copy(running_var))
        return out, BatchNorm(operator, running, (mean, scale, reserve), training, eps)

    return cast("Tensor", _NormForward.apply(opened(input), opened(weight), opened(bias), normed))


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Part = None,
    bias: Part = None,
    eps: float = 1e-5,
) -> Tensor | None:
    """What torch's functional of this name gives; none where that has something to say."""
    if (weight is None) != (bias is None) or _widened(input.device.type):
        return None

    def normed(x: Tensor, *affine: Part) -> tuple[Tensor, Norm]:
        out, mean, scale = torch.ops.aten.native_layer_norm(x, normalized_shape, *affine, eps)
        return out, LayerNorm(normalized_shape, (mean, scale), eps)

    return cast("Tensor", _NormForward.apply(opened(input), opened(weight), opened(bias), normed))


def _widened(kind: str) -> bool:
    """Whether a layer norm computes in another type than what enters, as autocast has it but on a CPU."""
    return kind != "cpu" and narrowed(kind) is not None


def _copy(running: Part) -> Part:
    """Running statistics as they are now: later passes update them in place."""
    return None if running is None else running.clone()


class _Normed(Context, Protocol):
    norm: Norm


class _Norming(Protocol):
    def __call__(self, x: Tensor, *affine: Part) -> tuple[Tensor, Norm]: ...


class _NormForward(torch.autograd.Function):
    """What enters, the weight and the bias, to what comes out."""

    @staticmethod
    def forward(ctx: _Normed, x: Tensor, weight: Part, bias: Part, normed: _Norming) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        out, ctx.norm = normed(x, weight, bias)
        ctx.save_for_backward(x, weight)
        return out

    @staticmethod
    def backward(ctx: _Normed, slope: Tensor) -> Found:  # pyright: ignore[reportIncompatibleMethodOverride]
        given = *ctx.saved_tensors, ctx.norm, asked(ctx, 3)
        return *cast("Found", _NormBackward.apply(opened(slope), *given)), None


class _NormBackward(torch.autograd.Function):
    """The slope at what came out, with what entered and the weight, to those before them."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: _Normed, slope: Tensor, x: Tensor, weight: Part, norm: Norm, mask: Sequence[bool]
    ) -> Found:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(slope, x, weight)
        ctx.norm = norm
        return norm.slopes(slope, x, weight, mask)

    @staticmethod
    def backward(ctx: _Normed, *ways: Part) -> Found:
        of_slope, *others = asked(ctx, 3)
        if any(others) or torch.is_grad_enabled():
            return *_as_torch_does(ctx, ways), None, None
        return _change(ctx, ways) if of_slope else None, None, None, None, None


def _change(ctx: _Normed, ways: Sequence[Part]) -> Part:
    """How what comes out changes as what entered, the weight and the bias move some way."""
    (_, x, weight), (by_x, by_weight, by_bias) = ctx.saved_tensors, ways
    parts: list[Part] = []
    if by_weight is not None:
        parts.append(ctx.norm.again(x, by_weight, by_bias))
    elif by_bias is not None:
        parts.append(ctx.norm.again(x, torch.zeros_like(by_bias), by_bias))
    if by_x is not None:
        parts.append(ctx.norm.change(by_x, x, weight))
    return total(parts)


def _as_torch_does(ctx: _Normed, ways: Sequence[Part]) -> Found:
    """All that moves the slopes, by torch's own derivative of them."""
    saved, live = cast("Found", ctx.saved_tensors), torch.is_grad_enabled()
    given = [None if part is None else _apart(part, live) for part in saved]
    slope, x, weight = given
    assert slope is not None
    assert x is not None
    mask = [way is not None for way in ways]
    with torch.enable_grad():
        slopes = _anew(ctx.norm, slope, x, weight, mask) if live else ctx.norm.slopes(slope, x, weight, mask)
    moved = [part for part in given if part is not None and part.requires_grad]
    found = iter(
        torch.autograd.grad(
            [one for one, way in zip(slopes, ways, strict=True) if one is not None and way is not None],
            moved,
            [way for way in ways if way is not None],
            create_graph=live,
            allow_unused=True,
        )
    )
    return tuple(next(found) if part is not None and part.requires_grad else None for part in given)


def _apart(part: Tensor, live: bool) -> Tensor:
    """A part on its own: the slope may be made of what entered, which counts for nothing here."""
    return part.view_as(part) if live else part.detach().requires_grad_()


def _anew(norm: Norm, slope: Tensor, x: Tensor, weight: Part, mask: Sequence[bool]) -> Found:
    """The slopes that a norm of torch's own gives: those of ours take the statistics for constants."""
    bias = None if weight is None else torch.zeros_like(weight).requires_grad_()
    of = [part for part, wanted in zip((x, weight, bias), mask, strict=True) if part is not None and wanted]
    found = iter(torch.autograd.grad(norm.again(x, weight, bias), of, slope, create_graph=True))
    return tuple(next(found) if wanted else None for wanted in mask)
