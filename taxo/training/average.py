"""Weights averaged over the updates of a run, which are measured and kept beside those that are trained."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class Average:
    """A moving average of a model's weights and running statistics; numbers that are whole are the latest.

    Early on it forgets faster, by (1 + n) / (10 + n) after n updates, so that it does not drag along the
    weights that the model began with.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = model
        self.decay = decay
        self.count = 0
        self.tensors = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights of the latest update."""
        decay = min(self.decay, (1 + self.count) / (10 + self.count))
        self.count += 1
        for name, value in self.model.state_dict().items():
            kept = self.tensors[name]
            if kept.is_floating_point():
                kept.lerp_(value, 1 - decay)
            else:
                kept.copy_(value)

    @contextmanager
    def in_place(self) -> Generator[None]:
        """The model with averaged weights."""
        trained = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.put()
        try:
            yield
        finally:
            self.model.load_state_dict(trained)

    def put(self) -> None:
        """Give the model the averaged weights for good."""
        self.model.load_state_dict(self.tensors)

    def state(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {"count": torch.tensor(self.count), **{f"of.{name}": t for name, t in self.tensors.items()}}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on from a checkpoint."""
        self.count = int(state["count"])
        for name, kept in self.tensors.items():
            kept.copy_(state[f"of.{name}"])


def averaged(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint's part; none where nothing was averaged."""
    return {name.removeprefix("of."): value for name, value in state.items() if name.startswith("of.")}
