"""Watching a step: its numbers, the passes it makes, and what it leaves behind."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn

from taxo.laws.subject import LR, Subject
from taxo.laws.toys import Batch
from taxo.ops.norms import norm_of_all
from taxo.runtime.step import Step

Numbers = list[Tensor]
EPOCHS, PER_EPOCH = 4, 2  # of a run, and how many steps each has
HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
Norm = nn.modules.batchnorm._NormBase  # pyright: ignore[reportPrivateUsage]  # all that keep statistics


def weights(model: nn.Module) -> list[Tensor]:
    """The trainable parameters."""
    return [weight for weight in model.parameters() if weight.requires_grad]


def train(subject: Subject, step: Step, numbers: Sequence[int] = range(3)) -> Numbers:
    """Some steps of a run by plain gradient descent: the loss, the losses and the gradients of each.

    It stops right after the last of them, and goes on in the epoch in which the step says it is.
    """
    found: Numbers = []
    left = list(numbers)
    if not left:
        return found
    done = left[0] % PER_EPOCH or min(
        left[0], PER_EPOCH
    )  # at an epoch's end, that epoch is still to be closed
    for _ in step.epochs(EPOCHS):
        for number in left[: PER_EPOCH - done]:
            found += update(step, subject.batch(number))
        left, done = left[PER_EPOCH - done :], 0
        if not left:
            break
    return found


def update(step: Step, batch: Batch, lr: float = LR, longest: float | None = None) -> Numbers:
    """One step of plain gradient descent, clipped to a length: the loss, the losses and the gradients."""
    loss = step(*batch)
    slopes = backward(loss, step.model)
    if longest is not None:
        lr *= longest / max(float(norm_of_all(list(slopes))), longest)
    descend(step.model, slopes, lr)
    return [loss.detach(), step.losses, *slopes]


def backward(loss: Tensor, model: nn.Module) -> Numbers:
    """The slopes that a user's own backward brings, which unknowns of the training pass wait for."""
    before = [weight.grad for weight in weights(model)]
    for weight in weights(model):
        weight.grad = None
    loss.backward()
    slopes = [torch.zeros_like(one) if one.grad is None else one.grad for one in weights(model)]
    for weight, grad in zip(weights(model), before, strict=True):
        weight.grad = grad
    return slopes


@torch.no_grad()
def descend(model: nn.Module, slopes: Sequence[Tensor], lr: float = LR) -> None:
    """One plain gradient step."""
    for weight, slope in zip(weights(model), slopes, strict=True):
        weight -= lr * slope


def tensors(step: Step) -> Iterator[Tensor]:
    """Everything that a step saves."""
    yield from (value for value in step.state_dict().values() if isinstance(value, Tensor))


def equal(found: Sequence[Tensor], expected: Sequence[Tensor]) -> bool:
    """Bit for bit."""
    return len(found) == len(expected) and all(map(torch.equal, found, expected))


def difference(found: Sequence[Tensor], expected: Sequence[Tensor]) -> float:
    """The largest difference, in units of the largest expected number of each tensor or of one."""
    if len(found) != len(expected):
        return float("inf")
    apart = [_apart(a, b) for a, b in zip(found, expected, strict=True)]
    return max(apart, default=0.0)


def _apart(found: Tensor, expected: Tensor) -> float:
    if found.shape != expected.shape:
        return float("inf")
    if not expected.numel() or torch.equal(found, expected):
        return 0.0
    scale = max(float(expected.abs().max()), 1.0)
    worst = float((found.double() - expected.double()).abs().max()) / scale
    return worst if worst == worst else float("inf")


@dataclass(slots=True)
class Passes:
    """The rows of every forward, in order, with the mode of its norms, and those of every backward."""

    forward_rows: list[int] = field(default_factory=list[int])
    norms: list[str] = field(default_factory=list[str])
    backward_rows: list[int] = field(default_factory=list[int])


@contextmanager
def counted(model: nn.Module) -> Generator[Passes]:
    """Count the passes through a model."""
    passes = Passes()
    norm = next((module for module in model.modules() if isinstance(module, Norm)), None)

    def back(slope: Tensor) -> None:
        passes.backward_rows.append(len(slope))
        if slope.requires_grad:  # a backward that is itself differentiated is gone through once more
            slope.register_hook(back)

    def leave(_: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        passes.forward_rows.append(len(inputs[0]))
        passes.norms += [] if norm is None else [_mode(norm)]
        if output.requires_grad:
            output.register_hook(back)

    handle = model.register_forward_hook(leave, prepend=True)
    try:
        yield passes
    finally:
        handle.remove()


def _mode(norm: Norm) -> str:
    if not norm.training:
        return "frozen"
    return "update" if norm.track_running_stats else "batch"


def footprint(step: Step) -> dict[str, object]:
    """Everything of a step that a forward must leave as it was, by a name for each."""
    found: dict[str, object] = {}
    for name, module in cast("Iterator[tuple[str, nn.Module]]", step.named_modules()):
        if module is step:
            continue
        found[f"the hooks of `{name}`"] = [len(getattr(module, hook)) for hook in HOOKS]
        found[f"the mode of `{name}`"] = module.training
        settings = [getattr(module, word, None) for word in ("track_running_stats", "momentum")]
        found[f"the attributes of `{name}`"] = (settings, sorted(vars(module)))
    for name, weight in step.named_parameters():
        found[f"the gradient of `{name}`"] = (weight.grad is None, weight.requires_grad)
        found[f"the value of `{name}`"] = weight.detach().clone()
    return found


def changed(before: dict[str, object], after: dict[str, object]) -> str:
    """The first thing of two footprints that is not the same; empty if all are."""
    for name in (*before, *after):
        old, new = before.get(name), after.get(name)
        same = torch.equal(old, new) if isinstance(old, Tensor) and isinstance(new, Tensor) else old == new
        if not same:
            return name
    return ""


def failing_at(number: int, error: BaseException) -> Callable[..., None]:
    """A hook that raises at its call of that number."""
    left = [number]

    def hook(*_: object) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise error

    return hook
