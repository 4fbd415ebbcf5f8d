"""Norms with torch's subgradients, under types that torch's stubs do not give."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor


def norm(e: Tensor, dim: int | None = None) -> Tensor:
    """The Euclidean norm along an axis, or of all entries; its gradient at zero is zero."""
    real = e if e.is_floating_point() else e.to(torch.get_default_dtype())
    return cast(Tensor, torch.linalg.vector_norm(real, dim=dim))  # pyright: ignore[reportUnknownArgumentType]


def norm_of_all(parts: list[Tensor]) -> Tensor:
    """The Euclidean norm of several tensors together."""
    return norm(torch.stack([norm(part) for part in parts]))


def per_row(e: Tensor) -> Tensor:
    """Each sample's part as a row."""
    return e.flatten(1) if e.dim() > 1 else e[:, None]


def norm_per_sample(e: Tensor) -> Tensor:
    """The Euclidean norm of each sample's part."""
    return norm(per_row(e), 1)
