"""Known minimisers: unknowns that need no search."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from taxo.ops.forms import real_type, tensor_of
from taxo.ops.granules import Number, length, of_each, positive


def soft_threshold(r: Tensor, t: Number, nonnegative: bool = False) -> Tensor:
    """argmin_m ½ (r − m)² + t |m|, which is sign(r) (|r| − t)₊; for m ≥ 0, (r − t)₊."""
    cut = of_each(t, r)
    return (r - cut).clamp(min=0) if nonnegative else r.sign() * (r.abs() - cut).clamp(min=0)


def group_threshold(r: Tensor, t: Number, nonnegative: bool = False) -> Tensor:
    """argmin_m ½ ‖r − m‖² + t ‖m‖ per row, which is (1 − t / ‖r‖)₊ r; for m ≥ 0, that of r₊."""
    kept = r.clamp(min=0) if nonnegative else r
    cut, norms = of_each(t, r), length(kept, 2, rows=True)
    longer = norms > cut
    share = torch.where(longer, 1 - cut / torch.where(longer, norms, 1.0), 0.0)
    return (share * kept).to(r.dtype)


def prox_of_squares(
    scale: Number, residual: Tensor, lam: Number, penalty: str = "none", nonnegative: bool = False
) -> Tensor:
    """argmin_m Σ (residual − scale m)² + lam · penalty(m), for no penalty, `l1`, or `l2` of every row.

    A zero scale gives zero; `l2` needs one scale for all entries.
    """
    if penalty == "l2" and isinstance(scale, Tensor) and scale.dim():
        raise ValueError("a group penalty needs one scale for all entries")
    square = tensor_of(scale * scale, residual.dtype, residual.device)
    zero = square == 0
    # the derivative, −2 scale residual + 2 scale² m + lam ∂penalty(m), vanishes at a prox of scale · residual
    pulled, half = scale * residual, lam / 2 if penalty != "none" else 0.0
    prox = group_threshold if penalty == "l2" else soft_threshold
    return torch.where(zero, 0.0, prox(pulled, half, nonnegative) / torch.where(zero, 1.0, square))


def cross_entropy_l1(u: Tensor, y: Tensor, lam: Number) -> Tensor:
    """argmin_v CE(u + v, y) + lam ‖v‖₁ per row; y are classes or distributions.

    Where v is not zero, softmax(u + v) − y is −lam (v > 0) or lam (v < 0). For a class only its own entry
    moves, by (log((1 − lam) / lam) − (u_y − logsumexp_{c ≠ y} u_c))₊.
    """
    exact = u.to(real_type(u))
    price = tensor_of(of_each(lam, exact), exact.dtype, u.device)
    price = price.clamp(min=torch.finfo(exact.dtype).tiny)
    if y.is_floating_point():
        return _soft_l1(exact, y.to(exact.dtype), price).to(u.dtype)
    label = y[:, None]
    others = exact.scatter(1, label, -torch.inf).logsumexp(1, keepdim=True)
    room = _log((1 - price) / price)
    moved = (room - exact.gather(1, label) + others).clamp(min=0)
    return torch.zeros_like(exact).scatter(1, label, moved).to(u.dtype)


def _soft_l1(u: Tensor, y: Tensor, price: Tensor) -> Tensor:
    """With s the logsumexp of u + v, the prediction is exp(u − s) clipped to y ± price; it sums to one."""
    low, high = (y - price).clamp(min=0), y + price
    low_log, high_log = _log(low), high.log()
    left, right = _bracket(lambda s: (u - s).exp().clamp(low, high).sum(1), [u - low_log, u - high_log])
    at_low, at_high = u - low_log <= left, u - high_log >= right
    constant = torch.where(at_low, low, torch.where(at_high, high, 0.0)).sum(1, keepdim=True)
    s = _logsumexp(u, ~(at_low | at_high), constant, left, right)
    return (u - s).clamp(low_log, high_log) - (u - s)


def cross_entropy_linf(u: Tensor, y: Tensor, radius: Number, maximize: bool) -> Tensor:
    """The v with every |v_c| ≤ radius that makes CE(u + v, y) smallest or largest; y as before.

    For a class: the radius at its entry and minus the radius elsewhere, or the reverse. For distributions the
    smallest is exact: softmax(u + v) = y where the radius allows it. The largest is the best of the corners
    along the order of softmax(u) / y: exact if all classes but the largest of y have the same mass.
    """
    exact = u.to(real_type(u))
    reach = tensor_of(of_each(positive(radius), exact), exact.dtype, u.device)
    if not y.is_floating_point():
        sign = 2 * functional.one_hot(y, u.shape[1]).to(exact.dtype) - 1
        return (reach * (-sign if maximize else sign)).to(u.dtype)
    solve = _worst_corner if maximize else _soft_linf
    return solve(exact, y.to(exact.dtype), reach).to(u.dtype)


def _soft_linf(u: Tensor, y: Tensor, reach: Tensor) -> Tensor:
    """With s the logsumexp of u + v, v is log y + s − u clipped; the predictions sum to one."""
    wanted = _log(y)
    lower, upper = u - reach, u + reach
    enter, leave = (
        lower - wanted,
        upper - wanted,
    )  # the s at which an entry leaves the lower limit for the upper
    left, right = _bracket(lambda s: y.clamp((lower - s).exp(), (upper - s).exp()).sum(1), [enter, leave])
    at_lower, at_upper = enter >= right, leave <= left
    constant = torch.where(at_lower | at_upper, 0.0, y).sum(1, keepdim=True)
    s = _logsumexp(torch.where(at_lower, lower, upper), at_lower | at_upper, constant, left, right)
    # where softmax(u + v) = y is in reach many s give it, and rounding alone would choose
    least, most = enter.amax(1, keepdim=True), leave.amin(1, keepdim=True)
    s = torch.where(least <= most, u.logsumexp(1, keepdim=True).clamp(least, most), s)
    return (wanted + s - u).clamp(-reach, reach)


def _log(values: Tensor) -> Tensor:
    """The logarithm, minus infinity for what is not positive, and without a slope there."""
    return torch.where(values > 0, values.clamp(min=torch.finfo(values.dtype).tiny).log(), -torch.inf)


def _bracket(total: Callable[[Tensor], Tensor], breaks: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The neighbouring breaks between which a total that falls with s comes down to one."""
    rows = torch.cat(breaks, 1).sort(1).values
    rounding = breaks[0].shape[1] * torch.finfo(rows.dtype).eps  # a total may stay at one for a while
    first = torch.zeros_like(rows[:, :1], dtype=torch.int64)
    last = torch.full_like(first, rows.shape[1])
    for _ in range(rows.shape[1].bit_length()):
        middle = (first + last) // 2
        above = total(rows.gather(1, middle.clamp(max=rows.shape[1] - 1)))[:, None] > 1 + rounding
        above = above & (first < last)
        first, last = torch.where(above, middle + 1, first), torch.where(above, last, middle)
    wide = functional.pad(functional.pad(rows, (1, 0), value=-torch.inf), (0, 1), value=torch.inf)
    return wide.gather(1, first), wide.gather(1, first + 1)


def _logsumexp(values: Tensor, moving: Tensor, constant: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """The s between two breaks at which Σ exp(values − s) over the moving entries, and a constant, are one.

    Where no entry moves every s between the breaks will do.
    """
    still = ~moving.any(1, keepdim=True)
    rest = torch.where(still, 1.0, 1 - constant).clamp(min=torch.finfo(values.dtype).tiny)
    s = values.masked_fill(~(moving | still), -torch.inf).logsumexp(1, keepdim=True) - rest.log()
    return s.clamp(left, right)


def _worst_corner(u: Tensor, y: Tensor, reach: Tensor) -> Tensor:
    """The corner where log Σ exp(u + v) − y · v is largest, among those that raise the first by p / y."""
    p, label = u.softmax(1), y.argmax(1, keepdim=True)
    ratio = (u - _log(y)).clamp(max=torch.finfo(u.dtype).max).scatter(1, label, torch.inf)
    order = ratio.argsort(
        1, descending=True
    )  # the label first, so that every corner is had with it and without
    floor = 1 / torch.expm1(2 * reach)
    mass, price = p.gather(1, order).cumsum(1), 2 * reach * y.gather(1, order).cumsum(1)
    with_label = (floor + mass).log() - price
    without = (floor + mass - mass[:, :1]).log() - price + price[:, :1]
    best = torch.cat([with_label, without], 1).argmax(1, keepdim=True)
    rank = torch.zeros_like(order).scatter(
        1, order, torch.arange(u.shape[1], device=u.device).expand_as(order)
    )
    raised = (rank <= best % u.shape[1]) & ((rank > 0) | (best < u.shape[1]))
    return torch.where(raised, reach, -reach)
