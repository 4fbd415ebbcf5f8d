"""A data set split, thinned, corrupted and resident on the device."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Generator, Tensor

from taxo.language.errors import fail
from taxo.training import datasets, hub, imbalance, noise, seeds
from taxo.training.corruptions import corrupted
from taxo.training.inputs import Inputs, inputs_of, only
from taxo.training.loaders import Raw
from taxo.training.pictures import Pictures
from taxo.training.settings import Settings
from taxo.training.tensors import numbers


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Samples with the labels given to the learner, the clean ones, and their rows in the data set."""

    inputs: Inputs
    y: Tensor
    clean: Tensor
    origin: Tensor

    def __len__(self) -> int:
        return len(self.y)

    @property
    def x(self) -> Tensor:
        """All inputs as numbers, which images may take much memory for."""
        return self.inputs if isinstance(self.inputs, Tensor) else self.inputs[:]

    @property
    def flipped(self) -> Tensor:
        """Which labels are wrong."""
        return (self.y != self.clean).reshape(len(self), -1).any(1)

    def to(self, device: torch.device) -> Split:
        """The split on another device."""
        labels = (part.to(device) for part in (self.y, self.clean, self.origin))
        return Split(self.inputs.to(device), *labels)

    def rows(self, mask: Tensor) -> Split:
        """Some of its samples."""
        return Split(only(self.inputs, mask), self.y[mask], self.clean[mask], self.origin[mask])


@dataclass(frozen=True, slots=True, eq=False)
class Data:
    """Training, validation, test and held-out samples; validation labels are as noisy as the training ones.

    Those of held-out samples, which methods learn on, are right.
    Targets and points are not: there a few gross errors would decide what is chosen by them.
    `files` are those that images are read from, one for each row of the data set.
    """

    name: str
    classes: int
    train: Split
    validation: Split
    test: Split
    goal: str = "classes"
    held: Split | None = None
    files: tuple[Path, ...] = ()

    @property
    def sizes(self) -> str:
        """How many samples there are, in words."""
        held = f", {len(self.held)} held out" if self.held else ""
        return f"{len(self.train)} train, {len(self.validation)} validation, {len(self.test)} test{held}"

    @property
    def class_counts(self) -> list[int] | None:
        """How many training samples carry each label, where labels are classes."""
        if self.goal != "classes":
            return None
        return [int(count) for count in numbers(torch.bincount(self.train.y, minlength=self.classes))]

    @property
    def prior(self) -> list[float] | None:
        """How likely each class is by the training labels, where labels are classes; none is impossible."""
        counts = [max(count, 1) for count in self.class_counts or []]
        return [count / sum(counts) for count in counts] or None


TEST_SHARE = 0.4
Parts = tuple[Split, ...]  # for training, for validation, for the test, and held out


def load(settings: Settings, device: torch.device) -> Data:
    """The data that the settings describe; one seed gives one split and one noise, whatever the method."""
    row = datasets.find(settings.data)
    raw = row.load(Path(settings.data_root).expanduser())
    own_words = hub.is_named(settings.model)
    if row.texts and own_words:
        raw = replace(raw, x=hub.tokens(settings.model, row.texts()))
    train, validation, test, held = _parts(raw, settings)
    if settings.imbalance is not None:
        mask = imbalance.kept(train.y, raw.classes, settings.imbalance, _dice(settings, "imbalance"))
        train = train.rows(mask)
    parts: Parts = train, validation, test, held
    if row.texts:
        parts = parts if own_words else known_words(parts)
    elif row.goal == "classes" and not row.images:
        parts = _within_unit(parts)
    if row.goal == "targets":
        parts = _standardised(_within_unit(parts))
    spoiled = _SPOILED[row.goal](parts, settings, raw.classes)
    train, validation, test, held = (part.to(device) for part in spoiled)
    if settings.corrupt is not None:
        dice = torch.Generator(device).manual_seed(seeds.number(settings.seed, "corruption"))
        train = replace(train, inputs=corrupted(train.inputs, settings.corrupt, dice))
    files = raw.x.paths if isinstance(raw.x, Pictures) else ()
    return Data(settings.data, raw.classes, train, validation, test, row.goal, held, files)


def cut(split: Split, share: float, generator: Generator) -> tuple[Split, Split]:
    """The rest and the share of a split, each class (or stretch of targets) in proportion to within one."""
    shuffled = torch.randperm(len(split), generator=generator)
    key = split.clean if split.clean.dim() == 1 else split.clean.flatten(1)[:, 0]
    by_class = shuffled[key[shuffled].argsort(stable=True)]
    steps = torch.arange(len(split) + 1, dtype=torch.float64) * share
    # taking evenly spaced places of the list sorted by class takes each class in proportion; the small
    # number keeps a product such as 0.1 * 30 from falling below the whole number it stands for
    taken = (steps + 1e-9).floor().diff() > 0
    mask = torch.zeros(len(split), dtype=torch.bool)
    mask[by_class[taken]] = True
    return split.rows(~mask), split.rows(mask)


def _parts(raw: Raw, settings: Settings) -> Parts:
    x, y = inputs_of(raw, settings.workers), torch.from_numpy(raw.y)
    whole = Split(x, y, y, torch.arange(len(y)))
    if raw.test_from is None:
        learn, test = cut(whole, TEST_SHARE, _dice(settings, "test"))
    else:
        learn, test = whole.rows(whole.origin < raw.test_from), whole.rows(whole.origin >= raw.test_from)
    train, validation = cut(learn, settings.validation, _dice(settings, "validation"))
    if settings.clean_validation and settings.clean_validation >= len(train):
        message = f"`--clean-validation {settings.clean_validation}` leaves no training sample"
        fail("T503", message, help=f"set apart fewer than {len(train)}")
    train, held = cut(train, settings.clean_validation / max(len(train), 1), _dice(settings, "held out"))
    _check(train, settings)
    return train, validation, test, held


def _within_unit(parts: Parts) -> Parts:
    """The columns of a table scaled so that the training samples span [0, 1]; others may lie outside."""
    rows = parts[0].x
    low, high = rows.amin(0), rows.amax(0)
    # a column that never varies is moved, and not divided by zero
    span = torch.where(high > low, high - low, 1)
    return tuple(replace(part, inputs=(part.x - low) / span) for part in parts)


UNKNOWN, RARE, MOST_WORDS = 1, 2, 20_000


def known_words(parts: Parts) -> Parts:
    """Texts of the words that the training texts have often enough; every other word is `UNKNOWN`."""
    seen = parts[0].x
    most = max(int(part.x.max()) for part in parts if len(part))
    counts = torch.bincount(seen.flatten(), minlength=most + 1)
    counts[0] = 0
    order = counts.argsort(descending=True, stable=True)[:MOST_WORDS]
    words = order[counts[order] >= RARE]
    number = torch.full((most + 1,), UNKNOWN)
    number[0] = 0
    number[words] = torch.arange(len(words)) + UNKNOWN + 1
    return tuple(replace(part, inputs=number[part.x]) for part in parts)


def _standardised(parts: Parts) -> Parts:
    """The targets with mean 0 and deviation 1 over the training samples."""
    mean, deviation = parts[0].y.mean(0), parts[0].y.std(0, correction=0)
    scaled = [(part.y - mean) / deviation for part in parts]
    return tuple(replace(part, y=y, clean=y) for part, y in zip(parts, scaled, strict=True))


def _wrong_labels(parts: Parts, settings: Settings, classes: int) -> Parts:
    train, validation, *rest = parts
    nearest = _nearest(train, settings, classes)
    noisy = [
        replace(part, y=noise.corrupt(part.clean, settings.noise, nearest, _dice(settings, name)))
        for part, name in ((train, "noise"), (validation, "validation noise"))
    ]
    return *noisy, *rest


def _nearest(train: Split, settings: Settings, classes: int) -> Tensor:
    """For each class the one that it is most easily taken for; what nobody asks for is not computed."""
    if settings.noise is None or settings.noise.kind not in noise.BY_INPUTS:
        return torch.arange(classes)
    return noise.nearest_classes(train.inputs, train.clean, classes)


def _gross_errors(parts: Parts, settings: Settings, _: int) -> Parts:
    y = noise.strayed(parts[0].clean, settings.noise, noise.GROSS, _dice(settings, "noise"))
    return replace(parts[0], y=y), *parts[1:]


def _stray_points(parts: Parts, settings: Settings, _: int) -> Parts:
    x = noise.strayed(parts[0].x, settings.noise, noise.STRAY, _dice(settings, "noise"))
    return replace(parts[0], inputs=x), *parts[1:]


_SPOILED: dict[str, Callable[[Parts, Settings, int], Parts]] = {
    "classes": _wrong_labels,
    "targets": _gross_errors,
    "points": _stray_points,
}


def _dice(settings: Settings, purpose: str) -> Generator:
    return seeds.generator(settings.seed, purpose)


def _check(train: Split, settings: Settings) -> None:
    if len(train) == 0:
        fail("T503", f"`--validation {settings.validation:g}` leaves no training sample of `{settings.data}`")
    if isinstance(train.inputs, Tensor) and not bool(train.inputs.isfinite().all()):
        fail("T509", f"the data set `{settings.data}` has values that are not finite", help="mend the data")
