"""What can be wrong with a batch, as far as it shows without waiting for a device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from taxo.language.errors import fail

SUMS = 1e-2  # how far from 1 a row of labels may sum: half precision, and many classes, round
ROUNDING = 1e-4  # how far an input may lie outside its box


def views_of(x: Tensor | Sequence[Tensor], wanted: int, name: str) -> tuple[Tensor, ...]:
    """The views of a batch: one tensor, or as many as the method wants."""
    views = (x,) if isinstance(x, Tensor) else tuple(x)
    if len(views) != wanted:
        hint = f"call `step([first, ...], y, index)` with {wanted} views of the same samples"
        if wanted == 1:
            hint = "call `step(x, y, index)` with one tensor"
        fail("T401", f"`{name}` takes {wanted} views of a batch and was given {len(views)}", None, hint)
    return views


def check_labels(x: Tensor, y: Tensor, classes: int, compares: bool = True) -> Tensor:
    """One label for each sample: a class, or a distribution over the classes; or what else is to be met."""
    if not compares and y.is_floating_point():
        return y[:, None] if y.dim() == 1 else y
    soft = y.is_floating_point()
    if y.dim() != 1 + soft or (soft and y.shape[1] != classes):
        kind = f"{list(y.shape)} of {str(y.dtype).removeprefix('torch.')}"
        hint = f"give classes as integers [B], or distributions [B, {classes}]"
        fail("T407", f"the labels are {kind}", None, hint)
    if len(x) != len(y):
        fail("T407", f"{len(x)} samples, {len(y)} labels", None, "one label for each sample")
    if soft:
        _check_rows(y)
        return y
    _check_range("T407", "label", y, classes)
    return y.long()


def _check_rows(y: Tensor) -> None:
    """Labels that are distributions: no entry below zero, every row's sum one."""
    if y.device.type != "cpu" or not y.numel() or torch.compiler.is_compiling():
        return
    least, most = torch.aminmax(y.detach().sum(1, dtype=torch.float64))
    if float(y.detach().min()) < -SUMS or float(least) < 1 - SUMS or float(most) > 1 + SUMS:
        message = f"the soft labels sum to {float(least):.4g} up to {float(most):.4g}"
        fail("T407", message, None, "give distributions: no entry below 0, each row's sum 1")


def check_index(x: Tensor, index: Tensor | None, samples: int, name: str) -> Tensor:
    """Each sample's place in the data set, in the type that torch indexes with."""
    if index is None:
        message = f"`{name}` keeps a table per sample and was given no index"
        fail("T406", message, None, "call `step(x, y, index)` with each sample's place in the data set")
    if index.dim() != 1 or index.is_floating_point():
        kind = f"{list(index.shape)} of {str(index.dtype).removeprefix('torch.')}"
        fail("T406", f"the indices are {kind}", None, "give one whole number for each sample")
    if len(index) != len(x):
        fail("T406", f"{len(x)} samples, {len(index)} indices", None, "one index for each sample")
    _check_range("T406", "index", index, samples)
    return index.long()


def check_width(u: Tensor, samples: int, classes: int, whose: str = "model") -> None:
    """A row of logits for each sample, one for each class."""
    if u.dim() != 2 or u.shape[1] != classes or len(u) != samples:
        hint = "set `classes=` to the width of the model's output"
        fail("T405", f"the {whose} returned {list(u.shape)}, not [{samples}, {classes}]", None, hint)


def by_name(views: object) -> dict[str, object]:
    """The views of a batch by name; what is no list of them is one."""
    if isinstance(views, (list, tuple)):
        return {f"x[{number}]": view for number, view in enumerate(cast("Sequence[object]", views))}
    return {"x": views}


def check_tensors(**given: object) -> None:
    """A batch is made of tensors."""
    for name, value in given.items():
        if value is not None and not isinstance(value, Tensor):
            fail("T401", f"`{name}` is a `{type(value).__name__}`, no tensor", None, "give tensors")


def check_real(x: Tensor) -> None:
    """Inputs that something is added to: a sum of integers would be rounded to one."""
    if not x.is_floating_point():
        kind = str(x.dtype).removeprefix("torch.")
        hint = "perturb them `at embedding`, or give real numbers"
        fail("T408", f"the inputs are of {kind}, and `features` are perturbed", None, hint)


def check_inputs(x: Tensor, low: float, high: float) -> None:
    """A box pulls inputs onto it, however small the radius: those outside are a mistake."""
    if x.device.type != "cpu" or not x.numel() or torch.compiler.is_compiling():
        return
    least, most = map(float, x.detach().aminmax())
    if least < low - ROUNDING or most > high + ROUNDING:
        message = f"the inputs reach from {least:.3g} to {most:.3g}, outside the box [{low:g}, {high:g}]"
        fail("T408", message, None, "make normalisation the model's first layer, or set the box")


def _check_range(code: str, what: str, values: Tensor, count: int) -> None:
    if values.device.type != "cpu" or not values.numel() or torch.compiler.is_compiling():
        return
    least, most = map(int, values.aminmax())
    if not 0 <= least <= most < count:
        fail(
            code,
            f"{what} from {least} to {most}, outside 0 to {count - 1}",
            None,
            f"there are {count} in all",
        )
