"""What a step remembers: tables of learned unknowns, and the random numbers it draws."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Table(nn.Module):
    """One learned value per sample of the data set; only the rows of the batch are touched."""

    value: Tensor
    velocity: Tensor

    def __init__(self, samples: int, shape: tuple[int, ...], like: Tensor) -> None:
        super().__init__()
        rows = torch.zeros(samples, *shape, dtype=like.dtype, device=like.device)
        self.register_buffer("value", rows)
        self.register_buffer("velocity", rows.clone())

    def rows(self, index: Tensor) -> Tensor:
        """The rows of a batch, as a leaf that gradients reach."""
        return self.value[index].requires_grad_()

    @torch.no_grad()
    def descend(
        self, loss: Tensor, rows: Tensor, index: Tensor, lr: float | Tensor, momentum: float, dense: bool
    ) -> None:
        """Take one momentum step on the rows of the batch; `dense` lets the momentum of the others run on."""
        (slopes,) = torch.autograd.grad(loss, rows, retain_graph=True)
        if dense:
            self.velocity.mul_(momentum).index_add_(0, index, slopes)
            self.value.sub_(lr * self.velocity)
            return
        velocity = momentum * self.velocity[index] + slopes
        self.velocity.index_copy_(0, index, velocity)
        self.value.index_copy_(0, index, rows.detach() - lr * velocity)


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

    def normal(self, mean: float, deviation: float, like: Tensor) -> Tensor:
        """Normal numbers in the shape of `like`."""
        return torch.empty_like(like).normal_(generator=self.generator(like.device)) * deviation + mean

    def uniform(self, low: float, high: float, like: Tensor) -> Tensor:
        """Uniform numbers in the shape of `like`."""
        return torch.empty_like(like).uniform_(generator=self.generator(like.device)) * (high - low) + low

    def per_sample(self, x: Tensor) -> Tensor:
        """The shape of one number per sample of a batch."""
        return x.new_empty(len(x))

    def state(self) -> Tensor:
        """Where the generator stands; empty before the first draw."""
        if self._generator is not None:
            return self._generator.get_state()
        return torch.empty(0, dtype=torch.uint8) if self._pending is None else self._pending

    def restore(self, state: Tensor) -> None:
        """Go on where another generator stood."""
        self._pending = state.cpu() if state.numel() else None
        self._generator = None
