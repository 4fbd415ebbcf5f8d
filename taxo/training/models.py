"""The models a run can train; those of layers take inputs in [0, 1] and normalise them in the first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import NoReturn

import torch
from torch import Tensor, nn

from taxo.language.errors import fail
from taxo.training import attentive, elsewhere, hub, residual, seeds
from taxo.training.data import Data
from taxo.training.inputs import sampled
from taxo.training.readers import check_model
from taxo.training.residual import named
from taxo.training.shapes import Centres, Rigid


@dataclass(frozen=True, slots=True)
class Shape:
    """What a model must know of the data: one sample's shape, the number of outputs, training samples."""

    sample: tuple[int, ...]
    classes: int
    rows: Tensor

    @property
    def texts(self) -> bool:
        """Whether samples are numbers of words."""
        return not self.rows.is_floating_point()


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


def _linear(shape: Shape) -> nn.Module:
    flat = nn.Flatten()
    return named(nn.Linear(prod(shape.sample), shape.classes), (), [flat])


def _mlp(shape: Shape) -> nn.Module:
    layers = [
        [nn.Flatten(), nn.Linear(prod(shape.sample), 256), nn.ReLU()],
        [nn.Linear(256, 256), nn.ReLU()],
    ]
    return named(nn.Linear(256, shape.classes), (), *layers)


def _convolution(narrow: int, wide: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(narrow, wide, 3, stride, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()]


def _cnn(shape: Shape) -> nn.Module:
    channels, *sides = _image(shape, "cnn")
    # of images that are as small already torch would make a copy, in a fifth of a step
    small = all(-(-side // 4) == 2 for side in sides)
    # strides rather than pooling: on a CPU, pooling alone would take longer than all of this
    layers = [
        _convolution(channels, 32, stride=2),
        _convolution(32, 64, stride=2),
        [
            nn.Identity() if small else nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(64 * 4, 128),
            nn.ReLU(),
        ],
    ]
    return named(nn.Linear(128, shape.classes), (), *layers)


def _resnet(depth: int) -> Make:
    return lambda shape: residual.resnet(depth, _image(shape, f"resnet{depth}")[0], shape.classes)


def _wide(depth: int, width: int) -> Make:
    name = f"wrn_{depth}_{width}"
    return lambda shape: residual.wide_resnet(depth, width, _image(shape, name)[0], shape.classes)


def _preact(shape: Shape) -> nn.Module:
    return residual.preact_resnet18(_image(shape, "preact_resnet18")[0], shape.classes)


def _vit(shape: Shape) -> nn.Module:
    channels, height, width = _image(shape, "vit_s_16")
    return attentive.vit(channels, height, width, shape.classes)


def _bilstm(shape: Shape) -> nn.Module:
    if shape.texts:
        # words of other texts that these do not have are the first one, so that there are at least two
        return attentive.Recurrent(max(2, int(shape.rows.max()) + 1), shape.classes)
    _no_texts("bilstm", shape)


def _understanding(name: str, shape: Shape) -> nn.Module:
    if shape.texts:
        return hub.model(name, shape.classes)
    _no_texts(name, shape)


def _no_texts(name: str, shape: Shape) -> NoReturn:
    help = "use `--data text:PATH`, or another model"
    fail("T504", f"model `{name}` reads texts, not samples of shape {list(shape.sample)}", help=help)


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


Make = Callable[[Shape], nn.Module]
DEPTHS = (20, 32, 44, 56, 110)
MODELS: dict[str, Make] = {
    "cnn": _cnn,
    "mlp": _mlp,
    "linear": _linear,
    **{f"resnet{depth}": _resnet(depth) for depth in DEPTHS},
    "preact_resnet18": _preact,
    "wrn_28_10": _wide(28, 10),
    "wrn_40_2": _wide(40, 2),
    "vit_s_16": _vit,
    "bilstm": _bilstm,
    "centres": _centres,
    "rigid": _rigid,
}
# their distances are those of the inputs themselves
PLACED = ("centres", "rigid")
READING = ("bilstm",)


def build(name: str, data: Data, seed: int, outputs: int | None = None) -> nn.Module:
    """The named model for `data`, on its device, with the initial weights of `seed`."""
    x = sampled(data.train.inputs)
    shape = Shape(tuple(x.shape[1:]), outputs or data.classes, x.cpu())
    # torch's initialisers read the global generator only: give it back as it was
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.number(seed, "model"))
        body = _made(name, shape)
    if shape.texts:
        return body.to(x.device)
    first = {} if name in PLACED else {"normalize": Normalize(x)}
    # a model of another's making runs as its own code says, and not part by part
    parts = dict(body.named_children()) if isinstance(body, nn.Sequential) else {"body": body}
    return nn.Sequential(OrderedDict[str, nn.Module]({**first, **parts})).to(x.device)


def _made(name: str, shape: Shape) -> nn.Module:
    if name in MODELS and (shape.texts <= (name in READING)):
        return MODELS[name](shape)
    if shape.texts and not hub.is_named(name):
        fail("T504", f"model `{name}` takes numbers, not texts", help="use `--model bilstm`")
    check_model(name)
    if hub.is_named(name):
        return _understanding(name, shape)
    _image(shape, name)
    return elsewhere.model(name, shape.classes)
