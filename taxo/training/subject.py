"""A trained step and the test samples that it is asked about."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Generator, Tensor

from taxo.runtime.step import Step
from taxo.training import datasets, seeds
from taxo.training.data import Data, Split
from taxo.training.inputs import Inputs
from taxo.training.scores import EVALUATION_BATCH
from taxo.training.tensors import pieces


@dataclass(frozen=True, eq=False)
class Subject:
    """A trained step, the data of its run, and the run's seed, which decides what is drawn here."""

    step: Step
    data: Data
    seed: int

    @property
    def test(self) -> Split:
        """The samples that it is asked about."""
        return self.data.test

    @property
    def images(self) -> bool:
        """Whether inputs are images, with entries in [0, 1]."""
        return datasets.find(self.data.name).images

    @cached_property
    def logits(self) -> Tensor:
        """What it says of the clean test samples."""
        return self.logits_of(self.test.inputs)

    @cached_property
    def hits(self) -> Tensor:
        """Which clean test samples it gets right."""
        return self.logits.argmax(1) == self.test.y

    def logits_of(self, x: Inputs) -> Tensor:
        """What it says of some inputs."""
        return torch.cat([self.step.predict(x[rows]) for rows in pieces(len(x), EVALUATION_BATCH)])

    def dice(self, purpose: str) -> Generator:
        """Random numbers for one purpose: the same ones whatever the method."""
        generator = torch.Generator(self.test.y.device)
        return generator.manual_seed(seeds.number(self.seed, f"evaluation {purpose}"))
