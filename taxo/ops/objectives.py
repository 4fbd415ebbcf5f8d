"""The base objectives: logits and labels to one loss per sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CrossEntropy(nn.Module):
    """The cross entropy of each sample; labels are classes or distributions."""

    def forward(self, u: Tensor, y: Tensor) -> Tensor:
        """The loss of each sample."""
        if y.is_floating_point():
            u = u.to(
                torch.promote_types(u.dtype, y.dtype)
            )  # torch asks for one type, and labels are the finer
        return functional.cross_entropy(u, y, reduction="none")
