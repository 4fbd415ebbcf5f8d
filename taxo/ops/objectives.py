"""The base objectives: logits and labels to one loss per sample."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from taxo.language.errors import fail
from taxo.ops.forms import distribution, margin, pick, real_type


class CrossEntropy(nn.Module):
    """The cross entropy of each sample; labels are classes or distributions."""

    def forward(self, u: Tensor, y: Tensor) -> Tensor:
        """The loss of each sample."""
        if y.is_floating_point():
            u = u.to(
                torch.promote_types(u.dtype, y.dtype)
            )  # torch asks for one type, and labels are the finer
        return functional.cross_entropy(u, y, reduction="none")


class BinaryCrossEntropies(nn.Module):
    """One binary cross entropy per class, summed."""

    def forward(self, u: Tensor, y: Tensor) -> Tensor:
        """The loss of each sample."""
        y = distribution(y, u.shape[-1], u)
        u = u.to(torch.promote_types(u.dtype, y.dtype))
        return functional.binary_cross_entropy_with_logits(u, y.to(u.dtype), reduction="none").sum(-1)


class Hinge(nn.Module):
    """How far the label's logit is from leading all others by a margin; softly, where a softness is given."""

    def __init__(self, margin: float | Tensor = 1.0, softness: float = 0.0) -> None:
        super().__init__()
        self.margin, self.softness = margin, softness

    def __getstate__(self) -> dict[str, object]:
        """A copy goes its own way: it has the value of a margin that is learned, not its graph."""
        margin = self.margin
        return {**vars(self), "margin": margin.detach() if isinstance(margin, Tensor) else margin}

    def forward(self, u: Tensor, y: Tensor) -> Tensor:
        """The loss of each sample; under soft labels the mean over them."""
        u = u.to(real_type(u))
        if not y.is_floating_point():
            return self._part(self.margin - margin(u, y))
        best = u.topk(2, dim=-1).values
        others = torch.where(u == best[:, :1], best[:, 1:], best[:, :1])
        return pick(self._part(self.margin - u + others), y)

    def _part(self, lacking: Tensor) -> Tensor:
        """What is positive of it."""
        if not self.softness:
            return lacking.clamp(min=0)
        return functional.softplus(lacking, beta=1 / self.softness)


class SquaredError(nn.Module):
    """The squared error, summed over the outputs."""

    def forward(self, u: Tensor, y: Tensor) -> Tensor:
        """The loss of each sample; classes as labels stand for rows of 0 and 1."""
        return (u - distribution(y, u.shape[-1], u)).square().sum(-1)


class NearestCentre(nn.Module):
    """The squared distance to the nearest centre; the model returns the negative ones to all.

    Softly, where a softness is given: other centres count by how near they are.
    """

    def __init__(self, softness: float = 0.0) -> None:
        super().__init__()
        self.softness = softness

    def forward(self, u: Tensor, y: Tensor) -> Tensor:
        """The loss of each sample; nobody asks for its label."""
        del y
        if not self.softness:
            return -u.amax(-1)
        return -self.softness * (u / self.softness).logsumexp(-1)


class NearestPoint(nn.Module):
    """The squared distance of each moved point to the nearest of those given as labels."""

    def forward(self, u: Tensor, y: Tensor) -> Tensor:
        """The loss of each point."""
        if y.dim() != 2 or not y.is_floating_point():
            fail(
                "T407",
                f"the labels are {list(y.shape)}, no points",
                None,
                "give the points that are to be met",
            )
        kind = torch.promote_types(u.dtype, y.dtype)
        return torch.cdist(u.to(kind), y.to(kind)).amin(1).square()


SOFTNESS = 0.1  # of a smooth hinge, beside a margin of 1


def smoothed(objective: nn.Module) -> nn.Module:
    """An objective that second derivatives say something of: a hinge softly bent, a centre softly chosen."""
    match objective:
        case Hinge():
            return Hinge(objective.margin, SOFTNESS)
        case NearestCentre():
            return NearestCentre(SOFTNESS)
        case _:
            return objective
