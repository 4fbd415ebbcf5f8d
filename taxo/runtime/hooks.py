"""Perturbations as torch hooks: installed together, unwound in reverse, never left behind."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import NamedTuple

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

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
    return _Hooked(wanted) if wanted else nullcontext()


class _Hooked:
    """Installs hooks for the time of a block."""

    __slots__ = ("_handles", "_hooks")

    def __init__(self, hooks: list[Hook]) -> None:
        self._hooks, self._handles = hooks, list[RemovableHandle]()

    def __enter__(self) -> None:
        for module, enter, leave in self._hooks:
            busy = _Busy()
            if enter is not None:
                self._handles.append(module.register_forward_pre_hook(_before(enter, busy)))
            if leave is not None:
                self._handles.append(module.register_forward_hook(_after(leave, busy)))

    def __exit__(self, *_: object) -> None:
        while self._handles:
            self._handles.pop().remove()


class _Busy:
    """Whether a hook is at work: a call that it itself makes to its module passes untouched."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = False

    def __enter__(self) -> None:
        self.now = True

    def __exit__(self, *_: object) -> None:
        self.now = False


def _before(enter: Enter, busy: _Busy) -> Callable[[nn.Module, Inputs], Inputs | None]:
    def before(_: nn.Module, inputs: Inputs) -> Inputs | None:
        if busy.now:
            return None
        with busy:
            return enter(inputs)

    return before


def _after(leave: Leave, busy: _Busy) -> Callable[[nn.Module, Inputs, object], object]:
    def after(_: nn.Module, inputs: Inputs, output: object) -> object:
        if busy.now:
            return None
        with busy:
            return leave(inputs, output)

    return after


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
