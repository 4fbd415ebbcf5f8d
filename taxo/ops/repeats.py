"""Batches in which a sample of the data set occurs more than once, without a look at the numbers."""

from __future__ import annotations

import torch
from torch import Tensor


def groups_of(index: Tensor) -> Tensor:
    """A number below the batch's size for each row, the same for rows of the same sample."""
    return torch.searchsorted(index.sort().values, index)


def over_repeats(groups: Tensor, rows: Tensor) -> Tensor:
    """Each row replaced by the sum over the rows of its group."""
    return torch.zeros_like(rows).index_add_(0, groups, rows)[groups]


def last_of_repeats(index: Tensor) -> Tensor:
    """For each row the place of the last one of the same sample: which of them is written is no accident."""
    groups = groups_of(index)
    places = torch.arange(len(index), device=index.device)
    return torch.zeros_like(places).scatter_reduce_(0, groups, places, "amax")[groups]
