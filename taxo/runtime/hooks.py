"""Perturbations as torch hooks: installed together, unwound in reverse, never left behind."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, cast

from torch import Tensor, nn

from taxo.ops.forms import distribution
from taxo.ops.sites import with_logits

Change = Callable[[Tensor], Tensor]
LabelChange = Callable[[Tensor, Tensor], Tensor]
LossChange = Callable[[Tensor, Tensor, Tensor], Tensor]
Norm = nn.modules.batchnorm._BatchNorm  # pyright: ignore[reportPrivateUsage]  # what all batch norms derive from


@contextmanager
def model_hooks(model: nn.Module, features: Sequence[Change], logits: Sequence[Change]) -> Generator[None]:
    """Perturb what enters a model and the logits that leave it."""

    def enter(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        x = inputs[0]
        for change in features:
            x = change(x)
        return (x, *inputs[1:])

    def leave(_: nn.Module, __: tuple[Any, ...], output: object) -> object:
        for change in logits:
            output = with_logits(output, change)
        return output

    with ExitStack() as stack:
        if features:
            stack.callback(model.register_forward_pre_hook(enter).remove)
        if logits:
            stack.callback(model.register_forward_hook(leave, prepend=False).remove)
        yield


@contextmanager
def objective_hooks(
    objective: nn.Module, labels: Sequence[LabelChange], loss: Sequence[LossChange]
) -> Generator[None]:
    """Perturb the labels that an objective compares with and the losses that it returns."""

    def enter(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        u, y = cast("tuple[Tensor, Tensor]", inputs)
        y = distribution(y, u)
        for change in labels:
            y = change(y, u)
        return (u, y)

    def leave(_: nn.Module, inputs: tuple[Any, ...], losses: Tensor) -> Tensor:
        u, y = cast("tuple[Tensor, Tensor]", inputs)
        for change in loss:
            losses = change(losses, u, y)
        return losses

    with ExitStack() as stack:
        if labels:
            stack.callback(objective.register_forward_pre_hook(enter).remove)
        if loss:
            stack.callback(objective.register_forward_hook(leave).remove)
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
