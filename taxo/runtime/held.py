"""Batches of held-out data, one after another, over and over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor, nn

from taxo.language.errors import fail

Batch = Sequence[Tensor]


class HeldOut(nn.Module):
    """Held-out data as its user gives it: batches of inputs and labels, whatever else they have.

    How many have been taken is saved; a loader that gives them in one order goes on where it was.
    """

    def __init__(self, batches: Iterable[Batch]) -> None:
        super().__init__()
        if not isinstance(batches, Iterable) or isinstance(batches, Iterator):  # pyright: ignore[reportUnnecessaryIsInstance]
            message = f"`validation` is a `{type(batches).__name__}`"
            fail("T401", message, None, "give a list or a loader of batches, which can be gone through again")
        self._batches = batches
        self._taken = 0
        self._left: Iterator[Batch] | None = None

    def take(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """The next inputs, on the device and in the type of those that are trained on, and their labels."""
        batch = self._next()
        if not isinstance(batch, (list, tuple)) or len(batch) < 2:
            hint = "give batches of inputs and labels, `(x, y)`"
            fail("T401", f"a batch of `validation` is a `{type(batch).__name__}`", None, hint)
        self._taken += 1
        x, y = batch[0], batch[1]
        kind = like.dtype if x.is_floating_point() else x.dtype
        return x.to(like.device, kind), y.to(like.device)

    def _next(self) -> Batch:
        if self._left is None:
            self._left = self._from(self._taken)
        found = next(self._left, None)
        if found is None:
            self._left = iter(self._batches)
            found = next(self._left, None)
        if found is None:
            fail("T401", "`validation` gives no batch", None, "give at least one")
        return found

    def _from(self, taken: int) -> Iterator[Batch]:
        """The batches from a place on, counted over all rounds."""
        left = iter(self._batches)
        for _ in range(taken):
            if next(left, None) is None:
                left = iter(self._batches)
                next(left, None)
        return left

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_left": None}  # what goes through a loader cannot be copied

    def get_extra_state(self) -> Tensor:
        """How many batches have been taken."""
        return torch.tensor(self._taken)

    def set_extra_state(self, state: Tensor) -> None:
        """Go on behind so many batches."""
        self._taken, self._left = int(state), None
