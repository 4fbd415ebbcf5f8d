"""The order of the samples, epoch by epoch, with a generator of its own so that it can be resumed."""

from __future__ import annotations

import torch
from torch import Tensor

from taxo.training import seeds


class Order:
    """Draws one permutation per epoch and remembers the state before the current draw."""

    def __init__(self, samples: int, seed: int) -> None:
        self.samples = samples
        self.generator = seeds.generator(seed, "order")
        self.state = self.generator.get_state()

    def draw(self) -> Tensor:
        """The order of the next epoch; `state` then draws the same one again."""
        self.state = self.generator.get_state()
        return torch.randperm(self.samples, generator=self.generator)

    def rewind(self, state: Tensor) -> None:
        """Go back to a remembered state."""
        self.generator.set_state(state)
        self.state = state
