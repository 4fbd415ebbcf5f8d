"""Influence: how each sample would have to move so that training on it lowers the risk on others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from taxo.ops.backward import slopes_of
from taxo.ops.influence import gauss_newton, hessian, influences
from taxo.ops.inverse import Products, Solution
from taxo.ops.memory import free_bytes
from taxo.runtime.amended import Amended
from taxo.runtime.line import Line
from taxo.runtime.masks import drawing_again
from taxo.runtime.rounds import Rounds

Goal = Callable[[Line], Tensor]
Move = Callable[[Tensor, Tensor], Tensor]
Solve = Callable[[Products, list[Tensor]], Solution]
MOST = 512  # how many samples go through the model together: more gain nothing
SHARE = 0.25  # of the memory that is left, for what a backward that is differentiated keeps, and for slopes


@dataclass
class Influence:
    """The stage between two rounds: the guide is set aside, and every other sample has its direction.

    `goal` gives the losses of a pass that are to fall on the guide, a fresh share of the original data (to
    rise, if `rising`); `solve` applies the inverse of the curvature on so many `samples`, which are drawn
    anew for every product if `fresh`.
    """

    step: Rounds
    data: Amended
    name: str
    goal: Goal
    guide: float
    solve: Solve
    curvature: str = "gauss_newton"
    samples: int = MOST
    fresh: bool = False
    rising: bool = False

    def __post_init__(self) -> None:
        many = len(self.data.original)
        drawn = torch.randperm(many, generator=self.step.dice("guide"))
        rows = drawn[: min(many, int(self.guide * many + 0.5))]
        self.others = (~torch.isin(self.data.origins(), rows)).nonzero().flatten()
        self.weights = list(self.step.weights().values())
        self.slopes: Tensor | None = None
        self.chunk, self.keeps = self._fitting()
        self._dice = self.step.dice("curvature")
        right = self._risk(rows)
        products = self._products()
        solution = self.solve(products, right)
        self.along = solution.parts
        self.report = {"residual": float(solution.residual), "products": float(solution.products)}

    def gains(self, move: Move) -> Tensor:
        """By how much the risk on the guide falls, to first order, for each sample outside the guide.

        That is by a moved copy beside it where data are appended, and else by moving the sample itself.
        """
        found, kept = list[Tensor](), list[Tensor]()
        for x, own, slopes in self._directions(self.others):
            delta = move(x, slopes)
            gain = (delta * slopes).flatten(1).sum(1)
            found.append(gain + own if self.data.append else gain)
            kept += [slopes] * self.keeps
        self.slopes = torch.cat(kept) if kept else None
        return torch.cat(found) / len(self.data) if found else torch.zeros(0)

    def amended(self, move: Move, gain: Tensor, where: Tensor) -> Amended:
        """The data with the selected samples moved."""
        chosen = where.nonzero().flatten().cpu()
        places = self.others[chosen]
        moved = [x + move(x, slopes) for x, slopes in self._chosen(chosen)]
        shares = {"share": len(places) / len(self.data), "gain": float(gain[where].sum())}
        self.step.amendments[self.name] = self.report | shares
        return self.data.moved(places, torch.cat(moved)) if moved else self.data

    def _chosen(self, chosen: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """The inputs and the slopes of some of the others, as they are known or found again."""
        if self.slopes is None:
            yield from ((x, slopes) for x, _, slopes in self._directions(self.others[chosen]))
        else:
            x = self.data.batch(self.others[chosen])[0].to(self.slopes)
            yield x, self.slopes[chosen.to(x.device)]

    def _risk(self, rows: Tensor) -> list[Tensor]:
        """The slope of the mean of the goal on the guide."""
        total = [torch.zeros_like(weight) for weight in self.weights]
        for part in torch.split(rows, self.chunk):
            line, _ = self._passed(*self.data.given(part))
            slopes = slopes_of(self.goal(line).sum() / len(rows), self.weights)
            total = [one + other for one, other in zip(total, slopes, strict=True)]
        return [-part for part in total] if self.rising else total

    def _products(self) -> Products:
        """Products with the curvature of the training loss on a sample of the data."""
        if not self.fresh:
            return self._sampled()
        return lambda parts: self._sampled()(parts)

    def _sampled(self) -> Products:
        order = torch.randperm(len(self.others), generator=self._dice)[: min(self.samples, self.chunk)]
        line, _ = self._passed(*self.data.batch(self.others[order]))
        if self.curvature == "hessian":
            return hessian(line.loss, self.weights)
        return gauss_newton(line.u, line.loss, self.weights)

    def _directions(self, places: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Inputs, each sample's slope along the solution, and how that changes with the input."""
        for part in torch.split(places, self.chunk):
            line, x = self._passed(*self.data.batch(part), live=True)
            own, slopes = influences(line.loss, self.weights, self.along, x)
            yield x.detach(), own, slopes

    def _passed(self, x: Tensor, y: Tensor, live: bool = False) -> tuple[Line, Tensor]:
        """A pass of some samples, and its inputs."""
        like = self.step.anchor
        x = x.to(like.device, like.dtype if x.is_floating_point() else x.dtype)
        x = x.detach().requires_grad_() if live else x
        return self.step.plain(x, y.to(like.device)), x

    def _fitting(self) -> tuple[int, bool]:
        """How many samples fit at once, for what one of them keeps is counted; and whether all slopes do."""
        free = free_bytes(self.step.anchor.device)
        if free is None:
            return MOST, False
        x, y = self.data.batch(torch.zeros(1, dtype=torch.long))
        if x.shape not in self.step.needs:
            self.step.needs[x.shape] = self._kept(x, y)
        room = SHARE * free
        fits = int(room / max(self.step.needs[x.shape], 1))
        return max(1, min(MOST, fits)), len(self.others) * x.nbytes <= room

    def _kept(self, x: Tensor, y: Tensor) -> int:
        """How many bytes a sample keeps while its influence is found; to find out draws nothing."""
        kept = 0

        def pack(tensor: Tensor) -> Tensor:
            nonlocal kept
            kept += tensor.nbytes
            return tensor.detach()  # what keeps its own output would keep itself

        counting = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
        with drawing_again(self.step.model), counting:
            line, inputs = self._passed(x, y, live=True)
            influences(line.loss, self.weights, self.weights, inputs)
        return kept
