"""The rounds of a run: the samples that are trained on now, amended where its method does that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from taxo.runtime.amended import Amended
from taxo.runtime.step import Step
from taxo.training.data import Data, Split
from taxo.training.scores import EVALUATION_BATCH
from taxo.training.tensors import pieces


@dataclass(slots=True, eq=False)
class Rounds:
    """What is trained on: the samples, and which one of the training data each of them was made of.

    Data are amended as long as the validation loss falls from round to round; `risk` is that of the last one,
    and below every other once it has risen.
    """

    step: Step
    data: Data
    risk: float = inf
    amended: Amended = field(init=False)
    train: Split = field(init=False)
    index: Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.train = self.data.train
        self.index = torch.arange(len(self.train), device=self.train.y.device)
        if self.step.rounds > 1:
            self.amended = Amended(TensorDataset(self.train.x, self.train.y), append=self.step.appends)

    def begin(self) -> bool:
        """Amend the data if the present epoch begins a round that does; whether that was done."""
        if not self.step.begins_round:
            return False
        risk = self._validation_loss()
        if risk is not None and risk > self.risk:
            self.risk = -inf
            return False
        self.risk = self.risk if risk is None else risk
        self._take(self.step.amend(self.amended))
        return True

    def state(self) -> dict[str, Tensor]:
        """What must be saved of it: nothing where there is one round."""
        if self.step.rounds == 1:
            return {}
        moved = {} if self.amended.x is None else {"x": self.amended.x, "rows": self.amended.rows}
        return {**moved, "risk": torch.tensor(self.risk, dtype=torch.float64)}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Go on with the samples of a saved round."""
        if state:
            self.risk = float(state["risk"])
            kept = self.amended
            self._take(Amended(kept.original, state.get("rows"), state.get("x"), kept.append))

    def _take(self, amended: Amended) -> None:
        whole = self.data.train
        self.amended = amended
        self.index = amended.origins().to(whole.y.device)
        x = whole.inputs if amended.x is None else amended.batch(torch.arange(len(amended)))[0]
        rows = (part[self.index] for part in (whole.y, whole.clean, whole.origin))
        self.train = Split(x, *rows)

    def _validation_loss(self) -> float | None:
        held, objective = self.data.validation, self.step.objective
        if not len(held):
            return None
        total = 0.0
        for rows in pieces(len(held), EVALUATION_BATCH):
            total += float(objective(self.step.predict(held.x[rows]), held.y[rows]).sum())
        return total / len(held)
