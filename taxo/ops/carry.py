"""The previous batch, remembered."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Carry(nn.Module):
    """Remembers one batch: inputs (one tensor, or several views), labels, and places in the data set."""

    form: Tensor

    def __init__(self) -> None:
        super().__init__()
        # how many views there are; -1 is one tensor, 0 no batch yet
        self.register_buffer("form", torch.zeros((), dtype=torch.int64))
        self._views = 0

    @torch.no_grad()
    def put(self, x: Tensor | Sequence[Tensor], y: Tensor, index: Tensor | None = None) -> None:
        """Remember a batch in place of the one before."""
        views = (x,) if isinstance(x, Tensor) else tuple(x)
        parts = {f"x{number}": view for number, view in enumerate(views)} | {"y": y}
        self._name({**parts, **({} if index is None else {"index": index})})
        self._views = -1 if isinstance(x, Tensor) else len(views)
        self.form.fill_(self._views)

    @torch.no_grad()
    def get(self) -> tuple[Tensor | tuple[Tensor, ...], Tensor, Tensor | None] | None:
        """The batch remembered last; copies, since a graph may hold them when the next one comes."""
        if not self._views:
            return None
        views = tuple(self.get_buffer(f"x{number}").clone() for number in range(abs(self._views)))
        index = self._buffers.get("index")
        x = views if self._views > 0 else views[0]
        return x, self.get_buffer("y").clone(), None if index is None else index.clone()

    def _name(self, parts: dict[str, Tensor]) -> None:
        """Make the buffers these, in the memory of the old ones where they fit."""
        for name in [name for name in self._buffers if name != "form" and name not in parts]:
            del self._buffers[name]
        for name, part in parts.items():
            old = self._buffers.get(name)
            if old is not None and (old.shape, old.dtype, old.device) == (
                part.shape,
                part.dtype,
                part.device,
            ):
                old.copy_(part)
            else:
                self.register_buffer(name, part.detach().clone())

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Tensor],
        prefix: str,
        local_metadata: dict[str, object],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        form = state_dict.get(f"{prefix}form")
        if form is not None:
            self._views = int(form)
            names = [*(f"x{number}" for number in range(abs(self._views))), *["y"] * bool(self._views)]
            saved = {
                name: state_dict[prefix + name] for name in (*names, "index") if prefix + name in state_dict
            }
            self._name({name: part.to(self.form.device) for name, part in saved.items()})
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
