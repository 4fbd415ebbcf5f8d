"""The random numbers that a step draws."""

from __future__ import annotations

import torch
from torch import Tensor


class Draws:
    """Random numbers from a generator of its own, so that a run can be repeated and resumed."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generator: torch.Generator | None = None
        self._pending: Tensor | None = None

    def generator(self, device: torch.device) -> torch.Generator:
        """The generator, made on the device of the first draw."""
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device).manual_seed(self.seed)
            if self._pending is not None:
                self._generator.set_state(self._pending)
                self._pending = None
        return self._generator

    def normal(self, mean: float | Tensor, deviation: float | Tensor, like: Tensor) -> Tensor:
        """Normal numbers in the shape of `like`."""
        drawn, generator = torch.empty_like(like), self.generator(like.device)
        if isinstance(mean, Tensor) or isinstance(deviation, Tensor):
            return drawn.normal_(generator=generator) * deviation + mean
        return drawn.normal_(mean, deviation, generator=generator)

    def uniform(self, low: float | Tensor, high: float | Tensor, like: Tensor) -> Tensor:
        """Uniform numbers in the shape of `like`."""
        drawn, generator = torch.empty_like(like), self.generator(like.device)
        if isinstance(low, Tensor) or isinstance(high, Tensor):
            return drawn.uniform_(generator=generator) * (high - low) + low
        return drawn.uniform_(low, high, generator=generator)

    def one(self, x: Tensor) -> Tensor:
        """The shape of one number per batch; of the default type where inputs are no real numbers."""
        return torch.empty((), dtype=x.dtype if x.is_floating_point() else None, device=x.device)

    def per_sample(self, x: Tensor) -> Tensor:
        """The shape of one number per sample of a batch."""
        return self.one(x).expand(len(x)).clone()

    def state(self) -> Tensor:
        """Where the generator stands; before the first draw, the seed."""
        if self._generator is not None:
            return self._generator.get_state()
        seed = torch.tensor([self.seed]).view(torch.uint8)
        return seed if self._pending is None else self._pending

    def restore(self, state: Tensor) -> None:
        """Go on where another generator stood."""
        self._generator = None
        if state.numel() == torch.int64.itemsize:
            self.seed, self._pending = int(state.cpu().view(torch.int64)), None
        else:
            self._pending = state.cpu()
