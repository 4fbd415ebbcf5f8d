"""Passes that draw the same random numbers: dropout masks are equal in both passes of a step."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch
from torch import Tensor, nn

States = dict[torch.device, Tensor]
CPU = torch.device("cpu")


def same_masks(model: nn.Module, wanted: bool) -> AbstractContextManager[object]:
    """Give torch's own generators back as they were, so that the next pass draws what this one drew."""
    return drawing_again(model) if wanted and not torch.compiler.is_compiling() else nullcontext()


def states(model: nn.Module) -> States:
    """Where torch's own generators stand, on the devices of a model."""
    return _states({weight.device for weight in model.parameters()})


@contextmanager
def drawing_again(model: nn.Module, drawn: States | None = None) -> Generator[None]:
    """Draw what was drawn from some states on, by default from now on, and leave torch's generators alone."""
    before = states(model) if drawn is None else _states(drawn)
    _put(drawn or {})
    try:
        yield
    finally:
        _put(before)


def _states(devices: Iterable[torch.device]) -> States:
    others = [device for device in devices if device.type != "cpu"]
    found = {device: torch.get_device_module(device).get_rng_state(device) for device in others}
    return {CPU: torch.get_rng_state(), **found}


def _put(drawn: States) -> None:
    for device, state in drawn.items():
        if device.type == "cpu":
            torch.set_rng_state(state)
        else:
            torch.get_device_module(device).set_rng_state(state, device)
