"""What a method does between rounds of training, beside a plain epoch: `python benchmarks/rounds.py`.

In one process a plain epoch and the amending of the data take turns, so that what slows the machine slows
both; a ratio is of two neighbours. With one thread of a processor the time is that of the process alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from statistics import median, quantiles

import torch
from torch.utils.data import TensorDataset

from taxo.training import loop
from taxo.training.checkpoint import Position
from taxo.training.data import Data, load
from taxo.training.interrupt import StopRequest
from taxo.training.memory import kept_memory
from taxo.training.progress import Silent
from taxo.training.run import Run, prepare
from taxo.training.settings import Settings, change, sensible

Clock = Callable[[], float]


def clock(device: str, threads: int) -> Clock:
    """What measures time."""
    if device == "cpu":
        return time.process_time if threads == 1 else time.perf_counter

    def after_all() -> float:
        torch.cuda.synchronize()
        return time.perf_counter()

    return after_all


def train(run: Run, epoch: int) -> None:
    """The steps of one epoch, nothing measured or kept."""
    run.step.begin_epoch(epoch, run.settings.epochs)
    run.position = Position(epoch)
    loop._train(run, run.order.draw(), Silent(), StopRequest(), loop.Recorder())


def compare(method: str, settings: Settings, data: Data, repeats: int, now: Clock) -> str:
    """One row of the table."""
    run, plain = prepare(method, settings, data), prepare("plain", settings, data)
    for epoch in range(settings.epochs):
        train(run, epoch)
    given = TensorDataset(data.train.x, data.train.y)
    epochs, stages = list[float](), list[float]()
    for _ in range(repeats + 1):
        begun = now()
        train(plain, 0)
        between = now()
        run.step.amend(given)
        epochs.append(between - begun)
        stages.append(now() - between)
    # the first of each finds nothing prepared
    ratios = [stage / epoch for stage, epoch in zip(stages[1:], epochs[1:], strict=True)]
    low, _, high = quantiles(ratios, n=4)
    told = next(iter(run.step.meters().values()))
    return (
        f"{method:<30}{1e3 * median(epochs):>9.2f}{1e3 * median(stages):>9.2f}{median(ratios):>8.2f}"
        f"{f'{low:.2f} to {high:.2f}':>16}{told['products']:>10.0f}{told['residual']:>10.3f}"
    )


@kept_memory()
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=["dpl", "dpl_replace"])
    parser.add_argument("--data", default="digits")
    parser.add_argument("--model", default="auto")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    asked = {name: str(getattr(flags, name)) for name in ("model", "epochs", "device")}
    settings = change(sensible(flags.data), asked)
    data = load(settings, torch.device(flags.device))
    samples = f"{len(data.train)} samples of {flags.data}"
    print(f"{samples}, after {flags.epochs} epochs, {flags.threads} threads, torch {torch.__version__}")
    heads = f"{'epoch':>9}{'round':>9}{'ratio':>8}{'quartiles':>16}{'products':>10}{'residual':>10}"
    print(f"{'ms, medians':<30}{heads}")
    now = clock(flags.device, flags.threads)
    for method in flags.methods:
        print(compare(method, settings, data, flags.repeats, now), flush=True)


if __name__ == "__main__":
    main()
