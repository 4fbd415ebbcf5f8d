"""Unknowns of the training pass: the user's own backward brings their slope, the next step moves them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from taxo.ops.forms import per_sample
from taxo.ops.ranks import averaged
from taxo.ops.tables import Table

Goal = Callable[[Tensor], Tensor]
Update = Callable[[Tensor, Tensor], Tensor]


class Pending(Protocol):
    """What is still to move when the next step begins, or when this one is saved."""

    def apply(self) -> None:
        """Move it."""
        ...


@dataclass(eq=False)
class Following:
    """One unknown in one pass, waiting for its slope.

    The slope is that of the goal's mean over the batch, of the goal itself where each row has a value of its
    own; whatever the user scaled the loss with is taken out again.
    """

    done: list[Pending]
    scale: Tensor | None = None
    slope: Tensor | None = None
    finish: Callable[[Tensor], None] | None = field(default=None, repr=False)

    def traced(self, rows: Tensor, like: Tensor) -> Tensor:
        """The rows of the batch, whose slopes are weighed as they come back."""
        rows = rows.expand_as(like)
        if rows.requires_grad:
            rows.register_hook(self._weighed)
        return rows

    def follow(self, table: Table, unknown: Tensor, losses: Tensor, goal: Goal, update: Update) -> None:
        """Listen to the backward of a pass's losses."""
        alone = table.granule == "slot"
        with torch.enable_grad():
            values = losses.detach().requires_grad_()
            (factors,) = torch.autograd.grad(goal(values).sum(), values)

        def upstream(slopes: Tensor) -> None:
            counted = slopes * (1 if alone else len(slopes))
            self.scale = torch.where(slopes == 0, torch.zeros_like(factors), factors / counted)

        def arrived(slope: Tensor) -> None:
            if self.slope is None:
                self.done.append(self)
            self.slope = slope if self.slope is None else self.slope + slope

        def finish(slope: Tensor) -> None:
            shared = slope if alone else averaged(slope)
            table.keep(update(unknown.detach(), shared))

        losses.register_hook(upstream)
        unknown.register_hook(arrived)
        self.finish = finish

    def _weighed(self, slopes: Tensor) -> Tensor:
        return slopes if self.scale is None else slopes * per_sample(self.scale.to(slopes.dtype), slopes)

    def apply(self) -> None:
        """Move the unknown."""
        if self.finish is not None and self.slope is not None:
            self.finish(self.slope)
