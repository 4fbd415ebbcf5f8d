"""Rounds: between two of them the data are amended, by what a program finds for each sample."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from math import ceil
from typing import ClassVar, Unpack
from zlib import crc32

import torch
from torch import Tensor, nn

from taxo.language.errors import fail
from taxo.ops.objectives import smoothed
from taxo.runtime.amended import Amended, Samples
from taxo.runtime.checks import check_labels
from taxo.runtime.given import Given
from taxo.runtime.inference import searchable
from taxo.runtime.line import Line
from taxo.runtime.making import Making

Dropout = nn.modules.dropout._DropoutNd  # pyright: ignore[reportPrivateUsage]  # all that draw masks


class Rounds(Making):
    """What a program needs that amends the data between rounds of training."""

    rounds: ClassVar[int] = 1
    appends: ClassVar[bool] = True

    def __init__(self, model: nn.Module, **given: Unpack[Given]) -> None:
        super().__init__(model, **given)
        self.amendments: dict[str, dict[str, float]] = {}
        self.needs: dict[torch.Size, int] = {}  # the bytes that the influence of a sample of that shape takes

    def between(self, data: Amended) -> Amended:
        """The data of the next round: what a program fills in."""
        return data

    @property
    def begins_round(self) -> bool:
        """Whether the present epoch is the first of another round than the first one.

        The rounds share the epochs of the run as evenly as they can.
        """
        epochs = int(self.planned)
        starts = {ceil(number * epochs / self.rounds) for number in range(1, self.rounds)}
        return int(self.epoch) in starts

    def amend(self, data: Samples) -> Amended:
        """The data of the next round, as `(x, y, index)`: what is given, and what the method makes of it.

        The `meters` of that epoch say how: the residual of the solution and its products, the share of the
        samples that were amended, and by how much the risk on the guide is to fall.
        Call it before the first epoch of a round, with the samples as they are before any augmentation: the
        data set of the first round, or what this gave for the last one.
        """
        if not len(data):
            fail("T401", "the data to amend have no sample", None, "give the data set that is trained on")
        self.shards.refuse_any("data are amended", "leave the model whole, and wrap the step by DDP")
        before = data if isinstance(data, Amended) else Amended(data, append=self.appends)
        self.amendments = {}
        with searchable(), self._between_rounds():
            return self.between(before)

    def dice(self, purpose: str) -> torch.Generator:
        """Random numbers of this round alone: the same in every process, and when it is done again."""
        seed = crc32(f"{self.draws.seed}:{int(self.epoch)}:{purpose}".encode())
        return torch.Generator().manual_seed(seed)

    def plain(self, x: Tensor, y: Tensor) -> Line:
        """An unperturbed pass, whose loss is smooth where the method's own is not."""
        return self.line(x, check_labels(x, y, self.classes, self.compares))

    @contextmanager
    def _between_rounds(self) -> Generator[None]:
        """Passes that can be differentiated twice and change nothing: running statistics, no dropout."""
        before, self.quiet = self.quiet, True
        masking = [one for one in self.model.modules() if isinstance(one, Dropout) and one.training]
        objective, self.objective, self._done = self.objective, smoothed(self.objective), {}
        folded = nullcontext() if self.front.compiled else self.attack.open(live=True)
        try:
            for module in masking:
                module.training = False
            with torch.enable_grad(), self.normed("frozen"), self.front.twice(), folded:
                yield
        finally:
            self.quiet, self.objective, self._done = before, objective, {}
            for module in masking:
                module.training = True
