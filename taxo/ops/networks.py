"""The small networks that a method learns beside the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from taxo.language.errors import fail
from taxo.ops.ranks import averaged


class Mlp(nn.Module):
    """A network of one hidden layer; its weights are buffers, which no optimizer of the model finds."""

    def __init__(self, inputs: int, hidden: int, outputs: int, seed: int) -> None:
        super().__init__()
        self.velocities: dict[str, str] = {}
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
        count = max((len(side) for side in sides if side.dim()), default=1)
        rows = torch.cat([side if side.dim() > 1 else side.expand(count)[:, None] for side in sides], -1)
        if rows.shape[-1] != like.shape[-1]:
            message = f"a network of {like.shape[-1]} numbers is given {rows.shape[-1]}"
            fail("T204", message, None, "a row of class values counts as many numbers as there are classes")
        inner = functional.linear(rows, like, weights["hidden_bias"]).relu()
        values = functional.linear(inner, weights["output_weight"], weights["output_bias"])
        values = values.squeeze(-1) if values.shape[-1] == 1 else values
        return values if any(side.dim() for side in sides) else values.squeeze(0)

    def weights(self) -> dict[str, Tensor]:
        """The weights, by name."""
        return {name: weight for name, weight in self.named_buffers() if name not in self.velocities}

    def leaves(self) -> dict[str, Tensor]:
        """The weights as leaves that gradients reach."""
        return {name: weight.detach().clone().requires_grad_() for name, weight in self.weights().items()}

    @torch.no_grad()
    def move(self, new: Mapping[str, Tensor]) -> None:
        """Take the values of other weights."""
        for name, weight in self.weights().items():
            weight.copy_(new[name])


class Network(Protocol):
    """What has weights, and values with others."""

    def leaves(self) -> dict[str, Tensor]:
        """The weights as leaves that gradients reach."""
        ...

    def with_weights(self, weights: Mapping[str, Tensor], *columns: Tensor | float) -> Tensor:
        """The values that it would have with other weights."""
        ...


class Leaf:
    """A network's weights as leaves, called like the network."""

    def __init__(self, network: Network) -> None:
        self.network = network
        self.weights = network.leaves()

    def __call__(self, *columns: Tensor | float) -> Tensor:
        """The network's values."""
        return self.network.with_weights(self.weights, *columns)


class Learner(Mlp):
    """A network that descends beside the model's weights."""

    def __init__(self, inputs: int, hidden: int, outputs: int, seed: int) -> None:
        super().__init__(inputs, hidden, outputs, seed)
        for name, weight in self.weights().items():
            self.velocities[f"velocity_of_{name}"] = name
            self.register_buffer(f"velocity_of_{name}", torch.zeros_like(weight))

    def leaf(self) -> Leaf:
        """The network as leaves that gradients reach."""
        return Leaf(self)

    def descend(
        self, loss: Tensor, leaf: Leaf, index: None, lr: float | Tensor, momentum: float, dense: bool
    ) -> None:
        """Take one momentum step down a loss; a negative `lr` climbs."""
        if not loss.requires_grad:
            return
        slopes = torch.autograd.grad(
            loss, list(leaf.weights.values()), retain_graph=True, materialize_grads=True
        )
        self.descend_by(dict(zip(leaf.weights, slopes, strict=True)), leaf, index, lr, momentum, dense)

    def descend_by(
        self,
        slopes: Mapping[str, Tensor],
        leaf: Leaf,
        index: None,
        lr: float | Tensor,
        momentum: float,
        dense: bool,
    ) -> None:
        """Take one momentum step along slopes; a negative `lr` climbs."""
        del index, dense  # a network is one value, and all of it moves
        for velocity, name in self.velocities.items():
            step = momentum * self.get_buffer(velocity) + averaged(slopes[name])
            self.get_buffer(velocity).copy_(step)
            self.get_buffer(name).copy_(leaf.weights[name].detach() - lr * step)
