"""The random augmentation of a batch: what a function of the user's makes of it, checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from taxo.language.errors import fail
from taxo.runtime.checks import views_of

Inputs = Tensor | Sequence[Tensor]
Augment = Callable[[Tensor], Inputs]


def single(x: Inputs, name: str) -> Tensor:
    """The one tensor that a batch is before its augmentation."""
    if not isinstance(x, Tensor):
        message = f"`{name}` was given {len(x)} views of a batch that is still to be augmented"
        fail("T401", message, None, "give one tensor, and views of it by `augment=`")
    return x


def shown(x: Tensor, augment: Augment | None, wanted: int, name: str) -> tuple[Tensor, ...]:
    """A batch as it is augmented: as many views of it as the method wants, each of its shape."""
    if wanted > 1 and augment is None:
        hint = f"give `augment=`, a function that makes {wanted} views of a batch"
        fail("T401", f"`{name}` takes {wanted} views of what it perturbs `at raw`", None, hint)
    views = views_of(x if augment is None else augment(x), wanted, name)
    for view in views:
        if view.shape != x.shape:
            message = f"`augment` made {list(view.shape)} of inputs {list(x.shape)}"
            fail("T401", message, None, "give back inputs of the shape that it is given")
    return views
