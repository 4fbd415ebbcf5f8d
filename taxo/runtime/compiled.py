"""The model as a step calls it: compiled or wrapped by its user, and open to hooks all the same.

A compiled model does not notice hooks that come after its compilation, unless it was compiled to look for
them. So the step compiles anew, around a frame of its own that shares no compiled code with the user's.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from copy import deepcopy
from importlib import import_module
from typing import cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from taxo.language.errors import fail
from taxo.ops.twice import Twice
from taxo.runtime.recomputed import Within, recomputed, stored

Options = Mapping[str, object]
# A step asks for each mode of the norms, with and without gradients, weights of its own and hooks.
_MOST_VARIANTS = 64
# What torch says when its own compiler meets a weight or an input that is no leaf.
_LOOKED_AT = r"The \.grad attribute of a Tensor that is not a leaf"


class Shell(nn.Module):
    """A frame around a model whose compiled code is nobody else's."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *inputs: object) -> object:
        """What the model gives."""
        return self.module(*inputs)


class Front:
    """What a step calls and hooks in place of its model."""

    def __init__(self, model: nn.Module, options: Options | None = None) -> None:
        self._options = options
        self._given = model
        self._within: Within = nullcontext  # of a pass, also when a checkpoint computes it again
        self.model = unwrapped(model)
        self.module, self._prefix = _front(model, self.model, options)
        self._foreign = any(_is_compiled(module) for module in self.model.modules())
        self.compiled = self._foreign or _is_compiled(self.module)

    def __deepcopy__(self, memo: dict[int, object]) -> Front:
        # compiled code cannot be copied; a copy compiles its own model
        model = self._given if _inside(self._given) is None else self.model
        copied = Front.__new__(Front)
        memo[id(self)] = copied
        copied.__init__(deepcopy(model, memo), self._options)
        return copied

    def __call__(self, *inputs: object, weights: Mapping[str, Tensor] | None = None) -> object:
        """What the model gives, with some weights in place of its own."""
        named = {self._prefix + name: weight for name, weight in weights.items()} if weights else {}
        with self._guarded(), recomputed(self.module, named, self._within), self._within():
            return functional_call(self.module, named, inputs) if named else self.module(*inputs)

    def beside(self, model: nn.Module, x: Tensor) -> object:
        """What another model gives, differentiated twice where this one is."""
        with self._within():
            return model(x)

    def plain(self) -> AbstractContextManager[None]:
        """Passes through the model as it is written, compiled code left aside."""
        return _uncompiled() if self.compiled else nullcontext()

    def open(self, notes: bool, changes: bool) -> AbstractContextManager[object]:
        """Passes with hooks on inner modules that note values or change them.

        A user's compiled code overlooks both; what a checkpoint computes again comes after the changes.
        """
        if not changes:
            return _uncompiled() if self._foreign and notes else nullcontext()
        return self._open()

    @contextmanager
    def _open(self) -> Generator[None]:
        with _uncompiled() if self._foreign else nullcontext(), stored():
            yield

    @contextmanager
    def twice(self) -> Generator[None]:
        """Passes that can be differentiated twice: fused and compiled backwards have no derivative."""
        with ExitStack() as stack:
            stack.enter_context(self.plain())
            stack.enter_context(_mathematical_attention())
            if any(isinstance(module, nn.RNNBase) for module in self.model.modules()):
                stack.enter_context(torch.backends.cudnn.flags(enabled=False))
            before, self._within = self._within, Twice
            stack.callback(setattr, self, "_within", before)
            yield

    def _guarded(self) -> AbstractContextManager[object]:
        """Compile, where something must be compiled, so that hooks are noticed and gradients can be kept."""
        return _compiling() if self.compiled else nullcontext()


@contextmanager
def _compiling() -> Generator[None]:
    seen = _patched("dynamo", skip_nnmodule_hook_guards=False, recompile_limit=_MOST_VARIANTS)
    # a gradient inside a step keeps the graph for the user's own backward
    with seen, _patched("functorch", donated_buffer=False), warnings.catch_warnings():
        warnings.filterwarnings("ignore", _LOOKED_AT)
        yield


def unwrapped(model: nn.Module) -> nn.Module:
    """The module that `torch.compile` was given."""
    inner = _inside(model)
    return model if inner is None else unwrapped(inner)


def _patched(part: str, **settings: object) -> AbstractContextManager[None]:
    """Other settings of a part of torch's compiler, which is loaded only where something is compiled."""
    patch: Callable[..., AbstractContextManager[None]] = import_module(f"torch._{part}.config").patch
    return patch(**settings)


def _mathematical_attention() -> AbstractContextManager[None]:
    choose = cast("Callable[[object], AbstractContextManager[None]]", nn.attention.sdpa_kernel)
    return choose(nn.attention.SDPBackend.MATH)


@contextmanager
def _uncompiled() -> Generator[None]:
    with torch.compiler.set_stance("force_eager"):
        yield


def _inside(module: nn.Module) -> nn.Module | None:
    """The module in a compiled one."""
    return dict(module.named_children()).get("_orig_mod") if "dynamo_ctx" in vars(module) else None


def _is_compiled(module: nn.Module) -> bool:
    """Whether a module is compiled, by `torch.compile` or in place."""
    return _inside(module) is not None or getattr(module, "_compiled_call_impl", None) is not None


def _front(model: nn.Module, inner: nn.Module, options: Options | None) -> tuple[nn.Module, str]:
    """What takes the calls and the hooks, and what its parameters' names begin with."""
    if options is not None:
        return _compiled(inner, options), "_orig_mod.module."
    if model is not inner:
        again: Callable[[nn.Module], nn.Module] = model.dynamo_ctx  # pyright: ignore[reportAssignmentType]
        return again(Shell(inner)), "_orig_mod.module."
    # compiled in place, with its hooks: those of a step must stay outside
    return (Shell(model), "module.") if _is_compiled(model) else (model, "")


def _compiled(model: nn.Module, options: Options) -> nn.Module:
    make = cast("Callable[..., nn.Module]", torch.compile)
    alone = "isolate_recompiles" in inspect.signature(make).parameters
    given = {"isolate_recompiles": True, **options} if alone else dict(options)
    try:
        return make(Shell(model), **given)
    except (TypeError, RuntimeError) as error:
        fail("T401", f"`torch_compile` is {dict(options)!r}: {error}", None, "give options of torch.compile")
