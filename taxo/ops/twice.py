"""Passes that are differentiated twice, each operation for the price of what is asked for.

Of some backwards torch's own derivative computes all parts, wanted or not, or takes many small operations.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from taxo.ops.convolutions import CONVOLUTIONS
from taxo.ops.normed import batch_norm, layer_norm

_OURS: Mapping[Callable[..., Tensor], Callable[..., Tensor | None]] = {
    **CONVOLUTIONS,
    functional.batch_norm: batch_norm,
    functional.layer_norm: layer_norm,
}
_PLAIN = frozenset({Tensor, nn.Parameter})


class Twice(TorchFunctionMode):
    """Passes in which some operations bring a backward that is differentiated part by part."""

    def __torch_function__(
        self,
        func: Callable[..., Tensor],
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: Mapping[str, object] | None = None,
    ) -> Tensor:
        """An operation of ours in place of torch's, where there is one for what it is given."""
        given = kwargs or {}
        if func in _OURS and _PLAIN.issuperset(types) and torch.is_grad_enabled() and not _transformed():
            found = _OURS[func](*args, **given)
            if found is not None:
                return found
        return func(*args, **given)


def _transformed() -> bool:
    """Whether a transform such as `vmap`, or forward mode, is under way: neither sees into what is ours."""
    level = cast("int", forward_ad._current_level)  # pyright: ignore[reportPrivateUsage]
    return level >= 0 or torch._C._are_functorch_transforms_active()  # pyright: ignore[reportPrivateUsage]
