"""How a batch is shown once: augmented, and in as many views as its method asks for."""

from __future__ import annotations

from torch import Generator, Tensor

from taxo.training.augment import augmented
from taxo.training.views import views


class Showing:
    """What is drawn for a batch: equal seeds show equal batches equally, from `begin` on."""

    def __init__(self, kind: str, count: int, seed: int, data: str = "") -> None:
        self.data = data
        self.kind = kind
        self.count = count
        self.seed = seed
        self._dice: Generator | None = None

    def begin(self) -> None:
        """Draw from the start again: a batch that is seen several times is shown as it was."""
        self._dice = None

    def __call__(self, x: Tensor) -> Tensor | list[Tensor]:
        """The inputs as they are shown."""
        if self.kind == "none" and self.count == 1:
            return x
        if self._dice is None:
            self._dice = Generator().manual_seed(self.seed)
        return views(augmented(x, self.kind, self._dice, self.data), self.count, self._dice)
