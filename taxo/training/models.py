"""The models a run can train; those of layers take inputs in [0, 1] and normalise them in the first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from taxo.language.errors import fail, suggest
from taxo.training import seeds
from taxo.training.data import Data
from taxo.training.settings import MODEL_NAMES
from taxo.training.shapes import Centres, Rigid


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model must know of the data: one sample's shape, the number of outputs, training samples."""

    sample: tuple[int, ...]
    classes: int
    rows: Tensor


class Normalize(nn.Module):
    """Subtract the channels' means and divide by their deviations, so that radii stay in input units."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, x: Tensor) -> None:
        super().__init__()
        axes = [0, *range(2, x.dim())]
        self.register_buffer("mean", x.mean(axes, keepdim=True))
        # a channel that never varies (a constant column) is left as it is rather than divided by zero
        self.register_buffer("deviation", x.std(axes, keepdim=True).clamp_min(1e-3))

    def forward(self, x: Tensor) -> Tensor:
        """The normalised batch."""
        return (x - self.mean) / self.deviation


class Block(nn.Module):
    """Two convolutions and a shortcut without parameters (He et al. 2016, option A)."""

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(narrow, wide, 3, stride, padding=1, bias=False)
        self.first_norm = nn.BatchNorm2d(wide)
        self.second = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(wide)
        self.stride = stride
        self.missing = wide - narrow

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, at half the resolution when the stride is 2."""
        hidden = functional.relu(self.first_norm(self.first(x)))
        shortcut = x[:, :, :: self.stride, :: self.stride]
        shortcut = functional.pad(shortcut, (0, 0, 0, 0, 0, self.missing))
        return functional.relu(self.second_norm(self.second(hidden)) + shortcut)


def _linear(shape: Shape) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(prod(shape.sample), shape.classes))


def _mlp(shape: Shape) -> nn.Module:
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(prod(shape.sample), 256),
        nn.ReLU(),
        nn.Linear(256, 256),
        nn.ReLU(),
        nn.Linear(256, shape.classes),
    )


def _convolution(narrow: int, wide: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(narrow, wide, 3, stride, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]


def _cnn(shape: Shape) -> nn.Module:
    channels = _image(shape, "cnn")[0]
    # strides rather than pooling: on a CPU, pooling alone would take longer than all of this
    return nn.Sequential(
        *_convolution(channels, 32, stride=2),
        *_convolution(32, 64, stride=2),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(64 * 4, 128),
        nn.ReLU(),
        nn.Linear(128, shape.classes),
    )


def _resnet20(shape: Shape) -> nn.Module:
    channels = _image(shape, "resnet20")[0]
    widths = (16, *[16] * 3, *[32] * 3, *[64] * 3)
    blocks = [Block(narrow, wide, 1 if narrow == wide else 2) for narrow, wide in pairwise(widths)]
    head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, shape.classes)]
    return nn.Sequential(*_convolution(channels, 16), *blocks, *head)


def _centres(shape: Shape) -> nn.Module:
    return Centres(shape.rows, shape.classes, torch.default_generator)


def _rigid(shape: Shape) -> nn.Module:
    if shape.sample == (shape.classes,):
        return Rigid(shape.classes)
    fail(
        "T504",
        f"model `rigid` moves points, not samples of shape {list(shape.sample)}",
        help="use `--data playground:points`, or another model",
    )


def _image(shape: Shape, name: str) -> tuple[int, ...]:
    if len(shape.sample) == 3:
        return shape.sample
    fail(
        "T504",
        f"model `{name}` takes images, not samples of shape {list(shape.sample)}",
        help="use `--model mlp`",
    )


MODELS: dict[str, Callable[[Shape], nn.Module]] = {
    "cnn": _cnn,
    "mlp": _mlp,
    "linear": _linear,
    "resnet20": _resnet20,
    "centres": _centres,
    "rigid": _rigid,
}
# their distances are those of the inputs themselves
PLACED = ("centres", "rigid")


def build(name: str, data: Data, seed: int, outputs: int | None = None) -> nn.Module:
    """The named model for `data`, on its device, with the initial weights of `seed`."""
    if name not in MODELS:
        fail("T504", f"no model `{name}`", help=suggest(name, MODEL_NAMES))
    x = data.train.x
    shape = Shape(tuple(x.shape[1:]), outputs or data.classes, x.cpu())
    # torch's initialisers read the global generator only: give it back as it was
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.number(seed, "model"))
        body = MODELS[name](shape)
    model = nn.Sequential(body) if name in PLACED else nn.Sequential(Normalize(x), body)
    return model.to(x.device)
