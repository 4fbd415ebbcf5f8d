"""Models whose weights are places in space: centres of clusters, and a rigid motion."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn


class Centres(nn.Module):
    """The negative squared distances of an input to its centres, which start at training samples.

    Each but the first is, of some drawn samples, the farthest from those before it, so that few start in
    one cluster.
    """

    def __init__(self, rows: Tensor, count: int, generator: Generator) -> None:
        super().__init__()
        rows = rows.flatten(1)
        chosen = [int(torch.randint(len(rows), (), generator=generator))]
        for _ in range(1, count):
            near = torch.cdist(rows, rows[chosen]).amin(1)
            drawn = torch.randint(len(rows), (max(8, len(rows) // 10),), generator=generator)
            chosen.append(int(drawn[near[drawn].argmax()]))
        self.places = nn.Parameter(rows[chosen].clone())

    def forward(self, x: Tensor) -> Tensor:
        """One column for each centre."""
        return -(x.flatten(1)[:, None] - self.places).square().sum(2)


class Rigid(nn.Module):
    """A rotation and a shift of points; rotations are exponentials of skew matrices, and start at none."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spin = nn.Parameter(torch.zeros(width, width))
        self.shift = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        """The moved points."""
        turn = (self.spin - self.spin.T).matrix_exp()
        return x @ turn.T + self.shift
