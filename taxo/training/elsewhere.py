"""The models of torchvision, which is loaded only where one of them is asked for."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from torch import nn

# Operators that a torchvision whose binary does not fit torch's declares too late; no model needs them.
_OPERATORS = {
    "torchvision::nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def is_installed() -> bool:
    """Whether there is a torchvision to ask."""
    return find_spec("torchvision") is not None


def names() -> list[str]:
    """The models that classify images."""
    models = _models()
    listed = cast("Callable[..., list[str]]", models.list_models)
    return listed(module=models)


def model(name: str, classes: int) -> nn.Module:
    """One of them, new, with a head for so many classes."""
    make = cast("Callable[..., nn.Module]", _models().get_model)
    return make(name, weights=None, num_classes=classes)


def _models() -> ModuleType:
    try:
        return import_module("torchvision.models")
    except RuntimeError as error:
        if not any(f"operator {name} does not exist" in str(error) for name in _OPERATORS):
            raise
    import torch

    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    for name, schema in _OPERATORS.items():
        torch.library.define(name, schema)
    return import_module("torchvision.models")
