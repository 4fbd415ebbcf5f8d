"""taxo: a language, a compiler and a trainer for learning with perturbation.

Nothing here imports torch until `compile` is called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from taxo import plugins
from taxo.catalog import load, parse
from taxo.catalog import shipped as methods
from taxo.language.builder import Builder, method
from taxo.language.errors import TaxoError
from taxo.language.fields import Value
from taxo.language.manners import adversarial, meta, regularization
from taxo.language.method import Method

if TYPE_CHECKING:
    from typing import Unpack

    from torch import nn

    from taxo.compiler import Pass
    from taxo.runtime.given import Outside
    from taxo.runtime.step import Step

__version__ = "0.1.0"
plugins.load()
__all__ = [
    "Method",
    "TaxoError",
    "__version__",
    "adversarial",
    "compile",
    "load",
    "meta",
    "method",
    "methods",
    "parse",
    "regularization",
    "schema",
]


def schema() -> dict[str, object]:
    """The JSON schema of a method's JSON.

    >>> schema()["title"]
    'Method'
    """
    return Method.model_json_schema()


def compile(
    method: str | Path | Method | Builder,
    model: nn.Module,
    *,
    classes: int,
    samples: int | None = None,
    class_counts: Sequence[int] | None = None,
    params: Mapping[str, Value] | None = None,
    seed: int = 0,
    passes: Sequence[Pass] | None = None,
    **outside: Unpack[Outside],
) -> Step:
    """The step that trains `model` by a method: a shipped name, a path, a variant, a `Method` or a builder.

    >>> import torch
    >>> step = compile("label_smoothing", torch.nn.Linear(4, 3), classes=3, params={"lam": 0.2})
    >>> step(torch.rand(8, 4), torch.zeros(8, dtype=torch.long)).shape
    torch.Size([])

    `samples` is the size of the data set and `class_counts` how many samples each class has, for methods
    that read them; `params` sets parameters; `seed` starts the step's own random numbers.
    `passes` are functions from method to method that run before taxo's own, such as one that makes every
    attack shorter. By name, `outside` may be `head`, the module whose input is `z` (else the last linear
    layer with `classes` outputs); `teacher`, `generator`, `prior`, `corruption` and `validation`, which
    methods ask for with `needs`; and `torch_compile`, options of `torch.compile`, with which the model is
    compiled.
    Raises `TaxoError` for anything that a user can mend.
    """
    from taxo.runtime.bind import compile_step

    return compile_step(
        method,
        model,
        classes=classes,
        samples=samples,
        class_counts=class_counts,
        params=params,
        seed=seed,
        passes=passes,
        **outside,
    )
