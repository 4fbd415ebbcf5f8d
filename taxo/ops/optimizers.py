"""How what is learned by looking ahead moves, given its slopes: Adam, and steps that nothing remembers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from taxo.ops.guests import Guest
from taxo.ops.networks import Leaf, Learner
from taxo.ops.ranks import averaged, world
from taxo.ops.sets import Region, project_all
from taxo.ops.tables import Table

BETAS = (0.9, 0.999)
EPS = 1e-8
Rate = float | Tensor
Kept = Table | Learner | Guest


class Adam(nn.Module):
    """Adam's moments of a table, kept row by row as the table is, or of a network or a module."""

    def __init__(self, of: Kept) -> None:
        super().__init__()
        if isinstance(of, Table):
            self.moments = _Moments(of)
        else:
            corpora = {_key(name): _Moments(_alone(weight)) for name, weight in of.weights().items()}
            self.moments = nn.ModuleDict(corpora)

    @torch.no_grad()
    def descend_by(
        self,
        of: Kept,
        slopes: Tensor | Mapping[str, Tensor],
        now: Tensor | Leaf,
        index: Tensor | None,
        lr: Rate,
        within: Sequence[Region] = (),
    ) -> None:
        """Take one step along the slopes of what is kept; a negative `lr` climbs."""
        if isinstance(of, Table):
            assert isinstance(slopes, Tensor)
            assert isinstance(now, Tensor)
            step = cast(_Moments, self.moments).step(of.shared(slopes, index), index)
            of.keep(project_all([now.detach() - lr * step], within)[0], index)
            return
        assert isinstance(now, Leaf)
        assert not isinstance(slopes, Tensor)
        parts = cast(nn.ModuleDict, self.moments)
        of.move(
            {
                name: weight.detach()
                - lr * cast(_Moments, parts[_key(name)]).step(averaged(slopes[name])[None])[0]
                for name, weight in now.weights.items()
            }
        )


class _Moments(nn.Module):
    """The running means of slopes and of their squares, and of how many steps."""

    def __init__(self, of: Table) -> None:
        super().__init__()
        self.mean, self.square = of.alike(of.row_shape), of.alike(of.row_shape)
        self.count = of.alike(())

    def step(self, slope: Tensor, index: Tensor | None = None) -> Tensor:
        """The step that Adam takes along the slopes of some rows, for a rate of one."""
        first, second = BETAS
        mean = torch.lerp(slope, self.mean.read(index, slope), first)
        square = torch.lerp(slope * slope, self.square.read(index, slope), second)
        count = self.count.read(index) + 1
        for table, rows in ((self.mean, mean), (self.square, square), (self.count, count)):
            table.keep(rows, index)
        count = count.reshape(-1, *[1] * (slope.dim() - 1)).to(slope.dtype)
        return mean / (1 - first**count) / ((square / (1 - second**count)).sqrt() + EPS)


def _key(name: str) -> str:
    """The name of a weight as that of a module: without a dot, and no attribute of what they are in."""
    return name.replace(".", "/") if "." in name or not hasattr(nn.ModuleDict, name) else f"{name}/"


def _alone(weight: Tensor) -> Table:
    """A table of one value that is like a weight."""
    return Table("corpus", 1, tuple(weight.shape), weight)


@torch.no_grad()
def fleeting(
    now: Tensor,
    slope: Tensor,
    lr: Rate,
    shared: bool,
    optimizer: str = "sgd",
    within: Sequence[Region] = (),
) -> Tensor:
    """A value after the first step of its optimizer, for this batch alone; `shared` by all processes."""
    slope = averaged(slope) if shared else slope / world()
    step = slope if optimizer == "sgd" else slope / (slope.abs() + EPS)
    return project_all([now.detach() - lr * step], within)[0]
