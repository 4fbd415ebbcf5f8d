"""Tables: learned or kept values, one for each sample, class or batch slot, or one for all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Self

import torch
from torch import Tensor

from taxo.ops.forms import per_sample, real_type
from taxo.ops.lazy import Lazy
from taxo.ops.memory import HALF, HALF_VELOCITY, check_fits, table_bytes
from taxo.ops.ranks import averaged, gathered, summed, world
from taxo.ops.repeats import groups_of, last_of_repeats, over_repeats
from taxo.ops.sets import Region

_BUFFERS = ("value", "velocity")


class Table(Lazy):
    """Values of one granule: `sample`, `category`, `corpus` or `slot`, the place in the batch.

    Without a shape, a row has that of a sample of the first batch. `store` is `device`, `host` or `half`. On
    the host, a step waits for its rows. In half precision values are float16, three bits finer than bfloat16
    and wide enough for offsets, pixels and probabilities; velocities, which may be tiny, are bfloat16.
    """

    typed = True
    value: Tensor
    velocity: Tensor
    home: Tensor
    first: Tensor

    def __init__(
        self,
        granule: str,
        rows: int,
        shape: tuple[int, ...] | None,
        like: Tensor,
        *,
        start: float | Tensor = 0.0,
        momentum: bool = False,
        store: str = "device",
    ) -> None:
        super().__init__({"slot": None, "corpus": 1}.get(granule, rows))
        self.granule, self.store, self.momentum = granule, store, momentum
        self.row_shape = None if granule == "slot" else shape
        # empty, but it follows the module from device to device
        self.register_buffer("home", like.new_empty(0, dtype=real_type(like)), persistent=False)
        self.start = None if isinstance(start, Tensor) else start
        self.register_buffer("first", start if isinstance(start, Tensor) else None, persistent=False)
        for name in _BUFFERS[: 1 + momentum]:
            self.register_buffer(name, like.new_empty(0, dtype=self._type(name), device=self._device()))
        if self.row_shape is not None and self.length is not None:
            self._extend(self.length, self.row_shape)

    def rows(self, index: Tensor | None = None, like: Tensor | None = None) -> Tensor:
        """The rows of a batch, or all there are, in the type of `like`, as a leaf that gradients reach."""
        return self.read(index, like).requires_grad_()

    @torch.no_grad()
    def read(self, index: Tensor | None = None, like: Tensor | None = None) -> Tensor:
        """The rows of a batch, or all there are, in the type of `like`."""
        if like is not None:
            self._make_room(like)
        kind = like.dtype if like is not None and like.is_floating_point() else self.kind
        return self._part("value", self._place(index, like)).to(kind)

    @torch.no_grad()
    def keep(self, rows: Tensor, index: Tensor | None = None) -> None:
        """Write rows back; of a sample that is in the batch more than once, the last."""
        self._make_room(rows)
        place = self._place(index, rows)
        if isinstance(place, int):
            self._write("value", place, rows if self.granule == "slot" else averaged(rows))
            return
        place, rows = gathered(place, rows.detach())
        self._write("value", place, rows[last_of_repeats(place)])

    def descend(
        self,
        loss: Tensor,
        rows: Tensor,
        index: Tensor | None,
        lr: float | Tensor,
        momentum: float,
        dense: bool,
        within: Sequence[Region] = (),
    ) -> None:
        """Take one momentum step down a loss; a negative `lr` climbs."""
        if not loss.requires_grad:
            return  # the user asked for a loss without gradients: nothing is learned from it
        (slopes,) = torch.autograd.grad(loss, rows, retain_graph=True, materialize_grads=True)
        self.descend_by(slopes, rows, index, lr, momentum, dense, within)

    @torch.no_grad()
    def descend_by(
        self,
        slopes: Tensor,
        rows: Tensor,
        index: Tensor | None,
        lr: float | Tensor,
        momentum: float,
        dense: bool,
        within: Sequence[Region] = (),
    ) -> None:
        """Take one momentum step along slopes; `dense` lets the momentum of rows outside the batch run on.

        A sample that is in the batch twice decays once and gathers both its slopes. In a table per category
        `index` is the classes of the batch; without it all are moved. The loss is the mean over processes.
        """
        if momentum and not self.momentum:
            raise ValueError("a table made without momentum cannot step with it")
        place = self._place(index, rows)
        wide = torch.promote_types(self.kind, rows.dtype)
        slopes = slopes.to(wide)
        if isinstance(place, Tensor) and dense and momentum:
            place, slopes = gathered(place, slopes / world())
            self._descend_all(place, slopes, lr, momentum, within)
            return
        now = rows.detach() if rows.dtype == wide else self._part("value", place).to(wide)
        held = self._part("velocity", place).to(wide) if self.momentum else None
        step = self._shared(slopes, place)
        if held is not None and momentum:
            step = momentum * held + step
        new = _projected(now - lr * step, within)
        moved = None if dense else self._moved(index)
        if moved is not None:
            new = torch.where(per_sample(moved, new), new, now)
            step = step if held is None else torch.where(per_sample(moved, new), step, held)
        self._write_all(place, [new, step][: 1 + self.momentum], bool(within))

    def shared(self, slopes: Tensor, index: Tensor | None) -> Tensor:
        """The slopes of the mean loss of all processes, those of a sample that is there twice together."""
        return self._shared(
            slopes.to(torch.promote_types(self.kind, slopes.dtype)), self._place(index, slopes)
        )

    def alike(self, shape: tuple[int, ...] | None) -> Table:
        """A table of zeros for the same granules, of rows of another shape."""
        return Table(self.granule, self.length or 0, shape, self.home, store=self.store)

    @property
    def kind(self) -> torch.dtype:
        """The type that the table is computed in."""
        return torch.promote_types(self.home.dtype, torch.float32)

    def takes(self, saved: Tensor) -> bool:
        """Whether a saved buffer can be one of this table's."""
        return self.row_shape is None and super().takes(saved)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move the table with its module, but not away from the host."""
        staying = {name: self._buffers[name] for name in _BUFFERS if name in self._buffers}
        for name in staying if self.store == "host" else ():
            del self._buffers[name]
        super()._apply(fn, recurse)
        if self.store == "host":
            self._buffers.update(staying)
        return self

    def _type(self, name: str) -> torch.dtype:
        if self.store != "half":
            return self.kind
        return HALF if name == "value" else HALF_VELOCITY

    def _device(self) -> torch.device:
        return torch.device("cpu") if self.store == "host" else self.home.device

    def _make_room(self, like: Tensor) -> None:
        """Get the shape from the first batch; grow with the largest batch where rows are places in it."""
        if not self.is_shaped("value"):
            self.home = self.home.to(like.device)
            self._extend(len(like) if self.length is None else self.length, tuple(like.shape[1:]))
        elif self.length is None and len(like) > len(self.value):
            self._extend(len(like), tuple(self.value.shape[1:]))

    def _extend(self, length: int, shape: tuple[int, ...]) -> None:
        needed = table_bytes(length, shape, self.kind, self.momentum, self.store)
        check_fits(needed, self._device(), f"a table's {length} rows of {list(shape)} values")
        for name in _BUFFERS[: 1 + self.momentum]:
            old, known = self.get_buffer(name), self.is_shaped(name)
            start = 0.0 if name == "velocity" else self.first if self.start is None else self.start
            new = self.fill(name, (length, *shape), start, self._type(name), self._device())
            if known:
                new[: len(old)] = old

    def _place(self, index: Tensor | None, like: Tensor | None) -> int | Tensor:
        """Where the rows are: at an index, or the first so many."""
        if self.granule == "sample":
            assert index is not None
            return index.to(self.home.device, torch.int64)
        return len(self.value) if like is None or self.length is not None else len(like)

    def _part(self, name: str, place: int | Tensor) -> Tensor:
        """A copy of some rows, on the device."""
        values: Tensor = getattr(self, name)
        if self.store != "host":
            return values[:place].clone() if isinstance(place, int) else values[place]
        # what is sent is pinned, not the table: a machine has not that much memory to lock
        count, pinned = place if isinstance(place, int) else len(place), self.home.is_cuda
        sent = torch.empty((count, *values.shape[1:]), dtype=values.dtype, pin_memory=pinned)
        if isinstance(place, int):
            sent.copy_(values[:place])
        else:
            torch.index_select(values, 0, place.cpu(), out=sent)
        return sent.to(self.home.device, non_blocking=True)

    def _write(self, name: str, place: int | Tensor, rows: Tensor) -> None:
        values: Tensor = getattr(self, name)
        rows = rows.detach().to(values.device, values.dtype)
        if isinstance(place, int):
            values[:place].copy_(rows)
        else:
            values.index_copy_(0, place.to(values.device), rows)

    def _write_all(self, place: int | Tensor, parts: list[Tensor], apart: bool) -> None:
        """Write new rows and velocities; `apart` says that those of one sample may differ."""
        if isinstance(place, Tensor):
            place, *parts = gathered(place, *parts)
            if apart or world() > 1:
                last = last_of_repeats(place)
                parts = [part[last] for part in parts]
        for name, part in zip(_BUFFERS, parts, strict=False):
            self._write(name, place, part)

    def _shared(self, slopes: Tensor, place: int | Tensor) -> Tensor:
        """The slopes of the mean loss of all processes."""
        if isinstance(place, Tensor):
            return over_repeats(groups_of(place), slopes) / world()
        return slopes / world() if self.granule == "slot" else averaged(slopes)

    def _moved(self, classes: Tensor | None) -> Tensor | None:
        """Which rows a step moves, where that is not all."""
        if self.granule != "category" or classes is None or classes.is_floating_point():
            return None
        present = torch.zeros(len(self.value), device=self.home.device)
        return summed(present.index_fill_(0, classes.to(present.device), 1.0)) > 0

    def _descend_all(
        self, place: Tensor, slopes: Tensor, lr: float | Tensor, momentum: float, within: Sequence[Region]
    ) -> None:
        device = self.value.device
        velocity, value = self.velocity.to(self.kind), self.value.to(self.kind)
        velocity.mul_(momentum).index_add_(0, place.to(device), slopes.to(device, self.kind))
        value = value.sub_((lr.to(device) if isinstance(lr, Tensor) else lr) * velocity)
        self._write("velocity", len(velocity), velocity)
        self._write("value", len(value), _projected(value, within))


def _projected(rows: Tensor, within: Sequence[Region]) -> Tensor:
    for region in within:
        (rows,) = region.project([rows])
    return rows
