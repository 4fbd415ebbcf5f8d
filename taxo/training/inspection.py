"""What the perturbations do to training samples, looked at one batch after another; nothing is trained."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from taxo.compiler import lower
from taxo.compiler.lines import Act
from taxo.language.method import Method
from taxo.language.vocabulary import Place
from taxo.laws.pools import simple
from taxo.ops.norms import norm_per_sample
from taxo.runtime.direction import Replay, compared, replayed
from taxo.runtime.meters import measure
from taxo.training import seeds
from taxo.training.metrics import Meters
from taxo.training.run import Run
from taxo.training.tensors import batches
from taxo.training.update import narrowed
from taxo.training.views import views

MOST_ROWS = 20_000
ROUNDING = 1e-5  # sizes that differ by no more of themselves are the same


@dataclass(frozen=True, slots=True, eq=False)
class Touched:
    """A perturbation, what it declares of itself, and how far it moved each sample that was looked at.

    One that is neither sought nor has a direction is drawn by chance, and not `aimed`. `ways` says where it
    moved inputs that are points of the plane.
    """

    key: str
    target: str
    direction: str
    granularity: tuple[str, ...]
    sizes: Tensor
    aimed: bool = True
    ways: Tensor | None = None

    @property
    def suspects(self) -> bool:
        """Whether it lowers the loss of single samples: what it moves far may carry a wrong label."""
        return self.direction == "positive" and "sample" in self.granularity


@dataclass(frozen=True, slots=True, eq=False)
class Inspection:
    """The samples looked at, by their places in the training data, and their losses with and without."""

    rows: Tensor
    plain: Tensor
    moved: Tensor
    touched: tuple[Touched, ...]

    @property
    def each(self) -> list[Touched]:
        """The perturbations that move each sample by a distance of its own."""
        return [
            one
            for one in self.touched
            if one.aimed
            and "sample" in one.granularity
            and bool(one.sizes.std(correction=0) > ROUNDING * one.sizes.mean())
        ]


def acts_of(method: Method) -> dict[str, Act]:
    """The perturbations of a method, as a step names them."""
    return {act.key: act for act in lower(simple(method)).acts()}


def inspect(run: Run, most: int = MOST_ROWS) -> Inspection:
    """What the run's step does now to its training samples, evenly spaced ones where there are too many."""
    count = len(run.data.train)
    rows = torch.linspace(0, count - 1, min(count, most), dtype=torch.float64).round().long()
    acts = acts_of(run.step.method)
    plain: list[Tensor] = []
    moved: list[Tensor] = []
    sizes: dict[str, list[Tensor]] = {}
    ways: dict[str, list[Tensor]] = {}
    with _apart(run):
        for number, part in enumerate(batches(rows.to(run.data.train.y.device), _size(run))):
            with_all, without = _replays(run, part, f"inspection {number}", [(), tuple(acts)])
            moved.append(with_all.losses)
            plain.append(without.losses)
            for key, delta in with_all.deltas.items():
                if isinstance(delta, Tensor) and len(delta) == len(part):
                    sizes.setdefault(key, []).append(norm_per_sample(delta).double())
                    if key in acts and _in_plane(acts[key], delta):
                        ways.setdefault(key, []).append(delta.detach())
    whole = {key: torch.cat(found) for key, found in sizes.items() if len(found) == len(plain)}
    touched = tuple(
        _touched(acts[key], found, ways.get(key, ())) for key, found in whole.items() if key in acts
    )
    return Inspection(rows, torch.cat(plain), torch.cat(moved), touched)


def meters(run: Run) -> Meters:
    """For each perturbation of the last step, what it does to the first batch of the training data.

    The share of the samples that it moves, its mean size there, and the share of their losses that it raises:
    NaN where it moves none.
    """
    names = list(run.step.deltas)
    if not names:
        return {}
    rows = torch.arange(min(_size(run), len(run.data.train)), device=run.data.train.y.device)
    with _apart(run):
        purpose, muted = f"meter {run.position.epoch}", [(), *((name,) for name in names)]
        first, *others = _replays(run, rows, purpose, muted)
    pairs = [(name, other) for name, other in zip(names, others, strict=True) if name in first.deltas]
    return {
        name: {
            **measure(first.deltas[name]),
            "raised": compared(first.losses, other.losses, first.deltas[name]).risen,
        }
        for name, other in pairs
    }


def relative_change(found: Inspection, y: Tensor, classes: int) -> list[float]:
    """By how much of itself the mean loss of each class changes; NaN for a class that was not looked at."""
    labels = y[found.rows.to(y.device)]
    sums = torch.zeros(2, classes, dtype=torch.float64, device=labels.device)
    sums[0].index_add_(0, labels, found.plain)
    sums[1].index_add_(0, labels, found.moved)
    present = torch.bincount(labels, minlength=classes) > 0
    change = torch.where(present, (sums[1] - sums[0]) / sums[0].clamp_min(1e-12), torch.nan)
    return [float(value) for value in change.cpu()]


def _size(run: Run) -> int:
    """How many samples a step sees at once."""
    return -(-run.settings.batch_size // run.settings.accumulate)


def _in_plane(act: Act, delta: Tensor) -> bool:
    return act.place == Place.FEATURES and tuple(delta.shape[1:]) == (2,)


def _touched(act: Act, sizes: Tensor, ways: Sequence[Tensor]) -> Touched:
    item = act.item
    grains = tuple(word.text for word in item.granularity)
    aimed = act.unknown is not None or item.direction.text != "mixed"
    moved = torch.cat(list(ways)) if ways else None
    return Touched(act.key, item.target.text, item.direction.text, grains, sizes, aimed, moved)


def _replays(run: Run, rows: Tensor, purpose: str, muted: Sequence[tuple[str, ...]]) -> list[Replay]:
    train = run.data.train
    run.dice.begin(run.settings.seed, purpose)
    x = views(train.inputs[rows], run.step.wanted_views, seeds.generator(run.settings.seed, purpose))
    with narrowed(run.settings, rows.device):
        return replayed(run.step, x, train.y[rows], rows, muted)


@contextmanager
def _apart(run: Run) -> Generator[None]:
    """The step in training, torch's own random numbers and the model's mode given back as they were."""
    device, training = run.losses.device, run.step.training
    devices = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        run.step.train()
        try:
            yield
        finally:
            run.step.train(training)
