"""Perturbations as torch hooks: installed together, unwound in reverse, never left behind."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import cast

from torch import Tensor, nn

from taxo.ops.forms import distribution
from taxo.ops.sites import with_logits

Change = Callable[[Tensor], Tensor]
LabelChange = Callable[[Tensor, Tensor], Tensor]
LossChange = Callable[[Tensor, Tensor, Tensor], Tensor]
Inputs = tuple[Tensor, ...]
Enter = Callable[[Inputs], Inputs]
Leave = Callable[[Inputs, object], object]
Norm = nn.modules.batchnorm._NormBase  # pyright: ignore[reportPrivateUsage]  # all that keep statistics


@contextmanager
def model_hooks(model: nn.Module, features: Sequence[Change], logits: Sequence[Change]) -> Generator[None]:
    """Perturb what enters a model and the logits that leave it."""

    def enter(inputs: Inputs) -> Inputs:
        x = inputs[0]
        for change in features:
            x = change(x).to(x.dtype)
        return (x, *inputs[1:])

    def leave(_: Inputs, output: object) -> object:
        for change in logits:
            output = with_logits(output, change)
        return output

    with _hooked(model, enter if features else None, leave if logits else None):
        yield


@contextmanager
def objective_hooks(
    objective: nn.Module, labels: Sequence[LabelChange], loss: Sequence[LossChange]
) -> Generator[None]:
    """Perturb the labels that an objective compares with and the losses that it returns."""

    def enter(inputs: Inputs) -> Inputs:
        u, y = inputs
        y = distribution(y, u.shape[-1], u)
        for change in labels:
            y = change(y, u)
        return (u, y)

    def leave(inputs: Inputs, losses: object) -> object:
        u, y = inputs
        for change in loss:
            losses = change(cast(Tensor, losses), u, y)
        return losses

    with _hooked(objective, enter if labels else None, leave if loss else None):
        yield


@contextmanager
def _hooked(module: nn.Module, enter: Enter | None, leave: Leave | None) -> Generator[None]:
    """Hook a module's inputs and outputs; a call that a hook itself makes to the module passes untouched."""
    busy = False

    def before(_: nn.Module, inputs: Inputs) -> Inputs | None:
        nonlocal busy
        if busy or enter is None:
            return None
        busy = True
        try:
            return enter(inputs)
        finally:
            busy = False

    def after(_: nn.Module, inputs: Inputs, output: object) -> object:
        nonlocal busy
        if busy or leave is None:
            return None
        busy = True
        try:
            return leave(inputs, output)
        finally:
            busy = False

    with ExitStack() as stack:
        if enter is not None:
            stack.callback(module.register_forward_pre_hook(before).remove)
        if leave is not None:
            stack.callback(module.register_forward_hook(after).remove)
        yield


@contextmanager
def norms(model: nn.Module, mode: str) -> Generator[None]:
    """Run the batch norms of a model with `frozen` statistics, or with those of the `batch` and no update."""
    changed = [module for module in model.modules() if isinstance(module, Norm) and module.training]
    switches = [_switch(module, mode) for module in changed]
    before = [getattr(module, name) for module, (name, _) in zip(changed, switches, strict=True)]
    try:
        for module, (name, value) in zip(changed, switches, strict=True):
            setattr(module, name, value)
        yield
    finally:
        for module, (name, _), old in zip(changed, switches, before, strict=True):
            setattr(module, name, old)


def _switch(module: nn.Module, mode: str) -> tuple[str, bool | float]:
    """The attribute that puts a norm into a mode, and its value there."""
    if mode == "frozen":
        return "training", False
    # instance norms would update all the same; batch norms would count the batch at momentum zero
    instance = isinstance(module, nn.modules.instancenorm._InstanceNorm)  # pyright: ignore[reportPrivateUsage]
    return ("momentum", 0.0) if instance else ("track_running_stats", False)
