"""What a step that looks ahead costs beside a plain one: `python benchmarks/ahead.py`.

The strength of logit adjustment is learned for every class on held-out batches, through a virtual step of
all weights. In one process a plain step, the compiled ones and the one by hand take turns, on equal models; a
ratio is of two neighbours. By hand it is torch alone: a gradient whose graph is kept, and a gradient of that.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from statistics import median, quantiles

import torch
from overhead import seconds
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.functional import cross_entropy

import taxo
from taxo.training.memory import kept_memory

CLASSES, RATE = 10, 0.01
LEARNED = """method learned
needs validation
param tau per category = 1
perturb logits by tau[y] * log(class_prior) { direction mixed granularity category }
infer meta over tau minimize loss on validation via lookahead(lr: lr, order: %s)
"""
Take = Callable[[], object]


def convolution(narrow: int, wide: int, stride: int, norm: bool) -> list[nn.Module]:
    """A layer of three by three pixels."""
    return [nn.Conv2d(narrow, wide, 3, stride, 1), *[nn.BatchNorm2d(wide)] * norm, nn.ReLU()]


def convolutional(norm: bool) -> nn.Module:
    """Three layers, and the mean over what is left of the image."""
    layers = [
        *convolution(3, 32, 2, norm),
        *convolution(32, 64, 2, norm),
        *convolution(64, 64, 1, norm),
    ]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, CLASSES))


def perceptron() -> nn.Module:
    """Two hidden layers."""
    widths = [nn.Linear(3072, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *widths, nn.Linear(512, CLASSES))


MODELS: dict[str, Callable[[], nn.Module]] = {
    "conv": lambda: convolutional(norm=False),
    "conv and norms": lambda: convolutional(norm=True),
    "linear": perceptron,
}


def compiled(spec: str | taxo.Method, model: nn.Module, x: Tensor, y: Tensor) -> Take:
    """A step of taxo."""
    rows = len(x)
    counts = torch.bincount(y.cpu(), minlength=CLASSES).tolist()
    step = taxo.compile(
        spec, model, classes=CLASSES, samples=rows, class_counts=counts, validation=[(x, y)] * 10_000
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    step.attach(optimizer)
    step.begin_epoch(0, of=1)
    index = torch.arange(rows, device=x.device)

    def take() -> None:
        step(x, y, index).backward()
        optimizer.step()
        optimizer.zero_grad()

    return take


def by_hand(model: nn.Module, x: Tensor, y: Tensor) -> Take:
    """The same in plain torch."""
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE)
    tau = torch.ones(CLASSES, device=x.device, requires_grad=True)
    prior = torch.log(torch.bincount(y, minlength=CLASSES) / len(y))
    weights = dict(model.named_parameters())

    def adjusted(u: Tensor, strength: Tensor) -> Tensor:
        return cross_entropy(u + strength[y][:, None] * prior, y)

    def take() -> None:
        u = model(x)
        slopes = torch.autograd.grad(adjusted(u, tau), list(weights.values()), create_graph=True)
        moved = {name: w - RATE * s for (name, w), s in zip(weights.items(), slopes, strict=True)}
        held = cross_entropy(functional_call(model, moved, (x,)), y)
        (slope,) = torch.autograd.grad(held, tau, retain_graph=True)
        tau.data.sub_(RATE * slope)
        adjusted(u, tau.detach()).backward()
        optimizer.step()
        optimizer.zero_grad()

    return take


def row(name: str, device: torch.device, rows: int, repeats: int) -> str:
    """A line of the table."""
    x, y = torch.rand(rows, 3, 32, 32, device=device), torch.arange(rows, device=device) % CLASSES
    made: list[nn.Module] = []
    for _ in range(4):
        torch.manual_seed(0)
        made.append(MODELS[name]().to(device))
    takes: Mapping[str, Take] = {
        "plain": compiled("plain", made[0], x, y),
        "second": compiled(taxo.parse(LEARNED % "second"), made[1], x, y),
        "first": compiled(taxo.parse(LEARNED % "first"), made[2], x, y),
        "by hand": by_hand(made[3], x, y),
    }
    turns = [[seconds(take, device) for take in takes.values()] for _ in range(repeats + 5)][5:]
    cells = f"{name:<20}{1e3 * median(turn[0] for turn in turns):>10.2f}"
    for column in range(1, len(takes)):
        low, middle, high = quantiles([turn[column] / turn[0] for turn in turns], n=4)
        cells += f"{middle:>8.2f} ({low:.2f} to {high:.2f})"
    return cells


@kept_memory()
def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=list(MODELS), metavar="MODEL")
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu", type=torch.device)
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    print(f"batches of {flags.rows}, {flags.threads} threads, {flags.device}, torch {torch.__version__}")
    print(f"{'':<20}{'plain, ms':>10}{'second order':>22}{'first order':>22}{'by hand':>22}")
    for name in flags.models:
        print(row(name, flags.device, flags.rows, flags.repeats), flush=True)


if __name__ == "__main__":
    main()
