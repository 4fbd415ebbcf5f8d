"""A module from outside that makes inputs, and that a search moves."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from taxo.ops.ranks import averaged


class Maker(nn.Module):
    """A user's own module: saved with its step, but no optimizer of the step's parameters finds it.

    What it makes is a constant, but for the passes of a search for it.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self._own = (module,)  # in a tuple: its parameters are not this one's
        self._is_sought = False

    @property
    def module(self) -> nn.Module:
        """The user's module."""
        return self._own[0]

    def forward(self, noise: Tensor) -> Tensor:
        """What the module makes of noise, in the mode of its step."""
        with torch.set_grad_enabled(self._is_sought):
            return self.module.train(self.training)(noise)

    def search(
        self, objective: Callable[[], Tensor], steps: float, lr: float | Tensor, maximize: bool = False
    ) -> None:
        """Take plain gradient steps of the module's parameters down an objective, or up."""
        weights = [weight for weight in self.module.parameters() if weight.requires_grad]
        rate = lr if maximize else -lr
        with self._sought():
            for _ in range(int(steps)):
                goal = objective()
                if not weights or not goal.requires_grad:
                    return
                slopes = torch.autograd.grad(goal, weights, materialize_grads=True)
                with torch.no_grad():
                    for weight, slope in zip(weights, slopes, strict=True):
                        weight += rate * averaged(slope)

    @contextmanager
    def _sought(self) -> Generator[None]:
        """Passes in which a gradient reaches the module."""
        self._is_sought = True
        try:
            yield
        finally:
            self._is_sought = False

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        self.module.state_dict(destination=destination, prefix=prefix, keep_vars=keep_vars)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        del local_metadata, strict
        own = {name.removeprefix(prefix): one for name, one in state_dict.items() if name.startswith(prefix)}
        try:
            left = self.module.load_state_dict(own, strict=False)
        except RuntimeError as error:
            error_msgs.append(str(error))
            return
        missing_keys += [f"{prefix}{name}" for name in cast("list[str]", left.missing_keys)]
        unexpected_keys += [f"{prefix}{name}" for name in cast("list[str]", left.unexpected_keys)]
