"""What a step needs that perturbs by inputs which a module from outside makes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

import torch
from torch import Tensor, nn

from taxo.language.errors import fail
from taxo.ops.makers import Maker
from taxo.runtime.ahead import Ahead
from taxo.runtime.given import Given


class Making(Ahead):
    """The made inputs, and when their maker may be moved."""

    maker: Maker

    def __init__(self, model: nn.Module, **given: Unpack[Given]) -> None:
        super().__init__(model, **given)
        self._generator = (given.get("generator"),)  # in a tuple: not a part of this module

    def take_generator(self, momentum: bool = False) -> None:
        """Expect a module that makes inputs."""
        (module,) = self._generator
        assert module is not None
        self.maker = Maker(module, momentum)

    def others(self) -> Iterator[nn.Module]:
        """The modules that a step calls and that are not parts of it."""
        if self.teaching is not None:
            yield self.teaching[0]
        yield from (part.module for part in self.children() if isinstance(part, Maker))

    def finds(self) -> bool:
        """Whether a module may be moved now: in training, and with gradients."""
        return self.training and not self.quiet and torch.is_grad_enabled()

    def generated(self, x: Tensor) -> Tensor:
        """What the module makes of standard normal noise like an input, the same for a whole step."""
        # no draw of a spec has that name
        noise = self.once("noise of the generator", lambda like: self.noise.normal(0, 1, like), x)
        made = self.maker(noise)
        if made.shape != x.shape:
            hint = "give a module that makes of noise in the shape of the inputs what has that shape too"
            fail("T405", f"the generator returned {list(made.shape)}, not {list(x.shape)}", None, hint)
        return made.to(x.dtype)
