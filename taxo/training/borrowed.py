"""Corruptions of the package `imagecorruptions`, which is loaded only where one of them is asked for.

It works on bytes on the CPU, one image after the other, with the constants published for 224 x 224 images.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from importlib.util import find_spec
from inspect import signature
from typing import TYPE_CHECKING, Any, cast

from taxo.language.errors import fail

if TYPE_CHECKING:
    import torch
    from numpy import uint8
    from numpy.typing import NDArray
    from torch import Tensor

PACKAGE = "imagecorruptions"
SMALLEST = 32


def check(name: str) -> None:
    """T503 where the package that corrupts so is not installed."""
    if find_spec(PACKAGE) is None:
        message = f"`{name}` needs the package `{PACKAGE}`, which is not installed"
        fail("T503", message, help="pip install 'taxo[corruptions]'")


def check_shape(name: str, shape: Sequence[int]) -> None:
    """T503 for images that the package does not take."""
    if len(shape) != 4:
        fail("T503", f"`{name}` takes images, not inputs of shape {[*shape]}", help="leave it out")
    channels, height, width = shape[1:]
    if channels not in (1, 3):
        fail("T503", f"`{name}` takes images of one channel or three, not of {channels}", help="leave it out")
    if min(height, width) < SMALLEST:
        message = f"`{name}` takes images of at least {SMALLEST} × {SMALLEST} pixels, not {height} × {width}"
        fail("T503", message, help="take a corruption written in torch, such as `fog`")


def corrupted(x: Tensor, name: str, severity: int, generator: torch.Generator) -> Tensor:
    """Images [B, C, H, W] in [0, 1], each corrupted by the package with a seed that the generator draws."""
    import numpy
    import torch

    check(name)
    check_shape(name, x.shape)
    drawn = torch.randint(2**31, (len(x),), generator=generator, device=x.device)
    seeds = cast("list[int]", drawn.tolist())
    pixels = (x.expand(-1, 3, -1, -1).clamp(0, 1) * 255).round().to(torch.uint8).movedim(1, -1).cpu().numpy()
    with _left_alone():
        how = import_module(PACKAGE).corruption_dict[name]
        parts = [_one(image, how, severity, seed) for image, seed in zip(pixels, seeds, strict=True)]
    found = torch.from_numpy(numpy.stack(parts)).movedim(-1, 1).to(x.device, x.dtype) / 255
    return found.mean(1, keepdim=True) if x.shape[1] == 1 else found


def _one(image: NDArray[uint8], how: Callable[..., Any], severity: int, seed: int) -> NDArray[uint8]:
    """One image in three colours; where the package finds no number, the image is as it was."""
    import numpy

    # what draws by other means than numpy's global state takes a seed
    own = {"seed": seed} if "seed" in signature(how).parameters else {}
    numpy.random.seed(seed)
    picture = import_module("PIL.Image").fromarray(numpy.ascontiguousarray(image))
    found = numpy.asarray(how(picture, severity, **own))
    return numpy.where(numpy.isfinite(found), found, image).astype(numpy.uint8)


@contextmanager
def _left_alone() -> Generator[None]:
    """Numpy's global random state comes back as it was; nothing is printed, and nobody warned."""
    import numpy

    before = numpy.random.get_state()
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        numpy.random.set_state(before)
