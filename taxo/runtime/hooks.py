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
Norm = nn.modules.batchnorm._BatchNorm  # pyright: ignore[reportPrivateUsage]  # what all batch norms derive from


@contextmanager
def model_hooks(model: nn.Module, features: Sequence[Change], logits: Sequence[Change]) -> Generator[None]:
    """Perturb what enters a model and the logits that leave it."""

    def enter(inputs: Inputs) -> Inputs:
        x = inputs[0]
        for change in features:
            x = change(x)
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
        y = distribution(y, u)
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
    switch, value = ("training", False) if mode == "frozen" else ("track_running_stats", False)
    changed = [module for module in model.modules() if isinstance(module, Norm) and module.training]
    before = [getattr(module, switch) for module in changed]
    try:
        for module in changed:
            setattr(module, switch, value)
        yield
    finally:
        for module, old in zip(changed, before, strict=True):
            setattr(module, switch, old)
