"""The models a run can train; those of layers take inputs in [0, 1] and normalise them in the first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from taxo.language.errors import fail, suggest
from taxo.training import seeds
from taxo.training.choices import MODEL_NAMES
from taxo.training.data import Data
from taxo.training.inputs import sampled
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


def _named(head: nn.Module, stem: Sequence[nn.Module] = (), *layers: Sequence[nn.Module]) -> nn.Module:
    """The parts by the names that methods look for: a stem if any, `layer1` and on, and `fc`."""
    parts = {f"layer{number}": nn.Sequential(*layer) for number, layer in enumerate(layers, 1)}
    first = {"stem": nn.Sequential(*stem)} if stem else {}
    return nn.Sequential(OrderedDict[str, nn.Module]({**first, **parts, "fc": head}))


def _linear(shape: Shape) -> nn.Module:
    flat = nn.Flatten()
    return _named(nn.Linear(prod(shape.sample), shape.classes), (), [flat])


def _mlp(shape: Shape) -> nn.Module:
    layers = [
        [nn.Flatten(), nn.Linear(prod(shape.sample), 256), nn.ReLU()],
        [nn.Linear(256, 256), nn.ReLU()],
    ]
    return _named(nn.Linear(256, shape.classes), (), *layers)


def _convolution(narrow: int, wide: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(narrow, wide, 3, stride, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]


def _cnn(shape: Shape) -> nn.Module:
    channels = _image(shape, "cnn")[0]
    # strides rather than pooling: on a CPU, pooling alone would take longer than all of this
    layers = [
        _convolution(channels, 32, stride=2),
        _convolution(32, 64, stride=2),
        [nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(64 * 4, 128), nn.ReLU()],
    ]
    return _named(nn.Linear(128, shape.classes), (), *layers)


def _resnet20(shape: Shape) -> nn.Module:
    channels = _image(shape, "resnet20")[0]
    stem = _convolution(channels, 16)
    layers = [
        [Block(narrow, wide, 1 if narrow == wide else 2), Block(wide, wide, 1), Block(wide, wide, 1)]
        for narrow, wide in ((16, 16), (16, 32), (32, 64))
    ]
    pooled = [*layers[2], nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return _named(nn.Linear(64, shape.classes), stem, layers[0], layers[1], pooled)


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
    x = sampled(data.train.inputs)
    shape = Shape(tuple(x.shape[1:]), outputs or data.classes, x.cpu())
    # torch's initialisers read the global generator only: give it back as it was
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.number(seed, "model"))
        body = MODELS[name](shape)
    first = {} if name in PLACED else {"normalize": Normalize(x)}
    parts = dict(body.named_children()) or {"body": body}
    return nn.Sequential(OrderedDict[str, nn.Module]({**first, **parts})).to(x.device)
