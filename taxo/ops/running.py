"""Running statistics: means, deviations and moving averages."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from taxo.ops.forms import Top, per_sample
from taxo.ops.groups import Seen, divided, groups, wide
from taxo.ops.lazy import Lazy
from taxo.ops.states import State, write


class Moments(Lazy):
    """The number, mean and spread of all that was merged, for each row."""

    count: Tensor
    mean: Tensor
    spread: Tensor

    def __init__(self, length: int, spread: bool) -> None:
        super().__init__(length)
        self.names = ("count", "mean", "spread")[: 2 + spread]
        self.add_empty(*self.names)

    def merge(self, keys: Tensor | None, new: Seen) -> Seen:
        """Add a batch's moments to some rows, exactly (Chan et al.); returns those rows."""
        self._make_room(new)
        old = [self.get_buffer(name) for name in self.names]
        count, mean, *rest = old if keys is None else [part[keys] for part in old]
        total = count + new.count
        share, off = divided(new.count, total), new.mean - mean
        spread = new.spread
        if rest:
            spread = rest[0] + new.spread + off**2 * per_sample(count * share, off)
        merged = Seen(total, mean + off * per_sample(share, off), spread)
        for name in self.names:
            write(self.get_buffer(name), keys, getattr(merged, name))
        return merged

    def take(self) -> Seen:
        """All rows, forgotten thereafter."""
        taken = [self.get_buffer(name).clone() for name in self.names]
        for name in self.names:
            self.get_buffer(name).zero_()
        return Seen(taken[0], taken[1], taken[-1])

    def _make_room(self, new: Seen) -> None:
        if self.is_shaped("count"):
            return
        assert self.length is not None
        shape = (self.length, *new.mean.shape[1:])
        for name in self.names:
            self.fill(name, shape[:1] if name == "count" else shape, 0.0, new.mean.dtype, new.mean.device)


class Window(Lazy):
    """The last so many values of each row."""

    ring: Tensor
    pushed: Tensor

    def __init__(self, length: int, last: int) -> None:
        super().__init__(length)
        self.last = last
        self.add_empty("ring", "pushed")

    def push(self, keys: Tensor | None, values: Tensor, known: Tensor) -> Seen:
        """Add a value to the rows that have one, in place of the oldest; returns the rows' moments."""
        self._make_room(values)
        old, pushed = (part if keys is None else part[keys] for part in (self.ring, self.pushed))
        places = torch.arange(self.last, device=pushed.device)
        here = (places == (pushed % self.last)[:, None]) & known[:, None]
        ring = torch.where(_aligned(here, old), values[:, None].to(old.dtype), old)
        pushed = pushed + known
        write(self.ring, keys, ring)
        write(self.pushed, keys, pushed)
        count = pushed.clamp(max=self.last)
        filled = _aligned(places < count[:, None], ring)
        mean = divided((ring * filled).sum(1), count)
        return Seen(count, mean, ((ring - mean[:, None]) ** 2 * filled).sum(1))

    def _make_room(self, values: Tensor) -> None:
        if self.is_shaped("pushed"):
            return
        assert self.length is not None
        shape = (self.length, self.last, *values.shape[1:])
        self.fill("ring", shape, 0.0, values.dtype, values.device)
        self.fill("pushed", (self.length,), 0.0, torch.int64, values.device)


class Running(State):
    """A statistic of batches, or of values given at turns; rows of which nothing is seen keep theirs."""

    spreads = False

    def __init__(self, granule: str, rows: int, start: float | Tensor = 0.0, every: str = "step") -> None:
        super().__init__(granule, rows, start, every)
        assert self.length is not None
        self.moments = Moments(self.length, self.spreads)

    @torch.no_grad()
    def update(
        self,
        e: Tensor,
        y: Tensor | None = None,
        index: Tensor | None = None,
        where: Tensor | Top | None = None,
    ) -> None:
        """Take in a batch: a value per sample, their classes or places, and which of them count.

        Where a row per class is kept, values without classes are those of every class, or one for all.
        """
        assert self.length is not None
        values = e.detach()[None] if e.dim() == 0 else e.detach()
        if self.granule == "category" and y is None:
            values, y = (
                values.expand(self.length, *values.shape[1:]),
                torch.arange(self.length, device=e.device),
            )
        found = groups(self.granule, self.length, values, y, index, where)
        seen = found.seen(self.spreads)
        self.shape_as(values)
        if self.at_once:
            self.show(found.keys, self.statistic(found.keys, seen, whole=False), seen.count > 0)
        else:
            self.moments.merge(found.keys, seen)

    @torch.no_grad()
    def turn(self, value: Tensor | None = None) -> None:
        """Make the statistic of what was gathered the value; a value that is given counts as one more."""
        if value is not None:
            rows = self.as_rows(value.detach())
            self.shape_as(rows)
            mean = rows.to(wide(rows))
            seen = Seen(mean.new_ones(len(mean)), mean, torch.zeros_like(mean))
            self.show(None, self.statistic(None, seen, whole=False), seen.count > 0)
        elif not self.at_once and self.moments.is_shaped("count"):
            seen = self.moments.take()
            self.show(None, self.statistic(None, seen, whole=True), seen.count > 0)

    @abstractmethod
    def statistic(self, keys: Tensor | None, seen: Seen, whole: bool) -> Tensor:
        """The new value of some rows; `whole` says that the moments are those of a whole epoch."""


class Mean(Running):
    """The mean of all values, of an epoch's, or of the last so many updates."""

    def __init__(
        self,
        granule: str,
        rows: int,
        start: float | Tensor = 0.0,
        every: str = "step",
        last: int | None = None,
    ) -> None:
        super().__init__(granule, rows, start, every)
        assert self.length is not None
        self.window = None if last is None else Window(self.length, last)

    def statistic(self, keys: Tensor | None, seen: Seen, whole: bool) -> Tensor:
        """The statistic of the window, of the epoch, or of everything."""
        if self.window is not None:
            return self.of(self.window.push(keys, seen.mean, seen.count > 0))
        return self.of(seen if whole else self.moments.merge(keys, seen))

    def of(self, seen: Seen) -> Tensor:
        """The mean."""
        return seen.mean


class Deviation(Mean):
    """The standard deviation of the same values, divided by their number."""

    spreads = True

    def of(self, seen: Seen) -> Tensor:
        """The standard deviation."""
        return divided(seen.spread, seen.count).sqrt()


class Ema(Running):
    """The exponential moving average of the updates' means."""

    def __init__(
        self,
        granule: str,
        rows: int,
        start: float | Tensor = 0.0,
        every: str = "step",
        *,
        decay: float,
    ) -> None:
        super().__init__(granule, rows, start, every)
        self.decay = decay

    def statistic(self, keys: Tensor | None, seen: Seen, whole: bool) -> Tensor:
        """A share of the old value, and the rest of the new mean."""
        del whole
        old = self.kept if keys is None else self.kept[keys]
        return self.decay * old + (1 - self.decay) * seen.mean


def _aligned(flags: Tensor, like: Tensor) -> Tensor:
    """Flags per row and place, shaped to multiply what has more axes."""
    return flags.reshape(*flags.shape, *[1] * (like.dim() - 2))
