"""Second norms: a set of batch norms of its own for a branch, in the place of the model's."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import cast

from torch import Tensor, nn

from taxo.runtime.hooks import Norm


class Auxiliary(nn.Module):
    """Copies of a model's batch norms; while they are `instead`, passes take them for the model's own."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        modules = cast("Iterator[tuple[str, nn.Module]]", model.named_modules())
        found = {name: module for name, module in modules if isinstance(module, Norm)}
        self.names = list(found)
        self.norms = nn.ModuleList(deepcopy(module) for module in found.values())
        self.active = False
        self.there: dict[str, Tensor] = {}  # parameters that stand for its own

    @contextmanager
    def instead(self) -> Generator[None]:
        """Passes with the second norms."""
        before, self.active = self.active, True
        try:
            yield
        finally:
            self.active = before

    def present(self) -> dict[str, Tensor]:
        """What takes the place of the model's parameters and buffers now."""
        return {**dict(self._tensors()), **self.there} if self.active else {}

    def weights(self) -> dict[str, Tensor]:
        """The trainable parameters, by the names of the model's own."""
        return {name: one for name, one in self._tensors() if one.requires_grad}

    def is_at_home(self) -> bool:
        """Whether nothing stands for its own parameters."""
        own = self.weights()
        return all(weight is own[name] for name, weight in self.there.items())

    @contextmanager
    def at(self, weights: dict[str, Tensor]) -> Generator[None]:
        """Passes with other parameters, as virtual steps leave them."""
        before, self.there = self.there, weights
        try:
            yield
        finally:
            self.there = before

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for owner, norm in zip(self.names, self.norms, strict=True):
            for name, value in (*norm.named_parameters(), *norm.named_buffers()):
                yield f"{owner}.{name}", value
