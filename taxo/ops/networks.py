"""The small networks that a method learns beside the model."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional


class Mlp(nn.Module):
    """A network of one hidden layer; its weights are buffers, which no optimizer of the model finds."""

    def __init__(self, inputs: int, hidden: int, outputs: int, seed: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        for name, before, after in (("hidden", inputs, hidden), ("output", hidden, outputs)):
            bound = before**-0.5
            weight, bias = torch.empty(after, before), torch.empty(after)
            self.register_buffer(f"{name}_weight", weight.uniform_(-bound, bound, generator=generator))
            self.register_buffer(f"{name}_bias", bias.uniform_(-bound, bound, generator=generator))

    def forward(self, *columns: Tensor | float) -> Tensor:
        """The network's values, of numbers or of one number per sample."""
        return self.with_weights(self.weights(), *columns)

    def with_weights(self, weights: Mapping[str, Tensor], *columns: Tensor | float) -> Tensor:
        """The values that the network would have with other weights."""
        like = weights["hidden_weight"]
        sides = [one.to(like.dtype) if isinstance(one, Tensor) else like.new_full((), one) for one in columns]
        whole = max(sides, key=Tensor.dim)
        rows = torch.stack([side.expand_as(whole) for side in sides], -1)
        inner = functional.linear(rows, like, weights["hidden_bias"]).relu()
        values = functional.linear(inner, weights["output_weight"], weights["output_bias"])
        return values.squeeze(-1) if values.shape[-1] == 1 else values

    def weights(self) -> dict[str, Tensor]:
        """The weights, by name."""
        return dict(self.named_buffers())

    def leaves(self) -> dict[str, Tensor]:
        """The weights as leaves that gradients reach."""
        return {name: weight.detach().clone().requires_grad_() for name, weight in self.weights().items()}

    @torch.no_grad()
    def move(self, new: Mapping[str, Tensor]) -> None:
        """Take the values of other weights."""
        for name, weight in self.weights().items():
            weight.copy_(new[name])
