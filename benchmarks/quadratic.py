"""What the quadratic form of `isda` costs beside the naive one: `python benchmarks/quadratic.py`.

Each way runs in a process of its own, forward and backward, and says how long that took and how much memory
it had at most beyond its arguments. The naive way makes the differences of all class vectors: [B, C, D].
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from taxo.ops.quadratic import quadratic

Form = Callable[[Tensor, Tensor, Tensor], Tensor]


def naive(W: Tensor, M: Tensor, y: Tensor) -> Tensor:
    """The form as it is written in the paper."""
    apart = W - W[y][:, None]
    return ((apart @ M[y]) * apart).sum(-1)


WAYS: dict[str, Form] = {"taxo": quadratic, "naive": naive}


def most() -> float:
    """The most memory that this process has had, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def arguments(classes: int, features: int, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    dice = torch.Generator().manual_seed(0)
    W = torch.randn(classes, features, generator=dice).requires_grad_()
    M = torch.empty(classes, features, features).normal_(generator=dice)
    return W, M, torch.randint(classes, (rows,), generator=dice)


def run(way: str, sizes: tuple[int, int, int], repeats: int) -> None:
    """Print the median time, the memory, and a sum that shows what was computed."""
    W, M, y = arguments(*sizes)
    before, times, total = most(), list[float](), 0.0
    for _ in range(repeats):
        begun = time.perf_counter()
        values = WAYS[way](W, M, y)
        values.mean().backward()
        times.append(time.perf_counter() - begun)
        assert W.grad is not None
        total = float(values.detach().double().mean() + W.grad.double().norm())
        W.grad = None
    print(f"{way:<8}{median(times):10.2f}{most() - before:12.0f}{total:16.6f}", flush=True)


def main() -> None:
    """Run each way in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    usual = {"classes": 1000, "features": 512, "rows": 256, "repeats": 3, "threads": 1}
    for name, default in usual.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--way", choices=list(WAYS))
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    if flags.way:
        run(flags.way, (flags.classes, flags.features, flags.rows), flags.repeats)
        return
    sizes = f"C {flags.classes}, D {flags.features}, B {flags.rows}"
    print(f"{sizes}, {flags.threads} threads, torch {torch.__version__}")
    print(f"{'':<8}{'seconds':>10}{'MiB more':>12}{'sum':>16}", flush=True)
    for way in WAYS:
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--way", way], check=True)


if __name__ == "__main__":
    main()
