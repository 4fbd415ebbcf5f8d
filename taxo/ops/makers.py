"""A module from outside that makes inputs, and that a search moves."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from taxo.ops.guests import Guest
from taxo.ops.ranks import averaged


class Maker(Guest):
    """A user's own module, which is as its step is: training or not.

    What it makes is a constant, but for the passes of a search for it.
    """

    def __init__(self, module: nn.Module, momentum: bool = False) -> None:
        super().__init__(module, momentum)
        self._is_searched = False

    def forward(self, *inputs: Tensor | float) -> Tensor:
        """What the module makes of noise, in the mode of its step."""
        self.module.train(self.training)
        with torch.set_grad_enabled(self._is_searched or self.is_sought):
            return super().forward(*inputs)

    def search(
        self, objective: Callable[[], Tensor], steps: float, lr: float | Tensor, maximize: bool = False
    ) -> None:
        """Take plain gradient steps of the module's parameters down an objective, or up."""
        weights = [weight for weight in self.module.parameters() if weight.requires_grad]
        rate = lr if maximize else -lr
        with self._searched():
            for _ in range(int(steps)):
                goal = objective()
                if not weights or not goal.requires_grad:
                    return
                slopes = torch.autograd.grad(goal, weights, materialize_grads=True)
                with torch.no_grad():
                    for weight, slope in zip(weights, slopes, strict=True):
                        weight += rate * averaged(slope)

    @contextmanager
    def _searched(self) -> Generator[None]:
        """Passes in which a gradient reaches the module."""
        self._is_searched = True
        try:
            yield
        finally:
            self._is_searched = False
