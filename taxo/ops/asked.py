"""What a backward pass under way is asked for, for operations that bring a backward of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, overload

import torch
from torch import Tensor
from torch.autograd.graph import Node

Part = Tensor | None


class Context(Protocol):
    """What torch lends the two directions of an operation."""

    saved_tensors: tuple[Tensor, ...]
    next_functions: tuple[tuple[Node | None, int], ...]

    def save_for_backward(self, *tensors: Part) -> None:
        """Keep what the backward pass reads."""
        ...

    def set_materialize_grads(self, value: bool) -> None:
        """Whether a slope that is zero comes as a tensor."""
        ...


@overload
def opened(part: Tensor) -> Tensor: ...
@overload
def opened(part: Part) -> Part: ...
def opened(part: Part) -> Part:
    """A part as no leaf: of a leaf torch does not say whether its slope is asked for."""
    return part.view_as(part) if part is not None and part.requires_grad and part.is_leaf else part


def total(parts: Sequence[Part]) -> Part:
    """The sum of those parts that are there; none if none is."""
    found = [part for part in parts if part is not None]
    return sum(found[1:], found[0]) if found else None


def narrowed(kind: str) -> torch.dtype | None:
    """The type to which autocast narrows what is computed on a kind of device; none where it does not."""
    on = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return torch.get_autocast_dtype(kind) if on else None


def asked(ctx: Context, of: int) -> tuple[bool, ...]:
    """Which slopes, of the tensors that an operation was given, the backward pass under way leads to."""
    leads_on = torch._C._will_engine_execute_node  # pyright: ignore[reportPrivateUsage]
    found = [node is not None and leads_on(node) for node, _ in ctx.next_functions]
    return *found, *[False] * (of - len(found))  # nothing is known of one that was not given
