"""A data set split, corrupted and resident on the device."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Generator, Tensor

from taxo.language.errors import fail
from taxo.training import datasets, seeds
from taxo.training.noise import corrupt
from taxo.training.settings import Noise, Settings
from taxo.training.tensors import numbers


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Samples with the labels given to the learner, the clean ones, and their rows in the data set."""

    x: Tensor
    y: Tensor
    clean: Tensor
    origin: Tensor

    def __len__(self) -> int:
        return len(self.y)

    @property
    def flipped(self) -> Tensor:
        """Which labels are wrong."""
        return self.y != self.clean

    def to(self, device: torch.device) -> Split:
        """The split on another device."""
        return Split(*(part.to(device) for part in (self.x, self.y, self.clean, self.origin)))


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Training, validation and test samples; validation labels are as noisy as the training ones."""

    name: str
    classes: int
    train: Split
    validation: Split
    test: Split

    @property
    def sizes(self) -> str:
        """How many samples there are, in words."""
        return f"{len(self.train)} train, {len(self.validation)} validation, {len(self.test)} test"

    @property
    def class_counts(self) -> list[int]:
        """How many training samples carry each label."""
        return [int(count) for count in numbers(torch.bincount(self.train.y, minlength=self.classes))]


TEST_SHARE = 0.4


def load(settings: Settings, device: torch.device) -> Data:
    """The data that the settings describe; one seed gives one split and one noise, whatever the method."""
    raw = datasets.find(settings.data).load()
    x, y = torch.from_numpy(raw.x), torch.from_numpy(raw.y)
    whole = Split(x, y, y, torch.arange(len(y)))
    if raw.test_from is None:
        learn, test = cut(whole, TEST_SHARE, seeds.generator(settings.seed, "test"))
    else:
        learn, test = _take(whole, whole.origin < raw.test_from), _take(whole, whole.origin >= raw.test_from)
    train, validation = cut(learn, settings.validation, seeds.generator(settings.seed, "validation"))
    _check(train, settings)
    noisy = [
        _with_noise(part, settings.noise, raw.classes, seeds.generator(settings.seed, name)).to(device)
        for part, name in ((train, "noise"), (validation, "validation noise"))
    ]
    return Data(settings.data, raw.classes, noisy[0], noisy[1], test.to(device))


def cut(split: Split, share: float, generator: Generator) -> tuple[Split, Split]:
    """The rest and the share of a split, each class in proportion to within one sample."""
    shuffled = torch.randperm(len(split), generator=generator)
    by_class = shuffled[split.clean[shuffled].argsort(stable=True)]
    steps = torch.arange(len(split) + 1, dtype=torch.float64) * share
    # taking evenly spaced places of the list sorted by class takes each class in proportion; the small
    # number keeps a product such as 0.1 * 30 from falling below the whole number it stands for
    taken = (steps + 1e-9).floor().diff() > 0
    mask = torch.zeros(len(split), dtype=torch.bool)
    mask[by_class[taken]] = True
    return _take(split, ~mask), _take(split, mask)


def _take(split: Split, mask: Tensor) -> Split:
    return Split(split.x[mask], split.y[mask], split.clean[mask], split.origin[mask])


def _with_noise(split: Split, noise: Noise | None, classes: int, generator: Generator) -> Split:
    return replace(split, y=corrupt(split.clean, noise, classes, generator))


def _check(train: Split, settings: Settings) -> None:
    if len(train) == 0:
        fail("T503", f"`--validation {settings.validation:g}` leaves no training sample of `{settings.data}`")
    if not bool(train.x.isfinite().all()):
        fail("T509", f"the data set `{settings.data}` has values that are not finite", help="mend the data")
