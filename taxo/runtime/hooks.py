"""Perturbations as torch hooks: installed together, unwound in reverse, never left behind."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import NamedTuple

from torch import Tensor, nn

from taxo.ops.sites import with_logits

Change = Callable[[Tensor], Tensor]
Pair = Callable[[Tensor, Tensor], Tensor]
Triple = Callable[[Tensor, Tensor, Tensor], Tensor]
Inputs = tuple[Tensor, ...]
Enter = Callable[[Inputs], Inputs]
Leave = Callable[[Inputs, object], object]
Norm = nn.modules.batchnorm._NormBase  # pyright: ignore[reportPrivateUsage]  # all that keep statistics


class Hook(NamedTuple):
    """A module, and what is done to its inputs before it runs or to its output after."""

    module: nn.Module
    enter: Enter | None = None
    leave: Leave | None = None


def entering(changes: Sequence[Change]) -> Enter:
    """Changes of a module's first input, in order; its type stays."""

    def enter(inputs: Inputs) -> Inputs:
        x = inputs[0]
        for change in changes:
            x = change(x).to(x.dtype)
        return (x, *inputs[1:])

    return enter


def leaving(changes: Sequence[Change], alike: bool = False) -> Leave:
    """Changes of what a module returns, in order; `alike` where others take it in and want its type."""

    def changed(value: Tensor) -> Tensor:
        kind = value.dtype
        for change in changes:
            value = change(value)
        return value.to(kind) if alike else value

    def leave(_: Inputs, output: object) -> object:
        return with_logits(output, changed)

    return leave


def hooked(hooks: Iterable[Hook]) -> AbstractContextManager[object]:
    """Run with hooks in place, whatever happens meanwhile."""
    wanted = list(hooks)
    return _hooked(wanted) if wanted else nullcontext()


@contextmanager
def _hooked(hooks: list[Hook]) -> Generator[None]:
    with ExitStack() as stack:
        for module, enter, leave in hooks:
            _hook(stack, module, enter, leave)
        yield


def _hook(stack: ExitStack, module: nn.Module, enter: Enter | None, leave: Leave | None) -> None:
    """Hook one module; a call that a hook itself makes to the module passes untouched."""
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

    if enter is not None:
        stack.callback(module.register_forward_pre_hook(before).remove)
    if leave is not None:
        stack.callback(module.register_forward_hook(after).remove)


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
