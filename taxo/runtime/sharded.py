"""A model whose weights are shared out over processes (`fully_shard`): whole ones for a step to work with.

Between passes each process holds its part of every weight; within one, the module that FSDP wraps has them
whole. So what a step computes of the weights it computes of whole copies, and a pass that is to run with
others exchanges them behind FSDP's back: after it has gathered its own, and before it lets go of them.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import NoReturn, cast

import torch
from torch import Tensor, nn

from taxo.language.errors import fail
from taxo.ops.sites import weights_at
from taxo.runtime.compiled import Front
from taxo.runtime.recomputed import stored

Owned = list[tuple[nn.Module, str, str]]  # a module, its weight's name there, and that in the whole model
# Two norms of which FSDP knows one: what is refused, and what to do.
SECOND_NORMS = "a branch has second norms", "share the norms: drop `norm auxiliary`"
WRAPPER = "FullyShardedDataParallel"


def is_sharded(weight: Tensor) -> bool:
    """Whether a weight is one process's part of a whole."""
    return hasattr(weight, "full_tensor")


def is_gone(weight: Tensor) -> bool:
    """Whether a weight that was whole has been let go of."""
    return weight.numel() > 0 and not weight.untyped_storage().size()


def refuse(what: str, hint: str, whose: str = "the model's") -> NoReturn:
    """Say what cannot be had of a sharded model."""
    fail("T411", f"{what}, and {whose} weights are sharded", None, hint)


def check_wrapping(model: nn.Module, what: str) -> None:
    """Weights that a wrapper keeps in one flat piece cannot be told apart."""
    if any(type(module).__name__ == WRAPPER for module in model.modules()):
        refuse(what, f"shard by `fully_shard(model)`, which keeps every weight by itself, not by `{WRAPPER}`")


def _gathered(weight: Tensor) -> Tensor:
    if not is_sharded(weight):
        return weight
    gather: Callable[[], Tensor] = getattr(weight, "full_tensor")  # noqa: B009  # tensors have no such method
    return gather().detach().requires_grad_()


class Shards:
    """A step's dealings with the weights of a model that may be sharded."""

    def __init__(self, front: Front) -> None:
        self._front = front
        self._whole: dict[str, Tensor] | None = None

    def begin(self) -> None:
        """Forget the weights of the last step."""
        self._whole = None

    def refuse_any(self, what: str, hint: str) -> None:
        """Say what cannot be had, if any weight is one process's part."""
        if any(map(is_sharded, self._front.model.parameters())):
            refuse(what, hint)

    def whole(self, found: dict[str, Tensor]) -> dict[str, Tensor]:
        """The weights, each as a whole, with a gradient of its own; the same ones for all of a step."""
        check_wrapping(self._front.model, "weights are perturbed")
        if not any(map(is_sharded, found.values())):
            return found
        if self._whole is None:
            weights = weights_at(self._front.model, "*")
            self._whole = {name: _gathered(weight) for name, weight in weights.items()}
        return {name: self._whole[name] for name in found}

    def through(self, x: Tensor, replaced: Mapping[str, Tensor], searching: bool) -> object:
        """The model's output, with other weights where a pass brings some or looks for their slopes."""
        sought = self._whole is not None and searching and torch.is_grad_enabled()
        if self._whole is None or not (replaced or sought):
            return self._front(x, weights=replaced)
        if self._front.compiled:
            refuse("compiled code is to run with other weights", "leave the model uncompiled")
        with exchanged(self._front.model, self._whole | {**replaced}, through=not searching):
            return self._front(x)


@contextmanager
def exchanged(model: nn.Module, weights: Mapping[str, Tensor], through: bool) -> Generator[None]:
    """Passes with other weights in the place of those that are gathered.

    Gradients go `through` to the model's own weights, whence FSDP takes them; or into those that are put in.
    """
    put = _Exchange(weights, through)
    with ExitStack() as stack:
        stack.enter_context(stored())
        stack.callback(put.back)
        for module, owned in _managed(model):
            before = module.register_forward_pre_hook(partial(put.into, owned))
            # ahead of FSDP's own, which lets the weights go
            after = module.register_forward_hook(partial(put.back, owned), prepend=True)
            stack.callback(before.remove)
            stack.callback(after.remove)
        yield


class _Exchange:
    """Weights in the place of others for the time of a module's pass."""

    def __init__(self, weights: Mapping[str, Tensor], through: bool) -> None:
        self._weights, self._through = weights, through
        self._before: dict[tuple[nn.Module, str], nn.Parameter] = {}

    def into(self, owned: Owned, *_: object) -> None:
        """Put the weights into their modules, in the type that FSDP computes in."""
        for module, short, name in owned:
            own = _parameters(module)[short]
            if name not in self._weights or own is None or (module, short) in self._before:
                continue
            self._before[module, short] = own
            new = self._weights[name].to(own.dtype)
            # what is added is zero, and has the gradient
            new = new.detach() + (own - own.detach()) if self._through else new
            _parameters(module)[short] = cast(nn.Parameter, new)

    def back(self, owned: Owned | None = None, *_: object) -> None:
        """Give the modules their own again; all of them where a pass broke off."""
        keys = list(self._before) if owned is None else [(module, short) for module, short, _ in owned]
        for module, short in keys:
            own = self._before.pop((module, short), None)
            if own is not None:
                _parameters(module)[short] = own


def _parameters(module: nn.Module) -> dict[str, nn.Parameter | None]:
    """Where a module looks its own weights up: `setattr` would take no other tensors there."""
    return module._parameters  # pyright: ignore[reportPrivateUsage]


def _managed(model: nn.Module) -> Iterator[tuple[nn.Module, Owned]]:
    """The modules that FSDP gathers weights for, each with those that no module inside it is asked for."""
    from torch.distributed.fsdp import FSDPModule

    modules = dict(cast("Iterator[tuple[str, nn.Module]]", model.named_modules()))
    wrapped = [name for name, module in modules.items() if isinstance(module, FSDPModule)]
    for outer in wrapped:
        inner = [name for name in wrapped if name != outer and _is_within(name, outer)]
        paths = [path for path in modules if _is_within(path, outer)]
        own = [path for path in paths if not any(_is_within(path, name) for name in inner)]
        weights = ((path, short) for path in own for short in _own(modules[path]))
        named = [(modules[path], short, f"{path}.{short}" if path else short) for path, short in weights]
        yield modules[outer], named


def _own(module: nn.Module) -> Iterable[str]:
    return [name for name, weight in module.named_parameters(recurse=False) if weight.requires_grad]


def _is_within(path: str, outer: str) -> bool:
    return not outer or path == outer or path.startswith(f"{outer}.")
