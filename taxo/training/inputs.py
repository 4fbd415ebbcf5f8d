"""Inputs that are no tensor of numbers: bytes on the device, or files that are read as they are wanted.

Rows of either are numbers in [0, 1], on the device, as rows of a tensor would be.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from math import prod

import torch
from torch import Tensor

from taxo.training.loaders import Raw
from taxo.training.pictures import Pictures
from taxo.training.tensors import numbers, pieces

RESIDENT = 4 << 30  # bytes of images that are read once and kept; more are read batch by batch
PIECE = 512
SAMPLE = 10_000  # images that say what is usual
AHEAD = 2


class Kept(ABC):
    """Images as they are kept, which rows make numbers of."""

    shape: tuple[int, ...]
    device: torch.device

    def __len__(self) -> int:
        return self.shape[0]

    @abstractmethod
    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """Some of the images."""

    @abstractmethod
    def only(self, mask: Tensor) -> Kept:
        """Those of a mask."""

    @abstractmethod
    def to(self, device: torch.device) -> Kept:
        """The same, whose rows come on another device."""

    def dim(self) -> int:
        """How many axes the images have together."""
        return len(self.shape)


class Bytes(Kept):
    """Images of a byte for each pixel, a quarter of what numbers would take."""

    def __init__(self, pixels: Tensor) -> None:
        self.pixels = pixels
        self.shape = tuple(pixels.shape)
        self.device = pixels.device

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """Some of the images."""
        return self.pixels[rows].float() / 255

    def only(self, mask: Tensor) -> Bytes:
        """Those of a mask."""
        return Bytes(self.pixels[mask])

    def to(self, device: torch.device) -> Bytes:
        """The same on another device."""
        return Bytes(self.pixels.to(device))


class Files(Kept):
    """Images that are read from their files each time, by so many threads."""

    def __init__(
        self, pictures: Pictures, rows: Tensor, workers: int, device: torch.device | None = None
    ) -> None:
        self.pictures = pictures
        self.rows = rows
        self.workers = workers
        self.shape = (len(rows), 3, pictures.side, pictures.side)
        self.device = device or torch.device("cpu")

    def __getitem__(self, rows: Tensor | slice) -> Tensor:
        """Some of the images."""
        wanted = self.rows[rows.cpu() if isinstance(rows, Tensor) else rows]
        pixels = torch.from_numpy(self.pictures.read([int(row) for row in numbers(wanted)], self.workers))
        return pixels.to(self.device).float() / 255

    def only(self, mask: Tensor) -> Files:
        """Those of a mask."""
        return Files(self.pictures, self.rows[mask.cpu()], self.workers, self.device)

    def to(self, device: torch.device) -> Files:
        """The same, whose rows come on another device."""
        return Files(self.pictures, self.rows, self.workers, device)


Inputs = Tensor | Kept


def inputs_of(raw: Raw, workers: int, resident: int = RESIDENT) -> Inputs:
    """What a loader gave, kept as befits it."""
    if not isinstance(raw.x, Pictures):
        x = torch.from_numpy(raw.x)
        return Bytes(x) if x.dtype == torch.uint8 else x
    files = Files(raw.x, torch.arange(len(raw.x)), workers)
    if prod(files.shape) > resident:
        return files
    pixels = torch.empty(files.shape, dtype=torch.uint8)
    for rows in pieces(len(files), PIECE):
        pixels[rows] = torch.from_numpy(raw.x.read(range(rows.start, min(rows.stop, len(files))), workers))
    return Bytes(pixels)


def only(x: Inputs, mask: Tensor) -> Inputs:
    """The inputs of a mask."""
    return x[mask] if isinstance(x, Tensor) else x.only(mask)


def chunks(x: Inputs) -> Iterator[slice]:
    """All of a tensor at once, and what is not kept as numbers piece by piece."""
    return iter([slice(None)]) if isinstance(x, Tensor) else pieces(len(x), PIECE)


def sampled(x: Inputs) -> Tensor:
    """As many of the inputs as say what is usual, evenly chosen."""
    if isinstance(x, Tensor):
        return x
    return x[torch.linspace(0, len(x) - 1, min(len(x), SAMPLE), dtype=torch.float64).round().long()]


def ahead(x: Inputs, parts: Sequence[Tensor]) -> Generator[Tensor]:
    """The rows of each part in turn; those of files are read while the part before is worked on."""
    if not isinstance(x, Files):
        for part in parts:
            yield x[part]
        return
    with ThreadPoolExecutor(1) as pool:
        waiting: list[Future[Tensor]] = []
        try:
            for place in range(len(parts) + AHEAD):
                if place < len(parts):
                    waiting.append(pool.submit(x.__getitem__, parts[place]))
                if place >= AHEAD:
                    yield waiting.pop(0).result()
        finally:
            pool.shutdown(cancel_futures=True)
