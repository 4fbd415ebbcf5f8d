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
        given, many = torch.arange(len(original)), torch.arange(len(self.rows))
        self._origins = torch.cat([given, self.rows]) if append else given
        # which input of `x` stands at a place, and -1 where it is the given one
        none = torch.full_like(given, -1)
        self._own = torch.cat([none, many]) if append else none.index_copy(0, self.rows, many)

    def __len__(self) -> int:
        return len(self.original) + (len(self.rows) if self.append else 0)

    def __getitem__(self, place: int) -> Item:
        if not -len(self) <= place < len(self):
            raise IndexError(place)
        row, own = int(self._origins[place]), int(self._own[place])
        sample = self.original[row]
        x = sample[0] if own < 0 or self.x is None else self.x[own]
        return (x, sample[1], sample[2] if len(sample) > 2 else row)

    def origins(self) -> Tensor:
        """Which sample of the original each one was made of."""
        return self._origins

    def batch(self, places: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs and labels at some places."""
        places = places.cpu()
        x, y = self.given(self._origins[places])
        own = self._own[places]
        here = (own >= 0).nonzero().flatten()
        if len(here) and self.x is not None:
            x = x.index_copy(0, here.to(x.device), self.x[own[here].to(self.x.device)].to(x))
        return x, y

    def given(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The inputs and labels of some samples as they were given."""
        original = self.original
        if isinstance(original, TensorDataset):
            x, y = (part[rows.to(part.device)] for part in original.tensors[:2])
            return x, y
        samples = [original[row] for row in cast("list[int]", rows.tolist())]
        inputs, labels = [sample[0] for sample in samples], [sample[1] for sample in samples]
        if not all(isinstance(one, Tensor) for one in inputs):
            message = f"an input of the data is a `{type(inputs[0]).__name__}`"
            fail("T401", message, None, "give samples whose inputs are tensors, before any augmentation")
        y = [one if isinstance(one, Tensor) else torch.as_tensor(one) for one in labels]
        return torch.stack(cast("list[Tensor]", inputs)), torch.stack(y)

    def moved(self, places: Tensor, x: Tensor) -> Amended:
        """The same data, with what was made of the samples at some places."""
        rows = self.origins()[places.cpu()]
        if not self.append and self.x is not None:
            stay = ~torch.isin(self.rows, rows)
            rows, x = torch.cat([self.rows[stay], rows]), torch.cat([self.x[stay.to(self.x.device)], x])
        elif self.x is not None:
            rows, x = torch.cat([self.rows, rows]), torch.cat([self.x, x])
        return Amended(self.original, rows, x, self.append)
