"""The functions of inputs and feature vectors: warps, lengths after clipping, dimensions, cosines."""

from __future__ import annotations

import torch
from torch import Tensor

from taxo.ops.forms import filled, product, real_type
from taxo.ops.norms import norm, per_row


def warp(x: Tensor, motion: Tensor) -> Tensor:
    """Pictures read `motion` pixels (down, right) before each of theirs, between pixels by distance.

    Beyond the border the nearest pixel is read. Where a motion is whole, as zero is, the values have a kink;
    the slope there is the mean of those on both sides, so that none of two opposite ways is preferred.
    """
    kind = torch.promote_types(real_type(motion), x.dtype)
    away, picture = -motion.to(kind).expand(len(x), -1, -1, -1), x.to(kind)
    found = _between(picture, away, away.detach().floor())
    if away.requires_grad:
        found = (found + _between(picture, away, away.detach().ceil() - 1)) / 2
    return found.to(x.dtype)


def _between(picture: Tensor, away: Tensor, whole: Tensor) -> Tensor:
    """What is read some way off; its whole part is apart, so that no digit of the rest is lost far away."""
    height, width = picture.shape[-2:]
    share = (away - whole)[:, :, None]
    down = torch.arange(height, device=away.device)[:, None] + whole[:, 0].long()
    right = torch.arange(width, device=away.device) + whole[:, 1].long()
    sides = [
        torch.lerp(_read(picture, down, column), _read(picture, down + 1, column), share[:, 0])
        for column in (right, right + 1)
    ]
    return torch.lerp(sides[0], sides[1], share[:, 1])


def _read(x: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """The pixel of each row and column, or the nearest one at the border."""
    height, width = x.shape[-2:]
    place = row.clamp(0, height - 1) * width + column.clamp(0, width - 1)
    flat = place.flatten(1)[:, None].expand(-1, x.shape[1], -1)
    return x.flatten(2).gather(2, flat).view_as(x)


@torch.no_grad()
def lid(z: Tensor, k: float) -> Tensor:
    """The local intrinsic dimension over the k nearest in the batch, the mean of the likeliest ones.

    A sample whose neighbours are all at one distance says nothing about it and is left out.
    """
    rows = per_row(z).to(real_type(z))
    count = int(min(k, len(rows) - 1))
    if count < 1:
        return rows.new_zeros(())
    # the faster way by products loses the small distances
    apart = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").fill_diagonal_(torch.inf)
    near = apart.topk(count, largest=False).values
    furthest, eps = near[:, -1:], torch.finfo(rows.dtype).eps
    share = torch.where(furthest > 0, near / furthest, 1).clamp(min=eps)
    fall = -share.log().mean(1)
    known = fall > eps
    return torch.where(known, 1 / fall, 0).sum() / known.sum().clamp(min=1)


def reach(x: Tensor, v: Tensor, k: Tensor | float) -> Tensor:
    """The step along v that is k long once the input in [0, 1] is clipped, or as long as can be.

    A coordinate goes along until its breakpoint, where it has used up its room. Once those with the
    least breakpoints have stopped, what is missing in length is up to the others.
    """
    kind = real_type(x)
    start, way = per_row(x).to(kind), per_row(v).to(kind)
    room = torch.where(way > 0, 1 - start, torch.where(way < 0, start, 0)).clamp(min=0)
    stop = torch.where(way != 0, room / torch.where(way != 0, way, 1).abs(), 0)
    stop, order = stop.sort(1)
    used = room.square().gather(1, order).cumsum(1)
    going = way.square().gather(1, order).flip(1).cumsum(1).flip(1)
    length = filled(k, start[:, 0]).to(kind).clamp(min=0).square()[:, None]
    scale = _scale(stop, used, going, length)
    return ((start + scale * way).clamp(0, 1) - start).reshape(x.shape).to(x.dtype)


def _scale(stop: Tensor, used: Tensor, going: Tensor, length: Tensor) -> Tensor:
    """How often v is taken: `used` is the squared length up to and with a stop, `going` from it on."""
    zero = torch.zeros_like(used[:, :1])
    before, after = torch.cat([zero, used], 1), torch.cat([going, zero], 1)
    passed = (used + stop.square() * after[:, 1:] <= length).sum(1, keepdim=True)
    missing, rest = length - before.gather(1, passed), after.gather(1, passed)
    moves = (missing > 0) & (rest > 0)
    scale = torch.where(moves, torch.where(moves, missing / torch.where(moves, rest, 1), 1).sqrt(), 0)
    last = stop[:, -1:]
    return torch.where(rest > 0, torch.minimum(scale, last), last)


def cosine(z: Tensor, V: Tensor) -> Tensor:
    """The cosine of each feature vector and those of each class, the mean of several; of zero, zero."""
    if V.dim() < 2:  # nothing is known of the classes yet
        return z.new_zeros(len(z), 1)
    ways = _unit(V)
    return product(_unit(z), (ways.mean(1) if V.dim() == 3 else ways).T)


def _unit(vectors: Tensor) -> Tensor:
    length = norm(vectors, -1)[..., None]
    return vectors / torch.where(length > 0, length, 1)
