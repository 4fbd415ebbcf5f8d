"""What a perturbation did in a step, as numbers to watch."""

from __future__ import annotations

import torch
from torch import Tensor

from taxo.ops.norms import norm_of_all, norm_per_sample

Delta = Tensor | dict[str, Tensor]


def measure(delta: Delta) -> dict[str, float]:
    """The share of samples that a perturbation moved, and its mean Euclidean size on those."""
    if isinstance(delta, dict):
        size = float(norm_of_all(list(delta.values())))
        return {"fired": float(size > 0), "size": size}
    sizes = norm_per_sample(delta)
    count = int((sizes > 0).sum())
    return {"fired": count / max(len(sizes), 1), "size": float(sizes.sum()) / max(count, 1)}


def joined(parts: list[dict[str, Delta]]) -> dict[str, Delta]:
    """The perturbations of a batch's parts as those of the batch.

    Of the weights, and of a place that is another one in each part, they are the last part's.
    """
    found: dict[str, Delta] = {}
    if not parts:
        return found
    for name, last in parts[-1].items():
        rows = [delta for part in parts if isinstance(delta := part.get(name), Tensor)]
        alike = len({delta.shape[1:] for delta in rows}) == 1
        found[name] = torch.cat(rows) if alike else last
    return found
