"""The random numbers that a step draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import cast

import torch
from torch import Tensor

from taxo.ops.forms import per_sample, real_type
from taxo.ops.norms import norm_per_sample

# So that choices of modules are not those that the first numbers would make again.
OTHER_SEED = 0x5DEECE66D


class Draws:
    """Random numbers from a generator of its own, so that a run can be repeated and resumed.

    A number that says how they are spread may be one per sample; `like` then has the batch as its first axis.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._generator: torch.Generator | None = None
        self._pending: Tensor | None = None
        self._choices: torch.Generator | None = None
        self._spare: torch.Generator | None = None

    def generator(self, device: torch.device) -> torch.Generator:
        """The generator, made on the device of the first draw."""
        if self._generator is None or self._generator.device != device:
            # the same one as before, where there is one: a recorded step knows no other
            spare = self._spare if self._spare is not None and self._spare.device == device else None
            self._generator = (spare or torch.Generator(device)).manual_seed(self.seed)
            if self._pending is not None:
                self._generator.set_state(self._pending)
                self._pending = None
        return self._generator

    def ready(self) -> torch.Generator | None:
        """The generator as the next draw finds it; none before the first draw of all."""
        used = self._generator or self._spare
        return None if used is None else self.generator(used.device)

    def normal(self, mean: float | Tensor, deviation: float | Tensor, like: Tensor) -> Tensor:
        """Normal numbers in the shape of `like`."""
        drawn, generator = _blank(like), self.generator(like.device)
        if isinstance(mean, Tensor) or isinstance(deviation, Tensor):
            drawn.normal_(generator=generator)
            return (drawn * _fit(deviation, like) + _fit(mean, like)).to(like.dtype)
        return drawn.normal_(mean, deviation, generator=generator)

    def uniform(self, low: float | Tensor, high: float | Tensor, like: Tensor) -> Tensor:
        """Uniform numbers in the shape of `like`."""
        drawn, generator = _blank(like), self.generator(like.device)
        if isinstance(low, Tensor) or isinstance(high, Tensor):
            low, high = _fit(low, like), _fit(high, like)
            return (drawn.uniform_(generator=generator) * (high - low) + low).to(like.dtype)
        return drawn.uniform_(low, high, generator=generator)

    def beta(self, a: float | Tensor, b: float | Tensor, like: Tensor) -> Tensor:
        """Beta numbers like `like`; without a pull to 0 they are 1, else without one to 1 they are 0."""
        pulls = [_fine(_fit(pull, like), like) for pull in (a, b)]
        towards, away = (self._log_gamma(pull) for pull in pulls)
        # The odds of two such numbers; both pulls 0 would be minus infinity twice.
        share = torch.where(pulls[1] > 0, torch.sigmoid(towards - away), 1)
        return share.to(like.dtype)

    def bernoulli(self, share: float | Tensor, like: Tensor) -> Tensor:
        """1 with a probability, else 0, in the shape of `like`."""
        return (self._units(like, real_type(like)) < _fit(share, like)).to(like.dtype)

    def truncated_normal(
        self,
        mean: float | Tensor,
        deviation: float | Tensor,
        low: float | Tensor,
        high: float | Tensor,
        like: Tensor,
    ) -> Tensor:
        """Normal numbers in the shape of `like`, given that they lie between two ends."""
        centre, spread, first, last = (_fine(_fit(one, like), like) for one in (mean, deviation, low, high))
        moves = spread > 0
        unit = torch.where(moves, spread, 1)
        ends = (first - centre) / unit, (last - centre) / unit
        # Above the mean the distribution function is 1 within rounding, so that side is drawn mirrored.
        above = ends[0] + ends[1] > 0
        low_end, high_end = (torch.where(above, -ends[1 - side], ends[side]) for side in (0, 1))
        least, most = _below(low_end), _below(high_end)
        drawn = _quantile(least + self._units(like, torch.float64) * (most - least))
        drawn = torch.where(most > 0, drawn, high_end)  # beyond 37 deviations no share is left
        drawn = centre + unit * torch.where(above, -drawn, drawn)
        return torch.where(moves, drawn, centre).clamp(first, last).to(like.dtype)

    def sphere(self, like: Tensor, whole: bool = False) -> Tensor:
        """A direction of length 1 for each sample, or one for the `whole` of `like`."""
        rows = like[None] if whole else like
        drawn = torch.empty_like(rows, dtype=real_type(like)).normal_(generator=self.generator(like.device))
        length = norm_per_sample(drawn)
        unit = drawn / per_sample(torch.where(length > 0, length, 1), drawn)
        return (unit[0] if whole else unit).to(like.dtype)

    def rectangle(self, area: float | Tensor, like: Tensor, whole: bool | None = None) -> Tensor:
        """1 inside a rectangle around any place, clipped at the border, else 0; `area` is its share before.

        One for each sample, or one for the `whole` of `like`: unless said, [C, H, W] and [D] are one input.
        """
        rows = like[None] if (like.dim() in (1, 3) if whole is None else whole) else like
        sides = rows.shape[-2:] if rows.dim() > 2 else rows.shape[-1:]
        kind = real_type(like)
        share = area if isinstance(area, Tensor) else rows.new_full((), area, dtype=kind)
        half = share.to(kind).clamp(min=0).reshape(-1, 1) ** (1 / len(sides)) / 2
        centres = self._units(rows.new_empty(len(rows), len(sides)), kind)
        inside = torch.ones((), dtype=torch.bool, device=like.device)
        for axis, side in enumerate(sides, -len(sides)):
            places = (torch.arange(side, device=like.device, dtype=kind) + 0.5) / side
            shape = [len(rows), *[1] * (rows.dim() - 1)]
            shape[axis] = side
            inside = inside & ((places - centres[:, axis, None]).abs() < half).reshape(shape)
        return inside.expand_as(rows).reshape(like.shape).to(like.dtype)

    def permutation(self, like: Tensor) -> Tensor:
        """An order of the rows of `like`."""
        return torch.randperm(len(like), generator=self.generator(like.device), device=like.device)

    def module(self, names: Sequence[str]) -> str:
        """One of the names; it is drawn on the host, from numbers of its own."""
        if self._choices is None:
            self._choices = torch.Generator().manual_seed(self.seed ^ OTHER_SEED)
        return names[int(torch.randint(len(names), (), generator=self._choices))]

    def one(self, x: Tensor) -> Tensor:
        """The shape of one number per batch; of the default type where inputs are no real numbers."""
        return torch.empty((), dtype=x.dtype if x.is_floating_point() else None, device=x.device)

    def per_sample(self, x: Tensor) -> Tensor:
        """The shape of one number per sample of a batch."""
        return self.one(x).expand(len(x)).clone()

    def state(self) -> Tensor:
        """Where the generator stands (before the first draw, the seed), then where that of modules does."""
        if self._generator is not None:
            first = self._generator.get_state()
        else:
            first = torch.tensor([self.seed]).view(torch.uint8) if self._pending is None else self._pending
        return first if self._choices is None else torch.cat([first, self._choices.get_state()])

    def restore(self, state: Tensor) -> None:
        """Go on where another generator stood."""
        self._spare = self._generator or self._spare
        state, self._generator, self._choices = state.cpu(), None, None
        size = _host_size()
        if state.numel() > size:  # no other state is longer than that of a generator on the host
            self._choices = torch.Generator().set_state(state[-size:].clone())
            state = state[:-size].clone()
        if state.numel() == torch.int64.itemsize:
            self.seed, self._pending = int(state.view(torch.int64)), None
        else:
            self._pending = state

    def _units(self, like: Tensor, kind: torch.dtype) -> Tensor:
        """Uniform numbers between 0 and 1."""
        return torch.rand(like.shape, generator=self.generator(like.device), dtype=kind, device=like.device)

    def _log_gamma(self, pull: Tensor) -> Tensor:
        """Logarithms of gamma numbers; those of a small pull are too small themselves, and of none are 0."""
        generator = self.generator(pull.device)
        more = torch._standard_gamma(pull + 1, generator=generator)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
        return more.log() - torch.empty_like(pull).exponential_(generator=generator) / pull


@cache
def _host_size() -> int:
    """How long the state of a generator on the host is."""
    return torch.Generator().get_state().numel()


def _blank(like: Tensor) -> Tensor:
    """Room for real numbers in the shape of `like`."""
    return torch.empty_like(like, dtype=like.dtype if like.is_floating_point() else torch.get_default_dtype())


def _fit(value: float | Tensor, like: Tensor) -> float | Tensor:
    """A number, or one number per sample shaped to stand beside `like`."""
    return per_sample(value, like) if isinstance(value, Tensor) and value.dim() else value


def _fine(value: float | Tensor, like: Tensor) -> Tensor:
    """A value in double precision, in the shape of `like`."""
    if isinstance(value, Tensor):
        return value.to(torch.float64).expand_as(like)
    return torch.full_like(like, value, dtype=torch.float64)


def _below(value: Tensor) -> Tensor:
    """The share of normal numbers that are smaller."""
    return (-math.sqrt(0.5) * value).erfc() / 2  # `torch.special.ndtr` is 0 from -9 on


def _quantile(share: Tensor) -> Tensor:
    """The normal number that a share of them is smaller than."""
    return cast(Tensor, torch.special.ndtri(share))
