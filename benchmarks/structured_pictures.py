"""What the structured sets make of images, to look at: `python benchmarks/structured_pictures.py OUT.png`.

A small net learns digits (or `--data photos`). Then each row is an image that it has not seen: the image, the
raw gradient of its loss, the motion, the image bent along it, the change of colours, and the image that this
gives. A motion's colour is which way and how far; grey is no change. It wants pillow.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.ops.features import warp
from taxo.ops.flow import SmoothFlow
from taxo.ops.pictures import motionless
from taxo.ops.recolor import Recolor
from taxo.ops.sets import Box
from taxo.ops.solvers import leaf, linearized, pgd, slope
from taxo.training import loaders

GAP = 4


def net(channels: int, side: int, classes: int) -> nn.Module:
    """A small convolutional net."""
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(channels, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * (side // 4) ** 2, classes)),
    )


def learned(x: Tensor, y: Tensor, classes: int) -> nn.Module:
    """The net after some epochs of plain training."""
    model = net(x.shape[1], x.shape[2], classes)
    step = taxo.compile("plain", model, classes=classes)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for _ in step.epochs(4):
        for index in torch.randperm(len(x)).split(64):
            step(x[index], y[index]).backward()
            optimizer.step()
            optimizer.zero_grad()
    return model.eval()


def around_grey(change: Tensor) -> Tensor:
    """A change as a picture, each made as strong as fits."""
    largest = change.abs().flatten(1).amax(1).clamp(min=1e-12)
    return 0.5 + 0.5 * change / largest[:, None, None, None]


def coloured(motion: Tensor) -> Tensor:
    """A field as a picture: down and up in green and magenta, right and left in orange and blue."""
    down, right = around_grey(motion).unbind(1)
    return torch.stack([right, down, 1 - right], 1)


def columns(model: nn.Module, x: Tensor, y: Tensor, size: float, radius: float) -> tuple[list[Tensor], str]:
    """The pictures of each column, and the losses in words."""

    def losses(inputs: Tensor) -> Tensor:
        return functional.cross_entropy(model(inputs), y, reduction="none")

    here = leaf(x)
    raw = slope(losses(here).sum(), here)
    motion = pgd(
        lambda m: losses(warp(x, m)).sum(), motionless(x), [SmoothFlow(10, size)], 1, size, maximize=True
    )
    change = linearized(raw, [Recolor(x, 1, radius), Box(x, 0.0, 1.0)], maximize=True)
    bent, recoloured = warp(x, motion), x + change
    means = [float(losses(one).detach().mean()) for one in (x, bent, recoloured)]
    text = "mean loss {:.3f}, bent {:.3f}, recoloured {:.3f}".format(*means)
    return [x, around_grey(raw), coloured(motion), bent, around_grey(change), recoloured], text


def sheet(pictures: list[Tensor], scale: int) -> Any:
    """One row for each image, one column for each kind of picture."""
    wide = [one.expand(-1, 3, -1, -1).detach().clamp(0, 1) for one in pictures]
    large = [functional.interpolate(one, scale_factor=scale, mode="nearest") for one in wide]
    framed = [functional.pad(one, (GAP, GAP, GAP, GAP), value=1.0) for one in large]
    rows = torch.cat([torch.cat([*one], 1) for one in framed], 2)
    pixels = (255 * rows.permute(1, 2, 0)).round().to(torch.uint8)
    return import_module("PIL.Image").fromarray(pixels.numpy())


def main() -> None:
    """Draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data", choices=["digits", "mnist5k", "photos"], default="digits")
    parser.add_argument("--rows", type=int, default=6)
    parser.add_argument("--size", type=float, default=1.0)
    parser.add_argument("--radius", type=float, default=0.1)
    flags = parser.parse_args()
    found = getattr(loaders, flags.data)()
    x, y = torch.tensor(found.x), torch.tensor(found.y)
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    unseen, seen = order[: flags.rows], order[flags.rows :]
    model = learned(x[seen], y[seen], found.classes)
    pictures, text = columns(model, x[unseen], y[unseen], flags.size, flags.radius)
    sheet(pictures, max(128 // x.shape[-1], 1)).save(flags.out)
    print(f"{flags.out}: image, gradient, motion, bent, change, recoloured; {text}")


if __name__ == "__main__":
    main()
