"""Which device a run uses, and how torch is set up while it runs."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager

import torch

from taxo.language.errors import fail
from taxo.training.settings import Settings


def pick(name: str) -> torch.device:
    """The device of that name; `auto` takes a GPU where there is one."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        fail("T505", "no device `cuda` on this machine", help="use `--device cpu`, or leave it out")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


@contextmanager
def determinism(settings: Settings) -> Generator[None]:
    """Only deterministic kernels within the block, if the settings ask for them."""
    before = torch.are_deterministic_algorithms_enabled()
    if settings.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(before or settings.deterministic)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def describe(device: torch.device) -> str:
    """The device's name as a person would say it."""
    return (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"cpu, {torch.get_num_threads()} threads"
    )
