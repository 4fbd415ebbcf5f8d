"""A module from outside whose weights may be learned beside the model's."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from taxo.ops.networks import Leaf
from taxo.ops.ranks import averaged

VELOCITY = "velocity of "  # no attribute of a module has that in its name


class Guest(nn.Module):
    """A user's own module: saved with its step, but no optimizer of the step's parameters finds it.

    Its weights are constants, but for the passes `at` other ones.
    """

    def __init__(self, module: nn.Module, momentum: bool = False) -> None:
        super().__init__()
        self._own = (module,)  # in a tuple: its parameters are not this one's
        self._leaf: Leaf | None = None
        self.moment = object()  # another one whenever the weights are others
        for name, weight in self.weights().items() if momentum else ():
            self.register_buffer(velocity(name), torch.zeros_like(weight))

    @property
    def module(self) -> nn.Module:
        """The user's module."""
        return self._own[0]

    @property
    def is_sought(self) -> bool:
        """Whether gradients reach its weights now."""
        return self._leaf is not None

    def forward(self, *inputs: Tensor | float) -> Tensor:
        """What the module gives, with the weights of now."""
        return self.module(*inputs) if self._leaf is None else self._leaf(*inputs)

    def with_weights(self, weights: Mapping[str, Tensor], *inputs: Tensor | float) -> Tensor:
        """What the module would give with other weights."""
        return functional_call(self.module, dict(weights), inputs)

    def weights(self) -> dict[str, Tensor]:
        """The weights that learn, by name."""
        return {name: one.detach() for name, one in self.module.named_parameters() if one.requires_grad}

    def leaves(self) -> dict[str, Tensor]:
        """The weights as leaves that gradients reach."""
        return {name: weight.requires_grad_() for name, weight in self.weights().items()}

    def leaf(self) -> Leaf:
        """The module as leaves that gradients reach."""
        return Leaf(self)

    @contextmanager
    def at(self, leaf: Leaf) -> Generator[None]:
        """Passes with weights that gradients reach."""
        self._leaf, self.moment = leaf, object()
        try:
            yield
        finally:
            self._leaf, self.moment = None, object()

    @torch.no_grad()
    def move(self, new: Mapping[str, Tensor]) -> None:
        """Take the values of other weights."""
        for name, weight in self.weights().items():
            weight.copy_(new[name])
        self.moment = object()

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
        del index, dense  # a module is one value, and all of it moves
        own, new = dict(self.named_buffers()), dict[str, Tensor]()
        for name, weight in leaf.weights.items():
            step, kept = averaged(slopes[name]), own.get(velocity(name))
            if kept is not None:
                step = kept.copy_(momentum * kept + step)
            new[name] = weight.detach() - lr * step
        self.move(new)

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
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
        given = {name: one for name, one in state_dict.items() if name.startswith(prefix)}
        beside = {name: one for name, one in given.items() if name.startswith(f"{prefix}{VELOCITY}")}
        super()._load_from_state_dict(
            beside, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
        own = {name.removeprefix(prefix): one for name, one in given.items() if name not in beside}
        try:
            left = self.module.load_state_dict(own, strict=False)
        except RuntimeError as error:
            error_msgs.append(str(error))
            return
        self.moment = object()
        missing_keys += [f"{prefix}{name}" for name in cast("list[str]", left.missing_keys)]
        unexpected_keys += [f"{prefix}{name}" for name in cast("list[str]", left.unexpected_keys)]


def velocity(name: str) -> str:
    """The name of a weight's velocity: a buffer's has no dot."""
    return VELOCITY + name.replace(".", "/")
