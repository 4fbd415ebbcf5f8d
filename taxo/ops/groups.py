"""What a batch says of each sample or class, or of the corpus: how many, their mean, how far they spread."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from taxo.ops.forms import Top, per_sample
from taxo.ops.norms import per_row
from taxo.ops.ranks import gathered, summed, world
from taxo.ops.repeats import groups_of


@dataclass(frozen=True, slots=True)
class Seen:
    """Per row of a state: the number of values, their mean, and the sum of squared deviations from it."""

    count: Tensor
    mean: Tensor
    spread: Tensor


@dataclass(frozen=True, slots=True)
class Groups:
    """The values of a batch and the rows of a state that they belong to.

    `member` is a row for each value, a share of every row for each value, or none where there is one row.
    `keys` are the rows of the state that the groups are, one for each value; none stands for all in order.
    `shared` says that other processes have parts of the same groups.
    """

    values: Tensor
    member: Tensor | None
    size: int
    keys: Tensor | None = None
    counted: Tensor | None = None
    shared: bool = True

    def total(self, values: Tensor) -> Tensor:
        """The sum of each group."""
        if self.counted is not None:
            values = values.masked_fill(~per_sample(self.counted, values), 0)
        found = self._added(values)
        return summed(found) if self.shared else found

    def of_each(self, groups: Tensor) -> Tensor:
        """What a value's group has, for each value; shares of rows do not pick one."""
        if self.keys is not None:
            return groups
        if self.member is None:
            return groups.expand(len(self.values), *groups.shape[1:])
        return groups[self.member]

    def count(self) -> Tensor:
        """The number of values in each group."""
        return self.total(torch.ones(len(self.values), dtype=wide(self.values), device=self.values.device))

    def seen(self, spread: bool = True) -> Seen:
        """The moments of each group."""
        values, count = self.values.to(wide(self.values)), self.count()
        mean = divided(self.total(values), count)
        if not spread:
            return Seen(count, mean, torch.zeros_like(count))
        if self.member is None or not self.member.is_floating_point():
            return Seen(count, mean, self.total((values - self.of_each(mean)) ** 2))
        # shares: about the mean of all, which is subtracted again
        centre = divided((mean * per_sample(count, mean)).sum(0), count.sum())
        off = per_sample(count, mean) * (mean - centre) ** 2
        return Seen(count, mean, (self.total((values - centre) ** 2) - off).clamp(min=0))

    def _added(self, values: Tensor) -> Tensor:
        if self.member is None:
            return values.sum(0, keepdim=True)
        if self.member.is_floating_point():
            return shares_of(self.member.T, values)
        sums = values.new_zeros(self.size, *values.shape[1:]).index_add_(0, self.member, values)
        return sums if self.keys is None else sums[self.member]


def groups(
    granule: str,
    size: int,
    values: Tensor,
    y: Tensor | None = None,
    index: Tensor | None = None,
    where: Tensor | Top | None = None,
    *,
    together: bool = False,
    whole: bool = False,
) -> Groups:
    """The groups of a batch, all classes or only those that occur if they are many.

    `together` brings all processes' values here, as those per sample always are; `whole` wants all classes.
    """
    where = where.mask if isinstance(where, Top) else where
    alone = together or world() == 1
    key = {"sample": index, "category": y, "corpus": None}[granule]
    key = None if key is None else key if key.is_floating_point() else key.long()
    parts = [part for part in (values, key, where) if part is not None]
    if together or granule == "sample":
        together, parts = True, gathered(*parts)
    values, *rest = parts
    member = rest.pop(0) if key is not None else None
    counted = rest.pop() if rest else None
    few = granule == "sample" or (alone and not whole and size > len(values))
    if few and member is not None and not member.is_floating_point():
        return Groups(values, groups_of(member), len(values), member, counted, shared=False)
    return Groups(values, member, size, None, counted, shared=not together)


def wide(like: Tensor) -> torch.dtype:
    """The type that sums are kept in: the widest that the device has."""
    return torch.float32 if like.device.type == "mps" else torch.float64


def shares_of(shares: Tensor, rows: Tensor) -> Tensor:
    """The sums of rows that each have a share of."""
    return (shares.to(rows.dtype) @ per_row(rows)).reshape(len(shares), *rows.shape[1:])


def divided(total: Tensor, count: Tensor) -> Tensor:
    """A mean of each group; zero where there is nothing."""
    return total / per_sample(torch.where(count > 0, count, torch.ones_like(count)), total)
