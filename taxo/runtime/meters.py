"""What a perturbation did in a step, as numbers to watch."""

from __future__ import annotations

import torch
from torch import Tensor

Delta = Tensor | dict[str, Tensor]


def measure(delta: Delta) -> dict[str, float]:
    """The share of samples that a perturbation moved, and its mean Euclidean size on those."""
    if isinstance(delta, dict):
        norm = float(torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(part) for part in delta.values()])))
        return {"fired": float(norm > 0), "size": norm}
    sizes = torch.linalg.vector_norm(delta.flatten(1) if delta.dim() > 1 else delta[:, None], dim=1)
    fired = sizes > 0
    count = int(fired.sum())
    return {"fired": count / max(len(sizes), 1), "size": float(sizes.sum()) / max(count, 1)}
