"""Activation checkpointing inside a pass: what is computed again meets the pass's own weights and norms."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.utils import checkpoint

from taxo.runtime.hooks import Norm

Function = Callable[..., object]
Frames = Callable[..., object]
Modes = dict[nn.Module, dict[str, object]]
Within = Callable[[], AbstractContextManager[object]]
_SWITCHES = ("training", "track_running_stats", "momentum", "num_batches_tracked")
# What torch's `checkpoint` calls for its frames, the function first: by a name of its own since torch 2.15.
_OLDER = "_checkpoint_without_reentrant_generator"
_FRAMES = f"{_OLDER}_impl" if hasattr(checkpoint, f"{_OLDER}_impl") else _OLDER


class _Within(nn.Module):
    """Calls a function while its module has other weights."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, function: Function, *inputs: object, **named: object) -> object:
        return function(*inputs, **named)


def recomputed(
    module: nn.Module, weights: Mapping[str, Tensor], within: Within = nullcontext
) -> AbstractContextManager[object]:
    """A pass whose checkpoints, when the backward pass computes them again, find things as they are now.

    By then the pass is over: the module has its own weights back, its norms the modes they had, and what the
    pass ran `within` is left. Running statistics have taken the batch in already, so they rest.
    """
    usual: Frames | None = getattr(checkpoint, _FRAMES, None)
    if usual is None or not torch.is_grad_enabled() or torch.compiler.is_compiling():
        return nullcontext()

    def frames(function: Function, *settings: object, **named: object) -> object:
        return usual(_again(function, module, weights, within), *settings, **named)

    return _Replaced(usual, frames)


def stored() -> AbstractContextManager[object]:
    """A pass without checkpoints: hooks inside one would be gone when it is computed again."""
    usual: Frames | None = getattr(checkpoint, _FRAMES, None)
    if usual is None or torch.compiler.is_compiling():
        return nullcontext()
    return _Replaced(usual, _nothing)


class _Replaced:
    """Lets torch begin its checkpoints by something else."""

    def __init__(self, usual: Frames, frames: Frames) -> None:
        self.usual, self.frames = usual, frames

    def __enter__(self) -> None:
        setattr(checkpoint, _FRAMES, self.frames)

    def __exit__(self, *_: object) -> None:
        setattr(checkpoint, _FRAMES, self.usual)


def _nothing(*_: object, **__: object) -> Generator[None]:
    """What torch runs before and after a checkpoint's function, without the checkpoint."""
    yield


def _again(function: Function, module: nn.Module, weights: Mapping[str, Tensor], within: Within) -> Function:
    """The function of a checkpoint, to be called after its pass."""
    modes = _resting(module)
    named = {f"module.{name}": weight for name, weight in weights.items()}

    def call(*inputs: object, **others: object) -> object:
        with _switched(modes), recomputed(module, weights, within), within():
            if not named:
                return function(*inputs, **others)
            return cast(object, functional_call(_Within(module), named, (function, *inputs), others))

    return call


def _resting(module: nn.Module) -> Modes:
    """How the norms are set now, but for what would move their running statistics."""
    norms = [one for one in module.modules() if isinstance(one, Norm)]
    modes: Modes = {norm: {word: getattr(norm, word) for word in _SWITCHES} for norm in norms}
    for settings in modes.values():
        settings |= {"momentum": 0.0, "num_batches_tracked": None}
    return modes


@contextmanager
def _switched(modes: Modes) -> Generator[None]:
    before: Modes = {norm: {word: getattr(norm, word) for word in _SWITCHES} for norm in modes}
    _set(modes)
    try:
        yield
    finally:
        _set(before)


def _set(modes: Modes) -> None:
    for norm, settings in modes.items():
        for word, value in settings.items():
            setattr(norm, word, value)
