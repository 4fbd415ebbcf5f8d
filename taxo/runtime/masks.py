"""Passes that draw the same random numbers: dropout masks are equal in both passes of a step."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import nn


def same_masks(model: nn.Module, wanted: bool) -> AbstractContextManager[object]:
    """Give torch's own generators back as they were, so that the next pass draws what this one drew."""
    return _given_back(model) if wanted and not torch.compiler.is_compiling() else nullcontext()


@contextmanager
def _given_back(model: nn.Module) -> Generator[None]:
    devices = {weight.device for weight in model.parameters() if weight.device.type != "cpu"}
    before = torch.get_rng_state()
    others = {device: torch.get_device_module(device).get_rng_state(device) for device in devices}
    yield
    torch.set_rng_state(before)
    for device, state in others.items():
        torch.get_device_module(device).set_rng_state(state, device)
