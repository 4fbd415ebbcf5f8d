"""A data set some of whose samples have been moved, or have moved copies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import torch
from torch import Tensor
from torch.utils.data import Dataset, TensorDataset

from taxo.language.errors import fail

Item = tuple[object, ...]


class Samples(Protocol):
    """What has a length and gives samples by their place: inputs and label, and maybe their index."""

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __getitem__(self, place: int, /) -> Sequence[object]:
        """One of them."""
        ...


class Amended(Dataset[Item]):
    """The samples of a data set, `(x, y, index)`, where some have other inputs and some are moved copies.

    A copy has the label and the index of the sample that it was made of: what is kept of each sample is
    theirs together. `rows` says which sample of the original each input in `x` was made of, and `append`
    whether they join the data or take their places; made of these four it is the same data again.
    """

    def __init__(
        self,
        original: Samples,
        rows: Tensor | None = None,
        x: Tensor | None = None,
        append: bool = True,
    ) -> None:
        self.original = original
        self.rows = torch.empty(0, dtype=torch.long) if rows is None else rows.cpu()
        self.x = x
        self.append = append
        self._made_of = cast("list[int]", self.rows.tolist())
        self._places = {} if append else {row: own for own, row in enumerate(self._made_of)}

    def __len__(self) -> int:
        return len(self.original) + (len(self.rows) if self.append else 0)

    def __getitem__(self, place: int) -> Item:
        row, own = self._find(place)
        sample = self.original[row]
        x = sample[0] if own is None or self.x is None else self.x[own]
        return (x, sample[1], sample[2] if len(sample) > 2 else row)

    def origins(self) -> Tensor:
        """Which sample of the original each one was made of."""
        own = torch.arange(len(self.original))
        return torch.cat([own, self.rows]) if self.append else own

    def batch(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs and labels at some places."""
        found = [self._find(place) for place in cast("list[int]", places.tolist())]
        x, y = self._original([row for row, _ in found])
        changed = [(place, own) for place, (_, own) in enumerate(found) if own is not None]
        if changed and self.x is not None:
            here, there = (torch.tensor(side) for side in zip(*changed, strict=True))
            x = x.index_copy(0, here.to(x.device), self.x[there.to(self.x.device)].to(x))
        return x, y

    def given(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs and labels of some samples as they were given."""
        return self._original(cast("list[int]", rows.tolist()))

    def moved(self, places: Tensor, x: Tensor) -> Amended:
        """The same data, with what was made of the samples at some places."""
        rows = self.origins()[places.cpu()]
        if not self.append and self.x is not None:
            stay = ~torch.isin(self.rows, rows)
            rows, x = torch.cat([self.rows[stay], rows]), torch.cat([self.x[stay.to(self.x.device)], x])
        elif self.x is not None:
            rows, x = torch.cat([self.rows, rows]), torch.cat([self.x, x])
        return Amended(self.original, rows, x, self.append)

    def _find(self, place: int) -> tuple[int, int | None]:
        """The row of the original behind a place, and where its own input lies, if it has one."""
        many = len(self.original)
        place = place + len(self) if place < 0 else place
        if not 0 <= place < len(self):
            raise IndexError(place)
        if place >= many:
            return self._made_of[place - many], place - many
        return place, self._places.get(place)

    def _original(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        original = self.original
        if isinstance(original, TensorDataset):
            x, y = (part[torch.tensor(rows, dtype=torch.long)] for part in original.tensors[:2])
            return x, y
        samples = [original[row] for row in rows]
        x, y = [sample[0] for sample in samples], [sample[1] for sample in samples]
        if not all(isinstance(one, Tensor) for one in x):
            message = f"an input of the data is a `{type(x[0]).__name__}`"
            fail("T401", message, None, "give samples whose inputs are tensors, before any augmentation")
        labels = [one if isinstance(one, Tensor) else torch.as_tensor(one) for one in y]
        return torch.stack(cast("list[Tensor]", x)), torch.stack(labels)
