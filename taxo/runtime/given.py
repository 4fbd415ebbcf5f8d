"""What a step is given, and how far its run is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NotRequired, Required, TypedDict

from torch import Tensor, nn

from taxo.runtime.compiled import Options

Validation = Iterable[Sequence[Tensor]]
Corruption = Callable[[Tensor, str, int], Tensor]


@dataclass
class Now:
    """The time of a run: finished epochs and steps, and the epochs that there will be."""

    epoch: int
    epochs: int
    step: int

    @property
    def progress(self) -> float:
        """The finished share of the run."""
        return self.epoch / self.epochs


class Outside(TypedDict, total=False):
    """What a step may be given besides its model and what is known of the data."""

    head: nn.Module | None
    teacher: nn.Module | None
    generator: nn.Module | None
    prior: Sequence[float] | Tensor | None
    corruption: Corruption | None
    torch_compile: Options | None
    validation: Validation | None


class Given(Outside):
    """What a step is made with besides its model."""

    classes: Required[int]
    samples: NotRequired[int | None]
    class_counts: NotRequired[Sequence[int] | None]
    seed: NotRequired[int]
