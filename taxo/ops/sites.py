"""The places of a model that perturbations act on: its output's logits, and its weights by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, cast

from torch import Tensor, nn

from taxo.language.errors import fail, nearest
from taxo.language.source import Span


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


def plain_name(name: str) -> str:
    """A parameter's name without the prefixes of wrappers.

    >>> plain_name("module._orig_mod.layer.weight")
    'layer.weight'
    """
    parts = [part for part in name.split(".") if part != "_orig_mod"]
    while len(parts) > 1 and parts[0] == "module":
        parts = parts[1:]
    return ".".join(parts)


def weights_at(model: nn.Module, pattern: str, span: Span | None = None) -> dict[str, Tensor]:
    """The trainable parameters whose name matches a pattern; `span` is where it is written.

    A pattern is about the names that a model gives, whatever it is wrapped in.
    """
    named: dict[str, Tensor] = {
        name: weight for name, weight in model.named_parameters() if weight.requires_grad
    }
    found = {name: weight for name, weight in named.items() if fnmatchcase(plain_name(name), pattern)}
    if not named:
        fail("T404", "the model has no trainable parameter", span, "let some parameter require a gradient")
    if not found:
        plain = [plain_name(name) for name in named]
        near = nearest(pattern, plain, 3) or plain[:3]
        hint = "near: " + ", ".join(f"`{name}`" for name in near)
        fail("T404", f"no parameter is called `{pattern}`", span, hint)
    return found
