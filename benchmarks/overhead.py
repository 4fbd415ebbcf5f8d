"""What a compiled step costs beside the same maths by hand in plain torch: `python benchmarks/overhead.py`.

Both take their steps in one process, in turn, each on its own copy of the model and with its own optimizer.
A ratio is of two neighbouring steps; the table has the median of many and their quartiles.
"""

from __future__ import annotations

import argparse
import platform
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from statistics import median, quantiles

import torch
from by_hand import BY_HAND as FIRST
from by_hand import Loss
from by_hand_moves import ON_THE_WAY
from by_hand_values import ON_VALUES, PROGRESS
from torch import Tensor, nn

import taxo
from taxo.training.memory import kept_memory

BY_HAND = {**FIRST, **ON_VALUES, **ON_THE_WAY}
CLASSES, SAMPLES = 10, 4096
DEFAULT = torch.get_num_threads()
COLUMNS = ("compiled", "by hand", "ratio", "quartiles", "apart")
HEAD = "{:<31}{:>10}{:>10}{:>9}{:>18}{:>12}".format("ms a step, medians", *COLUMNS)
Stepper = Callable[[], Tensor]
Apart = Callable[[], float]


class Block(nn.Module):
    """Two convolutions and a shortcut."""

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*layer(narrow, wide, stride), *layer(wide, wide, 1)[:-1])
        self.shortcut = nn.Conv2d(narrow, wide, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output."""
        return (self.body(x) + self.shortcut(x)).relu()


def layer(narrow: int, wide: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(narrow, wide, 3, stride, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]


def small() -> nn.Module:
    """A small convolutional net for images of 28 times 28 pixels."""
    body = [*layer(1, 32, 2), *layer(32, 64, 2), nn.AdaptiveAvgPool2d(2), nn.Flatten()]
    return nn.Sequential(*body, nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, CLASSES))


def mid() -> nn.Module:
    """A residual net of ten convolutions for images of 32 times 32 pixels."""
    blocks = [Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES)]
    return nn.Sequential(*layer(3, 16, 1), *blocks, *head)


@dataclass(frozen=True)
class Case:
    """A model and the batches it takes."""

    net: Callable[[], nn.Module]
    rows: int
    shape: tuple[int, ...]


CASES = {"small": Case(small, 64, (1, 28, 28)), "mid": Case(mid, 128, (3, 32, 32))}


def batch(case: Case, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    dice = torch.Generator().manual_seed(0)
    x = torch.rand(case.rows, *case.shape, generator=dice)
    y = torch.randint(CLASSES, (case.rows,), generator=dice)
    return x.to(device), y.to(device), torch.randperm(SAMPLES, generator=dice)[: case.rows].to(device)


def stepper(model: nn.Module, loss: Loss | nn.Module, inputs: tuple[Tensor, ...]) -> Stepper:
    """A whole training step: the loss, its backward, the weights' update."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    def step() -> Tensor:
        value = loss(*inputs)
        value.backward()
        optimizer.step()
        optimizer.zero_grad()
        return value.detach()

    return step


def both(spec: str, case: Case, device: torch.device) -> tuple[Stepper, Stepper, Apart]:
    """The compiled step and the one by hand, from equal models and on the same batch, and their distance."""
    torch.manual_seed(0)
    counts = torch.full((CLASSES,), SAMPLES // CLASSES)
    model = case.net().to(device)
    twin, inputs = deepcopy(model), batch(case, device)
    numbers, teacher = counts.tolist(), deepcopy(model)
    compiled = taxo.compile(
        spec, model, classes=CLASSES, samples=SAMPLES, class_counts=numbers, teacher=teacher
    )
    compiled.begin_epoch(round(100 * PROGRESS), of=100)
    by_hand = BY_HAND[spec](twin, SAMPLES, counts.to(device, torch.float32))

    def apart() -> float:
        pairs = zip(model.parameters(), twin.parameters(), strict=True)
        return max(float((one - other).detach().abs().max()) for one, other in pairs)

    return stepper(model, compiled, inputs), stepper(twin, by_hand, inputs), apart


def seconds(step: Callable[[], object], device: torch.device) -> float:
    """How long a step takes, to the end of what the device does."""
    start = time.perf_counter()
    step()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(spec: str, case: Case, device: torch.device, repeats: int) -> str:
    """A line of the table; the first steps show that the two compute the same."""
    compiled, by_hand, distance = both(spec, case, device)
    apart = max(max(abs(float(compiled() - by_hand())), distance()) for _ in range(3))
    times: list[tuple[float, float]] = []
    for number in range(repeats):
        order = (compiled, by_hand) if number % 2 else (by_hand, compiled)  # neither is always the first
        first, second = (seconds(step, device) for step in order)
        times.append((first, second) if number % 2 else (second, first))
    ratios = [one / other for one, other in times]
    low, middle, high = quantiles(ratios, n=4)
    ours, theirs = (1000 * median(column) for column in zip(*times, strict=True))
    return f"{spec:<31}{ours:10.2f}{theirs:10.2f}{middle:9.3f}{low:9.3f} to {high:.3f}{apart:12.1e}"


@kept_memory()
def main() -> None:
    """Measure what the flags ask for and print a table for each model and number of threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--methods", nargs="+", default=list(BY_HAND), choices=list(BY_HAND), metavar="METHOD"
    )
    parser.add_argument("--model", nargs="+", default=list(CASES), choices=list(CASES))
    parser.add_argument("--threads", nargs="+", type=int, default=sorted({1, DEFAULT}))
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--device", default="cpu", type=torch.device)
    flags = parser.parse_args()
    on = torch.cuda.get_device_name() if flags.device.type == "cuda" else platform.processor() or "CPU"
    for name in flags.model:
        for threads in flags.threads:
            torch.set_num_threads(threads)
            print(f"\n{name}, batch {CASES[name].rows}, {threads} threads, {on}, torch {torch.__version__}")
            print(HEAD)
            for spec in flags.methods:
                print(measure(spec, CASES[name], flags.device, flags.repeats), flush=True)


if __name__ == "__main__":
    main()
