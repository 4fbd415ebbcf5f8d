"""What the training room needs of a compiled step; `taxo.compile` gives one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from torch import Tensor, nn
from torch.optim import Optimizer


class Method(Protocol):
    """The checked specification; its string is its canonical text."""

    @property
    def name(self) -> str:
        """The method's name."""
        ...


class Plan(Protocol):
    """The passes of one step."""

    @property
    def forwards(self) -> float:
        """Forward passes per step."""
        ...

    @property
    def backwards(self) -> float:
        """Backward passes per step."""
        ...

    @property
    def cost(self) -> str:
        """The passes in a few characters."""
        ...


class Step(Protocol):
    """A method bound to a model: calling it gives the mean loss of a batch."""

    @property
    def model(self) -> nn.Module:
        """The model that is trained."""
        ...

    @property
    def method(self) -> Method:
        """The specification."""
        ...

    @property
    def plan(self) -> Plan:
        """The passes."""
        ...

    @property
    def source(self) -> str:
        """The program that runs."""
        ...

    def __call__(self, x: Tensor, y: Tensor, index: Tensor) -> Tensor:
        """The mean loss, differentiable."""
        ...

    def train(self, mode: bool = True) -> object:
        """Put the step into training mode."""
        ...

    def epochs(self, n: int, /) -> Iterator[int]:
        """The epochs still to do."""
        ...

    def attach(self, optimizer: Optimizer, /) -> object:
        """Let the method read the learning rate."""
        ...

    def predict(self, x: Tensor, /) -> Tensor:
        """Logits, as at evaluation."""
        ...

    def meters(self) -> Mapping[str, Mapping[str, float]]:
        """What each perturbation did in the last step."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """Weights, tables, counters and generator state."""
        ...

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> object:
        """Take a state back."""
        ...


class Compiler(Protocol):
    """What turns a method into a step, as `taxo.compile` does."""

    def __call__(
        self,
        method: str,
        model: nn.Module,
        *,
        classes: int,
        samples: int,
        class_counts: list[int],
        params: Mapping[str, float],
        seed: int,
    ) -> Step:
        """The step of a method."""
        ...


def compiler() -> Compiler:
    """The compiler that taxo ships, imported when a run needs it."""
    import taxo

    return taxo.compile
