"""What an epoch of `taxo train` costs beside a bare loop in plain torch: `python benchmarks/epoch.py`.

Both train the same network on the same batches with the same schedule, an epoch each in turn, in one process.
A ratio is of two neighbouring epochs; the table has the median of many and their quartiles. On a CPU the
seconds are those that the process has it for, so that others on the machine count less.
"""

from __future__ import annotations

import argparse
import json
import platform
from copy import deepcopy
from math import cos, pi
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from taxo.training import folder, seeds
from taxo.training.augment import augmented
from taxo.training.interrupt import StopRequest
from taxo.training.loop import Recorder, fit
from taxo.training.memory import kept_memory
from taxo.training.metrics import EpochMetrics
from taxo.training.run import Run, prepare
from taxo.training.settings import change, sensible
from taxo.training.tensors import batches, numbers

EVALUATION_BATCH = 512
HEAD = "{:<32}{:>10}{:>10}{:>9}{:>18}".format("ms an epoch, medians", "taxo", "bare", "ratio", "quartiles")


class Bare:
    """A training loop as one writes it by hand, on the data and from the weights of a run."""

    def __init__(self, run: Run, place: Path) -> None:
        self.settings, self.data, self.place = run.settings, run.data, place
        self.model = deepcopy(run.step.model)
        self.optimizer = torch.optim.SGD(
            self.model.parameters(),
            lr=self.settings.lr,
            momentum=self.settings.momentum,
            weight_decay=self.settings.weight_decay,
        )
        self.dice = torch.Generator().manual_seed(seeds.number(self.settings.seed, "order"))
        self.epoch = 0

    def train(self) -> float:
        """The steps of an epoch; their mean loss."""
        train, size, epochs = self.data.train, self.settings.batch_size, self.settings.epochs
        x, y, device = train.x, train.y, train.y.device
        rows = batches(torch.randperm(len(y), generator=self.dice).to(device), size)
        total = torch.zeros((), device=device)
        self.model.train()
        for number, batch in enumerate(rows):
            lr = self.settings.lr * (1 + cos(pi * (self.epoch + number / len(rows)) / epochs)) / 2
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            loss = cross_entropy(self.model(self.shown(x[batch], number)), y[batch])
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            total += loss.detach() * len(batch)
        self.epoch += 1
        return float(total) / len(y)

    def shown(self, x: Tensor, number: int) -> Tensor:
        """The batch, augmented where the run's are, by the same draws."""
        if self.settings.augment == "none":
            return x
        dice = seeds.generator(self.settings.seed, f"augment {self.epoch} {number}")
        return augmented(x, self.settings.augment, dice)

    @torch.no_grad()
    def measure(self) -> list[float]:
        """The accuracies on the training, validation and test samples."""
        self.model.eval()
        found: list[Tensor] = []
        for part in (self.data.train, self.data.validation, self.data.test):
            pairs = zip(batches(part.x, EVALUATION_BATCH), batches(part.y, EVALUATION_BATCH), strict=True)
            hits = [(self.model(x).argmax(1) == y).sum() for x, y in pairs]
            found.append(torch.stack(hits).sum() / len(part))
        return numbers(torch.stack(found))

    def keep(self, numbers: list[float]) -> None:
        """A line of what was measured, and the state."""
        with (self.place / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(numbers) + "\n")
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(
            {**state, "random": torch.get_rng_state(), "order": self.dice.get_state()}, self.place / "new.pt"
        )
        (self.place / "new.pt").replace(self.place / "last.pt")


class Turns:
    """Watches the run: whenever one of its epochs is over, the bare loop does one."""

    def __init__(self, bare: Bare, keeps: bool, device: torch.device) -> None:
        self.bare, self.keeps, self.on_gpu = bare, keeps, device.type == "cuda"
        self.steps: list[tuple[float, float]] = []
        self.whole: list[tuple[float, float]] = []
        self.began = self.last = self.now()

    def now(self) -> float:
        """The time, when the device has done all that it was told."""
        if not self.on_gpu:
            return process_time()
        torch.cuda.synchronize()
        return perf_counter()

    def batch(self) -> None:
        """Remember when the latest step was over, unless asking would slow it down."""
        if not self.on_gpu:
            self.last = process_time()

    def epoch(self, metrics: EpochMetrics) -> None:
        """Time the epochs: the steps alone, and all of it."""
        over = self.now()
        own = metrics.seconds if self.on_gpu else self.last - self.began
        loss = self.bare.train()
        trained = self.now()
        self.steps.append((own, trained - over))
        found = [loss, *self.bare.measure()]
        if self.keeps:
            self.bare.keep(found)
        done = self.now()
        self.whole.append((over - self.began, done - over))
        self.began = self.now()


def measured(flags: argparse.Namespace, keeps: bool) -> tuple[Turns, float]:
    """Both train to the end; the largest distance of their weights."""
    given = {"data": flags.data, "model": flags.model, "epochs": str(flags.epochs), "device": flags.device}
    run = prepare("plain", change(sensible(flags.data), {**given, "augment": flags.augment}))
    with TemporaryDirectory() as name, StopRequest() as stop:
        place = Path(name)
        recorder = folder.create(place / "run", "plain", run) if keeps else Recorder()
        turns = Turns(Bare(run, place), keeps, run.losses.device)
        fit(run, turns, stop, recorder)
    pairs = zip(run.step.model.parameters(), turns.bare.model.parameters(), strict=True)
    return turns, max(float((one - other).detach().abs().max()) for one, other in pairs)


def line(name: str, times: list[tuple[float, float]]) -> str:
    """A line of the table."""
    low, middle, high = quantiles([one / other for one, other in times], n=4)
    ours, theirs = (1000 * median(column) for column in zip(*times, strict=True))
    return f"{name:<32}{ours:10.2f}{theirs:10.2f}{middle:9.3f}{low:9.3f} to {high:.3f}"


@kept_memory()
def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--model", default="cnn")
    parser.add_argument("--augment", default="none")
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    on = torch.cuda.get_device_name() if flags.device == "cuda" else platform.processor() or "CPU"
    told = f"{flags.data}, {flags.model}, augment {flags.augment}, {flags.epochs} epochs"
    print(f"{told}, {flags.threads} threads, {on}, torch {torch.__version__}")
    print(HEAD)
    plain, apart = measured(flags, keeps=False)
    kept, other = measured(flags, keeps=True)
    print(line("the steps", plain.steps))
    print(line("and the accuracies", plain.whole))
    print(line("and the checkpoint", kept.whole))
    print(f"weights apart after all: {max(apart, other):.1e}")


if __name__ == "__main__":
    main()
