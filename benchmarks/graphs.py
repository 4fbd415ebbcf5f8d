"""What CUDA graphs make of a step on a GPU: `python benchmarks/graphs.py`.

The step and its replay take whole training steps in one process, in turn, each on its own copy of the model
and with its own optimizer. A ratio is of two neighbouring steps; the table has the median of many.
"""

from __future__ import annotations

import argparse
import time
from copy import deepcopy
from statistics import median, quantiles

import torch
from overhead import CLASSES, SAMPLES, Stepper
from torch import Tensor, nn

import taxo
from taxo.runtime.graphed import BEFORE, Graphed
from taxo.training.residual import resnet

METHODS = ("plain", "label_smoothing", "logpert", "mixpert(eps: 8/255)", "isda", "sam", "pgd_at")
COLUMNS = ("eager", "graphs", "ratio", "quartiles", "apart")
HEAD = "{:<31}{:>10}{:>10}{:>9}{:>18}{:>12}".format("ms a step, medians", *COLUMNS)


def both(spec: str, rows: int) -> tuple[Stepper, Stepper]:
    """The step as it is and as graphs, from equal models and on the same batch."""
    torch.manual_seed(0)
    model = resnet(20, 3, CLASSES).cuda()
    counts = [SAMPLES // CLASSES] * CLASSES
    batch = torch.rand(rows, 3, 32, 32), torch.randint(CLASSES, (rows,)), torch.randperm(SAMPLES)[:rows]
    given = [one.cuda() for one in batch]

    def stepper(net: nn.Module, graphed: bool) -> Stepper:
        step = taxo.compile(spec, net, classes=CLASSES, samples=SAMPLES, class_counts=counts).cuda()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9)
        step.attach(optimizer)
        step.begin_epoch(50, of=100)
        call = Graphed(step) if graphed else step

        def update() -> Tensor:
            loss: Tensor = call(*given)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return loss.detach()

        return update

    return stepper(model, False), stepper(deepcopy(model), True)


def seconds(step: Stepper) -> float:
    """How long a step takes until the GPU is done."""
    start = time.perf_counter()
    step()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def measure(spec: str, rows: int, repeats: int) -> str:
    """A line of the table; the first steps show that the two compute the same."""
    eager, graphs = both(spec, rows)
    apart = max(abs(float(eager() - graphs())) for _ in range(BEFORE + 3))
    pairs = [(seconds(eager), seconds(graphs)) for _ in range(repeats)]
    low, middle, high = quantiles([one / other for one, other in pairs], n=4)
    ours, theirs = (1000 * median(column) for column in zip(*pairs, strict=True))
    return f"{spec:<31}{ours:10.2f}{theirs:10.2f}{middle:9.2f}{low:9.2f} to {high:.2f}{apart:12.1e}"


def main() -> None:
    """Measure what the flags ask for and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), metavar="METHOD")
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=100)
    flags = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("CUDA graphs need a GPU, and there is no device `cuda` on this machine")
    print(f"resnet20, batch {flags.rows}, {torch.cuda.get_device_name()}, torch {torch.__version__}")
    print(HEAD)
    for spec in flags.methods:
        print(measure(spec, flags.rows, flags.repeats), flush=True)


if __name__ == "__main__":
    main()
