"""The places of a model that perturbations act on: its output's logits, and its weights by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, cast

from torch import Tensor, nn

from taxo.language.errors import fail, nearest
from taxo.language.source import Span
from taxo.ops.heads import CosineHead


def logits_of(output: object) -> Tensor:
    """The logits in what a model returned: a tensor, a tuple's first entry, or an object's `logits`."""
    inner = _inner(output)
    if not isinstance(inner, Tensor):
        kind = type(output).__name__
        fail(
            "T405", f"the model returned a `{kind}` without logits", None, "return a tensor, or set `.logits`"
        )
    return inner


def _inner(output: object) -> object:
    """What should be the logits."""
    if isinstance(output, Tensor):
        return output
    if isinstance(output, dict):
        return cast("dict[str, object]", output).get("logits")
    named = getattr(output, "logits", None)
    if named is None and isinstance(output, (tuple, list)):
        return next(iter(cast("tuple[object, ...]", output)), None)
    return named


def with_logits(output: object, change: Callable[[Tensor], Tensor]) -> object:
    """What a model returned, its logits changed in a copy; the rest and the type stay."""
    if isinstance(output, Tensor):
        return change(output)
    logits = change(logits_of(output))
    if isinstance(output, tuple):
        return _tuple(cast("tuple[object, ...]", output), logits)
    if isinstance(output, list):
        return [logits, *cast("list[object]", output)[1:]]
    if isinstance(output, dict):
        return _copied(cast("dict[str, object]", output), logits)
    if is_dataclass(output) and not isinstance(output, type) and "logits" in {f.name for f in fields(output)}:
        return replace(cast(Any, output), logits=logits)
    return _Changed(output, logits)


def _tuple(output: tuple[object, ...], logits: Tensor) -> object:
    """A tuple with other logits: those so named, or its first entry."""
    maker = getattr(output, "_make", tuple)
    place = getattr(output, "_fields", ("logits",)).index("logits") if hasattr(output, "logits") else 0
    return maker((*output[:place], logits, *output[place + 1 :]))


def _copied(output: dict[str, object], logits: Tensor) -> object:
    """A mapping with other logits; subclasses such as a Hugging Face output are made by their own type."""
    return type(output)(**{**output, "logits": logits})


class _Changed:
    """An object with other logits, and everything else as it was."""

    def __init__(self, output: object, logits: Tensor) -> None:
        self._output = output
        self.logits = logits

    def __getattr__(self, name: str) -> object:
        return getattr(self._output, name)


def bare(name: str) -> str:
    """The name of a part without the prefixes that wrappers put before it."""
    parts = [part for part in name.split(".") if part != "_orig_mod"]
    while parts[:1] == ["module"]:
        del parts[0]
    return ".".join(parts)


def weights_at(model: nn.Module, pattern: str, span: Span | None = None) -> dict[str, Tensor]:
    """The trainable parameters whose name matches a pattern; `span` is where it is written."""
    named: dict[str, Tensor] = {
        name: weight for name, weight in model.named_parameters() if weight.requires_grad
    }
    found = {name: weight for name, weight in named.items() if fnmatchcase(bare(name), pattern)}
    if not named:
        fail("T404", "the model has no trainable parameter", span, "let some parameter require a gradient")
    if not found:
        _no_match("parameter", pattern, [bare(name) for name in named], span)
    return found


def modules_at(model: nn.Module, pattern: str, span: Span | None = None) -> dict[str, nn.Module]:
    """The modules whose name matches a pattern."""
    modules = cast("Iterator[tuple[str, nn.Module]]", model.named_modules())
    named = {bare(name): module for name, module in modules if bare(name)}
    found = {name: module for name, module in named.items() if fnmatchcase(name, pattern)}
    if not found:
        _no_match("module", pattern, list(named), span)
    return found


def _no_match(kind: str, pattern: str, named: list[str], span: Span | None) -> None:
    near = nearest(pattern, named, 3) or named[:3]
    hint = "near: " + ", ".join(f"`{name}`" for name in near) if near else "the model has none"
    fail("T404", f"no {kind} is called `{pattern}`", span, hint)


def embedding_of(model: nn.Module, span: Span | None = None) -> nn.Module:
    """The module that embeds a text: the first embedding of the model."""
    found = next((module for module in model.modules() if isinstance(module, nn.Embedding)), None)
    if found is None:
        fail("T404", "the model embeds nothing", span, "perturb `features`, or name a module by `at`")
    return found


def head_of(model: nn.Module, classes: int, span: Span | None = None) -> nn.Module:
    """The head: the last linear layer with as many outputs as there are classes."""
    found = [module for module in model.modules() if _width(module) == classes]
    if not found:
        hint = "pass `head=`, the module whose input is `z` and whose weight is `W`"
        fail("T404", f"no linear layer of the model has {classes} outputs", span, hint)
    return found[-1]


def _width(module: nn.Module) -> int | None:
    """How many outputs a linear layer has; None for another module."""
    return module.out_features if isinstance(module, (nn.Linear, CosineHead)) else None
