"""Heads: from the last features to logits."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn
from torch.nn import functional


class CosineHead(nn.Module):
    """Logits that are scaled cosines of the features and each class's vector."""

    def __init__(self, weight: nn.Parameter, scale: float) -> None:
        super().__init__()
        self.weight = weight
        self.scale = scale
        self.out_features, self.in_features = weight.shape

    def forward(self, z: Tensor) -> Tensor:
        """The logits."""
        return self.scale * functional.linear(functional.normalize(z), functional.normalize(self.weight))


def with_cosine_head(model: nn.Module, head: nn.Module, scale: float) -> CosineHead:
    """Put a cosine head in the place of a model's linear one; it goes on with the same weight."""
    if isinstance(head, CosineHead):
        head.scale = scale
        return head
    made = CosineHead(cast(nn.Parameter, head.weight), scale)
    for module in model.modules():
        for name, child in module.named_children():
            if child is head:
                setattr(module, name, made)
    return made
