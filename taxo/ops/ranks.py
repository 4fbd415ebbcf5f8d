"""What the processes of a distributed run tell each other; with one process nothing happens."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, distributed


def world() -> int:
    """The number of processes."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_world_size()
    return 1


def rank() -> int:
    """The number of this process."""
    return distributed.get_rank() if world() > 1 else 0


def summed(value: Tensor) -> Tensor:
    """The sum over all processes."""
    if world() == 1:
        return value
    # not every backend adds half precision, and it would lose what is added
    total = value.detach().to(torch.promote_types(value.dtype, torch.float32), copy=True)
    distributed.all_reduce(total)  # pyright: ignore[reportUnknownMemberType]
    return total.to(value.dtype)


def averaged(value: Tensor) -> Tensor:
    """The mean over all processes."""
    return value if world() == 1 else summed(value) / world()


def averaged_all(parts: list[Tensor]) -> list[Tensor]:
    """The means over all processes of several tensors, which a gradient goes back through."""
    if world() == 1 or not parts:
        return parts
    whole = cast(Tensor, _Mean.apply(torch.cat([part.flatten() for part in parts])))
    cut: tuple[Tensor, ...] = torch.split(whole, [part.numel() for part in parts])
    return [one.view_as(part) for one, part in zip(cut, parts, strict=True)]


class _Mean(torch.autograd.Function):
    """The mean over all processes, whose gradient is the mean of the gradients."""

    @staticmethod
    def forward(ctx: object, value: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        del ctx
        return averaged(value)

    @staticmethod
    def backward(ctx: object, *slopes: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        del ctx
        return averaged(slopes[0])


def gathered(*parts: Tensor) -> list[Tensor]:
    """The rows of all processes, rank after rank, of tensors that have as many rows as each other.

    Batches may differ in size, so the processes wait for each other's: a synchronisation with the device.
    """
    if world() == 1:
        return list(parts)
    own = torch.tensor([len(parts[0])], device=parts[0].device)
    sizes = cast("list[int]", torch.cat(_from_all(own)).tolist())
    return [_gathered(part, sizes) for part in parts]


def _gathered(part: Tensor, sizes: list[int]) -> Tensor:
    padded = part.new_zeros((max(sizes), *part.shape[1:]))
    padded[: len(part)] = part.detach()
    # as bytes, because backends differ in the types they know
    content = _from_all(padded.flatten().view(torch.uint8))
    found = [one.view(part.dtype).view(padded.shape) for one in content]
    return torch.cat([one[:size] for one, size in zip(found, sizes, strict=True)])


def _from_all(value: Tensor) -> list[Tensor]:
    found = [torch.empty_like(value) for _ in range(world())]
    distributed.all_gather(found, value)  # pyright: ignore[reportUnknownMemberType]
    return found
