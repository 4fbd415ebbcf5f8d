"""Passes that draw the same random numbers: dropout masks are equal in both passes of a step."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn


@contextmanager
def same_masks(model: nn.Module, wanted: bool) -> Generator[None]:
    """Give torch's own generators back as they were, so that the next pass draws what this one drew."""
    if not wanted or torch.compiler.is_compiling():
        yield
        return
    devices = {weight.device for weight in model.parameters() if weight.device.type != "cpu"}
    before = torch.get_rng_state()
    others = {device: torch.get_device_module(device).get_rng_state(device) for device in devices}
    yield
    torch.set_rng_state(before)
    for device, state in others.items():
        torch.get_device_module(device).set_rng_state(state, device)
