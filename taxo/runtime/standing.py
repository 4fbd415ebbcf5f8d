"""Whether all that a recorded step reads and writes still lies where it lay."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from torch import Tensor, nn


class Standing:
    """The tensors, modes and trained parts of some modules as they are now."""

    def __init__(self, modules: list[nn.Module]) -> None:
        self._kept = [one for module in modules for one in _kept(module)]
        self._places = [_place(one) for _, _, one in self._kept]
        self._modes = [(module, module.training) for module in modules]

    def holds(self) -> bool:
        """Whether that is so still; nothing waits for the device."""
        for (owner, name, one), place in zip(self._kept, self._places, strict=True):
            if owner.get(name) is not one or _place(one) != place:
                return False
        return all(module.training is mode for module, mode in self._modes)


def _kept(module: nn.Module) -> Iterator[tuple[dict[str, Tensor | None], str, Tensor]]:
    own = (module._parameters, module._buffers)  # pyright: ignore[reportPrivateUsage]
    for owner in cast("tuple[dict[str, Tensor | None], ...]", own):
        yield from ((owner, name, one) for name, one in owner.items() if one is not None)


def _place(one: Tensor) -> tuple[int, bool]:
    return (one.data_ptr() if one.is_cuda else 0), one.requires_grad
