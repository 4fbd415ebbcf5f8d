"""What a program knows of the time: how far the run is, and the learning rate."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from taxo.language.errors import fail
from taxo.ops.forms import real_type, tensor_of
from taxo.runtime.compiled import Options
from taxo.runtime.given import Now
from taxo.runtime.stage import Stage
from taxo.runtime.told import Say, Telling


class Clock(Stage):
    """The time, on the device to compute with and on the host to decide by."""

    epoch: Tensor
    planned: Tensor
    steps: Tensor

    def __init__(
        self,
        model: nn.Module,
        *,
        classes: int,
        seed: int = 0,
        head: nn.Module | None = None,
        torch_compile: Options | None = None,
    ) -> None:
        super().__init__(model, classes=classes, seed=seed, head=head, torch_compile=torch_compile)
        self._optimizer: torch.optim.Optimizer | None = None
        self._first_lr = 1.0
        self._now: Now | None = None
        self.telling: Telling | None = None  # while a step is recorded, or is about to be
        for name, count in (("epoch", 0), ("planned", 1), ("steps", 0)):
            self.register_buffer(name, torch.full((), count, dtype=torch.int64))

    @property
    def now(self) -> Now:
        """How far the run is, in Python's own numbers; only after a change of epoch a device is asked."""
        if self._now is None or self.epoch.device.type == "cpu":
            self._now = Now(int(self.epoch), int(self.planned), int(self.steps))
        return self._now

    def number(self, value: float | Tensor, like: Tensor) -> Tensor:
        """A value as a tensor."""
        return value if isinstance(value, Tensor) else tensor_of(value, real_type(like), like.device)

    def told(self, say: Say) -> tuple[Tensor | float, ...]:
        """What the host says at every step: a recorded one is told anew where it finds it."""
        return say() if self.telling is None else self.telling.hear(say)

    def tick(self) -> None:
        """Count a step in Python's own numbers, too."""
        if self._now is not None:
            self._now.step += 1

    def regime(self) -> tuple[bool, ...]:
        """What the host decides by the time: where that changes, so does the step; programs fill it in."""
        return ()

    @property
    def epochs_done(self) -> Tensor:
        """The number of finished epochs, to compute with."""
        return self.epoch.double()

    @property
    def epochs_planned(self) -> Tensor:
        """The number of epochs of the run, to compute with."""
        return self.planned.double()

    @property
    def steps_done(self) -> Tensor:
        """The number of finished steps, to compute with."""
        return self.steps.double()

    @property
    def progress(self) -> Tensor:
        """The finished share of the run."""
        return self.epochs_done / self.epochs_planned

    @property
    def lr(self) -> Tensor:
        """The learning rate of the attached optimizer, to compute with."""
        if self._optimizer is None:
            name = type(self).__name__
            fail("T401", f"`{name}` reads the learning rate", None, "call `step.attach(optimizer)` first")
        group = self._optimizer.param_groups[0]
        (rate,) = self.told(lambda: (group["lr"],))
        return self.number(rate, self.epochs_done)

    @property
    def lr0(self) -> Tensor:
        """The first learning rate of the attached optimizer, to compute with."""
        return self.lr if self._optimizer is None else self.number(self._first_lr, self.epochs_done)

    @property
    def schedule(self) -> float | Tensor:
        """The learning rate of the attached optimizer over its first one."""
        if self._optimizer is None:
            return 1.0
        group = self._optimizer.param_groups[0]
        return self.told(lambda: (group["lr"] / self._first_lr,))[0]
