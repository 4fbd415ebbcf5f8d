"""Residual networks for small images, with the names that methods look for: stem, `layer1` and on, `fc`."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional


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


class EarlyBlock(nn.Module):
    """Two convolutions, each behind its norm, and a shortcut, which is a convolution where shapes differ."""

    def __init__(self, narrow: int, wide: int, stride: int) -> None:
        super().__init__()
        self.first_norm = nn.BatchNorm2d(narrow)
        self.first = nn.Conv2d(narrow, wide, 3, stride, padding=1, bias=False)
        self.second_norm = nn.BatchNorm2d(wide)
        self.second = nn.Conv2d(wide, wide, 3, padding=1, bias=False)
        same = stride == 1 and narrow == wide
        self.shortcut = None if same else nn.Conv2d(narrow, wide, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, at half the resolution when the stride is 2."""
        active = functional.relu(self.first_norm(x))
        hidden = self.second(functional.relu(self.second_norm(self.first(active))))
        return hidden + (x if self.shortcut is None else self.shortcut(active))


def named(head: nn.Module, stem: Sequence[nn.Module] = (), *layers: Sequence[nn.Module]) -> nn.Module:
    """The parts by the names that methods look for: a stem if any, `layer1` and on, and `fc`."""
    parts = {f"layer{number}": nn.Sequential(*layer) for number, layer in enumerate(layers, 1)}
    first = {"stem": nn.Sequential(*stem)} if stem else {}
    return nn.Sequential(OrderedDict[str, nn.Module]({**first, **parts, "fc": head}))


def resnet(depth: int, channels: int, classes: int) -> nn.Module:
    """The network of `6 n + 2` layers that He et al. 2016 made for CIFAR-10."""
    stem = [nn.Conv2d(channels, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    layers = [
        _layer(Block, narrow, wide, (depth - 2) // 6, 1 if narrow == wide else 2)
        for narrow, wide in ((16, 16), (16, 32), (32, 64))
    ]
    pooled = [*layers[2], nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return _started(named(nn.Linear(64, classes), stem, layers[0], layers[1], pooled))


def wide_resnet(depth: int, width: int, channels: int, classes: int) -> nn.Module:
    """The network of `6 n + 4` layers, `width` times as wide (Zagoruyko & Komodakis 2016)."""
    widths = (16, 16 * width, 32 * width, 64 * width)
    return _early(widths, (depth - 4) // 6, (1, 2, 2), channels, classes)


def preact_resnet18(channels: int, classes: int) -> nn.Module:
    """ResNet-18 with its norms before its convolutions (He et al. 2016b), its stem for small images."""
    return _early((64, 64, 128, 256, 512), 2, (1, 2, 2, 2), channels, classes)


def _early(
    widths: Sequence[int], count: int, strides: Sequence[int], channels: int, classes: int
) -> nn.Module:
    stem = [nn.Conv2d(channels, widths[0], 3, padding=1, bias=False)]
    layers = [
        _layer(EarlyBlock, narrow, wide, count, stride)
        for (narrow, wide), stride in zip(pairwise(widths), strides, strict=True)
    ]
    last = [nn.BatchNorm2d(widths[-1]), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return _started(named(nn.Linear(widths[-1], classes), stem, *layers[:-1], [*layers[-1], *last]))


def _layer(
    block: type[Block] | type[EarlyBlock], narrow: int, wide: int, count: int, stride: int
) -> list[nn.Module]:
    return [block(narrow, wide, stride), *(block(wide, wide, 1) for _ in range(count - 1))]


def _started(model: nn.Module) -> nn.Module:
    """The model with weights as He et al. 2015 draw them, so that deep ones train."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
    return model
