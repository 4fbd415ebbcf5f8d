"""Modules that learn the shape of what they keep from the first batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from taxo.ops.memory import check_fits


class Lazy(nn.Module):
    """A module whose buffers get their shape from what it is first fed, or from what was saved.

    `length` is the size of their first axis where it is known: a buffer of another one is not taken. If they
    are not `typed`, their type too is that of what comes first.
    """

    typed = False

    def __init__(self, length: int | None) -> None:
        super().__init__()
        self.length = length

    def add_empty(self, *names: str) -> None:
        """Register buffers that have no shape yet."""
        for name in names:
            self.register_buffer(name, torch.empty(0))

    def is_shaped(self, name: str) -> bool:
        """Whether a buffer has its shape."""
        return getattr(self, name).shape != (0,)

    def fill(
        self,
        name: str,
        shape: tuple[int, ...],
        start: float | Tensor,
        dtype: torch.dtype,
        device: torch.device,
    ) -> Tensor:
        """Give a buffer its shape, and its first value in every row."""
        check_fits(torch.Size(shape).numel() * dtype.itemsize, device, f"{list(shape)} values")
        full = torch.zeros(shape, dtype=dtype, device=device)
        if isinstance(start, Tensor):
            full.copy_(start.expand(shape))
        elif start:
            full.fill_(start)
        setattr(self, name, full)
        return full

    def takes(self, saved: Tensor) -> bool:
        """Whether a saved buffer can be one of this module's."""
        return saved.shape == (0,) or self.length in (None, len(saved))

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Tensor],
        prefix: str,
        local_metadata: dict[str, object],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        for name, own in list(self.named_buffers(recurse=False)):
            saved = state_dict.get(prefix + name)
            if saved is not None and saved.shape != own.shape and self.takes(saved):
                dtype = own.dtype if self.typed or self.is_shaped(name) else saved.dtype
                setattr(self, name, torch.empty(saved.shape, dtype=dtype, device=own.device))
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
