"""Steps under `torch.inference_mode`, whose tensors no search could take a gradient at."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TypeVar

import torch
from torch import Tensor

Given = TypeVar("Given", Tensor, Tensor | None)


def searchable() -> AbstractContextManager[object]:
    """Leave inference mode for the time of a step, which then has no gradient outside its own searches."""
    return _left() if torch.is_inference_mode_enabled() else nullcontext()


@contextmanager
def _left() -> Generator[None]:
    with torch.inference_mode(False), torch.no_grad():
        yield


def ordinary(value: Given) -> Given:
    """The tensor, copied where it was made in inference mode."""
    return value.clone() if value is not None and value.is_inference() else value
