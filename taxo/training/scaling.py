"""Losses scaled so that gradients of half precision do not vanish, where they might."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer


class Scaling:
    """Ordinary updates."""

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss that the backward pass begins at."""
        return loss

    def unscale(self, optimizer: Optimizer) -> None:
        """Bring gradients to their own scale."""

    def step(self, optimizer: Optimizer) -> None:
        """Update the weights."""
        optimizer.step()

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a checkpoint."""


class HalfScaling(Scaling):
    """A scale that grows until a gradient overflows; such an update is left out."""

    def __init__(self, device: torch.device) -> None:
        self.scaler = GradScaler(device.type)

    def scaled(self, loss: Tensor) -> Tensor:
        """The loss times the scale."""
        return self.scaler.scale(loss)

    def unscale(self, optimizer: Optimizer) -> None:
        """Divide the gradients by the scale."""
        self.scaler.unscale_(optimizer)

    def step(self, optimizer: Optimizer) -> None:
        """Update the weights, unless a gradient overflowed."""
        self.scaler.step(optimizer)
        self.scaler.update()

    def state(self) -> dict[str, Tensor]:
        """The scale, and for how long it has not changed."""
        known = cast("Mapping[str, float]", self.scaler.state_dict())
        return {name: torch.tensor(known[name], dtype=torch.float64) for name in _KEPT}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on with a saved scale."""
        known = cast("dict[str, float]", self.scaler.state_dict())
        saved = {"scale": float(state["scale"]), "_growth_tracker": int(state["_growth_tracker"])}
        self.scaler.load_state_dict(known | saved)


_KEPT = ("scale", "_growth_tracker")
