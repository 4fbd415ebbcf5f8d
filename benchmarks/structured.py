"""What the structured sets cost beside dense matrices over all pixels: `python benchmarks/structured.py`.

Each way runs in a process of its own, on a batch of pictures and of gradients, and says how long its best
point took and how much memory it had at most beyond its arguments. A dense matrix is made and factorised once
for a size of motions and for every picture to be recoloured; that is part of its first time.
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

from taxo.ops.flow import SmoothFlow
from taxo.ops.recolor import Recolor

GAMMA, LAM, RIDGE = 10.0, 1.0, 0.01
Solver = Callable[[Tensor], Tensor]


def neighbours(bonds_below: Tensor, bonds_right: Tensor) -> Tensor:
    """The dense matrix of weighted squared differences between the pixels of one picture."""
    height, width = bonds_right.shape[0], bonds_below.shape[1]
    pixels = torch.arange(height * width).view(height, width)
    matrix = torch.zeros(height * width, height * width)
    diagonal = matrix.diagonal()
    pairs = ((pixels[:-1], pixels[1:], bonds_below), (pixels[:, :-1], pixels[:, 1:], bonds_right))
    for one, other, bonds in pairs:
        i, j, weight = one.flatten(), other.flatten(), bonds.flatten()
        matrix[i, j] = matrix[j, i] = -weight
        diagonal.index_add_(0, i, weight)
        diagonal.index_add_(0, j, weight)
    return matrix


def dense_flow(x: Tensor) -> Solver:
    """One factorised matrix for all pictures of a size."""
    height, width = x.shape[-2:]
    matrix = GAMMA * neighbours(torch.ones(height - 1, width), torch.ones(height, width - 1))
    matrix.diagonal().add_(1)
    factor = torch.linalg.cholesky(matrix)
    del matrix

    def solve(g: Tensor) -> Tensor:
        rows = g.flatten(2).flatten(0, 1)
        way = torch.cholesky_solve(rows.T, factor).T.view_as(g)
        counted = (way * g).flatten(1).sum(1) / (height * width)
        return way / counted.sqrt()[:, None, None, None]

    return solve


def dense_recolor(x: Tensor) -> Solver:
    """A matrix for every picture."""

    def solve(g: Tensor) -> Tensor:
        rows = list[Tensor]()
        for picture, slopes in zip(x, g, strict=True):
            below, right = (
                LAM / RIDGE / (1 + picture.diff(dim=axis).square().mean(0) / 0.1**2) for axis in (-2, -1)
            )
            matrix = neighbours(below, right)
            matrix.diagonal().add_(1)
            way = torch.cholesky_solve(slopes.flatten(1).T, torch.linalg.cholesky(matrix)).T.view_as(slopes)
            rows.append(way / ((way * slopes).sum() / slopes.numel()).sqrt())
        return torch.stack(rows)

    return solve


WAYS: dict[str, Callable[[Tensor], Solver]] = {
    "flow": lambda x: lambda g: SmoothFlow(GAMMA, 1.0).furthest([g])[0],
    "flow, dense": dense_flow,
    "recolor": lambda x: lambda g: Recolor(x, LAM, 1.0, RIDGE).furthest([g])[0],
    "recolor, rank 16": lambda x: lambda g: Recolor(x, LAM, 1.0, RIDGE, rank=16).furthest([g])[0],
    "recolor, dense": dense_recolor,
}


def most() -> float:
    """The most memory that this process has had, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def pictures(rows: int, side: int) -> Tensor:
    """Pictures of flat regions: noise on a coarse grid, made larger, in a few steps of brightness."""
    dice = torch.Generator().manual_seed(0)
    coarse = torch.rand(rows, 3, max(side // 8, 2), max(side // 8, 2), generator=dice)
    return (4 * torch.nn.functional.interpolate(coarse, size=side, mode="bilinear")).round() / 4


def run(way: str, side: int, rows: int, repeats: int) -> None:
    """Print the times, the memory, and a sum that shows what was computed."""
    x = pictures(rows, side)
    channels = 2 if way.startswith("flow") else 3
    g = torch.randn(rows, channels, side, side, generator=torch.Generator().manual_seed(1))
    before, times, found = most(), list[float](), g
    begun = time.perf_counter()
    solve = WAYS[way](x)
    for _ in range(repeats):
        found = solve(g)
        times.append(time.perf_counter() - begun)
        begun = time.perf_counter()
    again, gain = median(times[1:] or times), float((found * g).double().sum())
    print(
        f"{way:<18}{side:>5}{times[0]:>11.3f}{again:>11.3f}{most() - before:>11.0f}{gain:>16.4f}", flush=True
    )


def main() -> None:
    """Run each way at each size in a process of its own; a size too large for memory ends only that one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sides", type=int, nargs="+", default=[28, 32, 64, 96, 128, 224])
    parser.add_argument("--dense-sides", type=int, nargs="+", default=[28, 32, 64, 96])
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--way", choices=list(WAYS))
    parser.add_argument("--side", type=int)
    flags = parser.parse_args()
    torch.set_num_threads(flags.threads)
    if flags.way:
        run(flags.way, flags.side, flags.rows, flags.repeats)
        return
    print(f"{flags.rows} pictures, {flags.threads} threads, torch {torch.__version__}")
    print(f"{'':<18}{'side':>5}{'first s':>11}{'again s':>11}{'MiB more':>11}{'gain':>16}", flush=True)
    for way in flags.ways:
        for side in flags.dense_sides if way.endswith("dense") else flags.sides:
            one = ["--way", way, "--side", str(side)]
            shared = ["--rows", str(flags.rows), "--repeats", str(flags.repeats)]
            command = [sys.executable, __file__, *one, *shared, "--threads", str(flags.threads)]
            if subprocess.run(command).returncode:
                print(f"{way:<18}{side:>5}  did not end: out of memory", flush=True)


if __name__ == "__main__":
    main()
