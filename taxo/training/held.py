"""The held-out samples of a run, as batches for methods that learn on them."""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor

from taxo.training import seeds
from taxo.training.data import Split
from taxo.training.settings import Settings


def held_batches(held: Split | None, settings: Settings) -> list[tuple[Tensor, Tensor]]:
    """Batches of about equal size, none larger than those that are trained on, in one order for the run."""
    if not held:
        return []
    order = torch.randperm(len(held), generator=seeds.generator(settings.seed, "held-out order"))
    rows = order.to(held.y.device).tensor_split(ceil(len(held) / settings.batch_size))
    return [(held.inputs[part], held.y[part]) for part in rows]
