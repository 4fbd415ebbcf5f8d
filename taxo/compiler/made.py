"""Which modules from outside a method finds, and what keeps them."""

from __future__ import annotations

from taxo.language.method import Inference, Method
from taxo.language.scope import Scope

MADE = ("generator",)  # modules whose values a program makes itself
KEEPERS = {"teacher": "teacher", "generator": "maker"}  # the attribute of a step that keeps a module


def is_module(name: str, scope: Scope) -> bool:
    """Whether a name is that of a module from outside, not of something declared."""
    return name in scope.modules and name not in scope.declared


def is_made(infer: Inference) -> bool:
    """Whether an inference of the whole method takes gradient steps of one module on the batch."""
    names = [name.text for name in infer.over]
    plain = infer.on is None and not infer.within and infer.goal is not None
    steps = infer.via is not None and infer.via.name.text == "sgd"
    return infer.manner.text == "adversarial" and plain and steps and len(names) == 1 and names[0] in MADE


def found_modules(method: Method) -> list[Inference]:
    """The searches for modules."""
    return [infer for infer in method.infers if is_made(infer)]
