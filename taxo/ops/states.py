"""States: what a method remembers of what it saw, without gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import prod
from typing import Self

import torch
from torch import Tensor

from taxo.ops.forms import Top, per_sample, real_type
from taxo.ops.groups import shares_of, wide
from taxo.ops.lazy import Lazy
from taxo.ops.memory import check_fits
from taxo.ops.ranks import averaged, gathered
from taxo.ops.repeats import last_of_repeats

COPIED = 1 << 22  # entries up to which a value is a copy


class State(Lazy, ABC):
    """A value per `sample`, `category` or for the `corpus`, kept in at least single precision.

    Updated every `step`, what a batch gives counts at once; every `epoch` or `round`, from the next turn on.
    """

    kept: Tensor
    home: Tensor
    first: Tensor

    def __init__(self, granule: str, rows: int, start: float | Tensor = 0.0, every: str = "step") -> None:
        super().__init__(1 if granule == "corpus" else rows)
        self.granule, self.at_once = granule, every == "step"
        self.register_buffer("home", torch.empty(0), persistent=False)  # it follows the module
        self.start = None if isinstance(start, Tensor) else start
        self.register_buffer("first", start if isinstance(start, Tensor) else None, persistent=False)
        self.row: tuple[int, ...] | None = None
        self.add_empty("kept")

    def shaped(self, *row: int) -> Self:
        """The state, which has rows of this shape from the start on, and so its memory."""
        assert self.length is not None
        check_fits(
            self.length * prod(row) * self.home.itemsize, self.home.device, f"a state's rows of {list(row)}"
        )
        self.row = row
        return self

    def live_beside(self, like: Tensor) -> None:
        """Begin where a tensor is, and in its type."""
        self.home = torch.empty(0, dtype=real_type(like), device=like.device)

    @property
    def value(self) -> Tensor:
        """The present value: [C, ...] per category, [N, ...] per sample; the start until a shape is known."""
        # a graph may need it after the next update, which writes in place; torch says so where it does
        small = self.at_once and self.is_shaped("kept") and self.kept.numel() <= COPIED
        return self.live.clone() if small else self.live

    @property
    def live(self) -> Tensor:
        """The present value itself, which the next update overwrites."""
        if not self.is_shaped("kept"):
            return self._begin()
        return self.kept[0] if self.granule == "corpus" else self.kept

    def rows(self, key: Tensor, fresh: Tensor | None = None) -> Tensor:
        """The values at the samples' places in the data set, or of their classes; `fresh` for new samples."""
        if not self.is_shaped("kept"):
            return self._begin(len(key)) if fresh is None else fresh
        if self.granule == "corpus":
            return self.value
        if key.is_floating_point():
            return shares_of(key, self.kept)
        return self.kept[key]

    @abstractmethod
    def update(
        self,
        e: Tensor,
        y: Tensor | None = None,
        index: Tensor | None = None,
        where: Tensor | Top | None = None,
    ) -> None:
        """Take in a batch: a value per sample, their classes or places, and which of them count."""

    @abstractmethod
    def turn(self, value: Tensor | None = None) -> None:
        """End an epoch or a round: what was gathered in it becomes the value, or the one given does."""

    def shape_as(self, values: Tensor) -> None:
        """Get the shape from the first values, one for each sample."""
        assert self.length is not None
        if not self.is_shaped("kept"):
            shape = (self.length, *values.shape[1:])
            self.fill("kept", shape, self._given(), real_type(values), values.device)

    def as_rows(self, value: Tensor) -> Tensor:
        """A value of the corpus, a number or a row for all granules, or a row for each, as rows."""
        if self.granule == "corpus":
            return value[None]
        assert self.length is not None
        return value.expand(self.length, *value.shape[1:])

    def show(self, keys: Tensor | None, new: Tensor, known: Tensor) -> None:
        """Write new rows where something is known of them."""
        old = self.kept if keys is None else self.kept[keys]
        write(self.kept, keys, torch.where(per_sample(known, new), new.to(old.dtype), old))

    def _given(self) -> float | Tensor:
        return self.first if self.start is None else self.start

    def _begin(self, count: int | None = None) -> Tensor:
        """The first value; of so many samples, or of all rows."""
        if self.start is None:
            each = self.granule == "sample" and count is not None
            return self.first.expand(count or 0, *self.first.shape) if each else self.first
        if self.row is None:
            # one number, which makes nothing finer
            return torch.full((), self.start, device=self.home.device, dtype=wide(self.home))
        value = self.home.new_full((), self.start)
        rows = self.length if count is None else count
        return value.expand(self.row if self.granule == "corpus" or rows is None else (rows, *self.row))


class Held(State):
    """The last value set; per sample, the last one of each."""

    pending: Tensor
    renewed: Tensor
    known: Tensor

    def __init__(self, granule: str, rows: int, start: float | Tensor = 0.0, every: str = "step") -> None:
        super().__init__(granule, rows, start, every)
        self.add_empty(*["known"] * (granule == "sample"), *["pending", "renewed"] * (not self.at_once))

    @torch.no_grad()
    def set(self, value: Tensor) -> None:
        """Set the value of all rows: a number, or the shape that the state has."""
        self._put(None, self._whole(value), now=self.at_once)

    @torch.no_grad()
    def update(
        self,
        e: Tensor,
        y: Tensor | None = None,
        index: Tensor | None = None,
        where: Tensor | Top | None = None,
    ) -> None:
        """Set the values of a batch's samples, or the value of a state that is not per sample."""
        if self.granule != "sample":
            self.set(e)
            return
        assert index is not None
        where = where.mask if isinstance(where, Top) else where
        parts = gathered(index.long(), e.detach(), *([] if where is None else [where]))
        last = last_of_repeats(parts[0])
        keys, values, *rest = (part[last] for part in parts)
        self._put(keys, values, now=self.at_once, counted=rest[0] if rest else None)

    @torch.no_grad()
    def turn(self, value: Tensor | None = None) -> None:
        """Make the value set last visible, or set it now."""
        if value is not None:
            self._put(None, self._whole(value), now=True)
        elif not self.at_once and self.is_shaped("pending"):
            self.show(None, self.pending, self.renewed)
            if self.granule == "sample":
                self.known |= self.renewed
            self.renewed.zero_()

    def rows(self, key: Tensor, fresh: Tensor | None = None) -> Tensor:
        """The values at the samples' places, or of their classes; `fresh` for samples that have none yet."""
        found = super().rows(key, fresh)
        if fresh is None or self.granule != "sample":
            return found
        if not self.is_shaped("known"):
            return fresh
        return torch.where(per_sample(self.known[key], found), found, fresh.to(found.dtype))

    def _whole(self, value: Tensor) -> Tensor:
        return self.as_rows(averaged(value.detach().to(real_type(value))))

    def _put(self, keys: Tensor | None, values: Tensor, now: bool, counted: Tensor | None = None) -> None:
        self.shape_as(values)
        self._make_room()
        if counted is None:
            counted = torch.ones(len(values), dtype=torch.bool, device=values.device)
        if now:
            self.show(keys, values, counted)
            if self.granule == "sample":
                _mark(self.known, keys, counted)
            return
        old = self.pending if keys is None else self.pending[keys]
        write(self.pending, keys, torch.where(per_sample(counted, old), values.to(old.dtype), old))
        _mark(self.renewed, keys, counted)

    def _make_room(self) -> None:
        rows, device = len(self.kept), self.kept.device
        names = [name for name in ("known", "renewed") if name in self._buffers]
        for name in names:
            if not self.is_shaped(name):
                self.fill(name, (rows,), 0.0, torch.bool, device)
        if "pending" in self._buffers and not self.is_shaped("pending"):
            self.fill("pending", tuple(self.kept.shape), 0.0, self.kept.dtype, device)


def write(buffer: Tensor, keys: Tensor | None, rows: Tensor) -> None:
    """Write rows into a buffer in place, all of them where no keys are given."""
    if keys is None:
        buffer.copy_(rows)
    else:
        buffer.index_copy_(0, keys, rows.to(buffer.dtype))


def _mark(flags: Tensor, keys: Tensor | None, counted: Tensor) -> None:
    write(flags, keys, counted | (flags if keys is None else flags[keys]))
