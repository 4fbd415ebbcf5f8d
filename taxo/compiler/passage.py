"""What a plan is made of: passes, and what they cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

TEACHER = "teacher"
RAW = "raw"  # passes on a batch before its augmentation


@dataclass(frozen=True, slots=True)
class Pass:
    """Some equal passes through the model; `share` is the part of the batch they run on.

    An `unmoved` one finds an unknown at the value that nothing has perturbed yet. A `timed` one is run while
    a condition on the time holds.
    """

    kind: str
    name: str
    count: int = 1
    forwards: int = 1
    backwards: int = 1
    share: float = 1.0
    norm: str = "update"
    unmoved: bool = False
    timed: bool = False

    def __str__(self) -> str:
        times = _times(self.count, self.forwards, self.backwards)
        rows = f" on {self.share:.0%} of the rows" if self.share < 1 else ""
        rows = f" on {self.share:g} x the rows" if self.share > 1 else rows
        when = ", at times" if self.timed else ""
        return f"{self.kind} {self.name}".strip() + f": {times}{rows}, norm {self.norm}{when}"


@dataclass(frozen=True, slots=True)
class RoundPass:
    """Some equal passes before a round: over a `share` of the data, or over so many `samples`.

    There are fewer than `count` where they may end `sooner`. A backward may be that of another backward.
    """

    kind: str
    count: int = 1
    forwards: int = 1
    backwards: int = 1
    share: float = 0.0
    samples: int = 0
    sooner: str = ""

    def __str__(self) -> str:
        times = ("up to " if self.sooner else "") + _times(self.count, self.forwards, self.backwards)
        rows = f"{self.samples} samples" if self.samples else f"{self.share:.0%} of the data"
        return f"{self.kind}: {times} on {rows}" + (f", {self.sooner}" if self.sooner else "")


@dataclass(frozen=True, slots=True)
class Plan:
    """The passes of a step in order, and those before each of its `rounds` but the first."""

    passes: tuple[Pass, ...]
    rounds: int = 1
    between: tuple[RoundPass, ...] = ()

    @property
    def forwards(self) -> float:
        """How many times the batch goes through the model."""
        return sum(one.count * one.forwards * one.share for one in self.passes if one.kind != TEACHER)

    @property
    def backwards(self) -> float:
        """How many times a gradient of the batch comes back through the model."""
        return sum(one.count * one.backwards * one.share for one in self.passes if one.kind != TEACHER)

    @property
    def cost(self) -> str:
        """The cost in a few letters: `11 F + 11 B`, and what a teacher's passes add."""
        forwards, backwards = self.of_teacher
        back = f" + {_short(backwards)} B" * bool(backwards)
        more = f" + {_short(forwards)} F{back} of the teacher" if forwards else ""
        return f"{_short(self.forwards)} F + {_short(self.backwards)} B{more}"

    @property
    def of_teacher(self) -> tuple[float, float]:
        """How many times the batch goes through a teacher, and a gradient of it comes back."""
        lessons = [one for one in self.passes if one.kind == TEACHER]
        sizes = [one.count * one.share for one in lessons]
        forwards = sum(size * one.forwards for size, one in zip(sizes, lessons, strict=True))
        return forwards, sum(size * one.backwards for size, one in zip(sizes, lessons, strict=True))

    @property
    def round_cost(self) -> str:
        """The cost of what is done before a round: of the data, and of some samples; nothing if none is."""
        parts: list[str] = []
        for samples in sorted({one.samples for one in self.between}):
            rows = f"{samples} samples" if samples else "the data"
            some = [one for one in self.between if one.samples == samples]
            known = [one for one in some if not one.sooner]
            parts += [f"{_sums(known)} of {rows}"] if known else []
            open_ended = [replace(one, count=1) for one in some if one.sooner]
            parts += [f"{_sums([one])} of {rows} for each {one.kind}" for one in open_ended]
        return ", ".join(parts)

    def norm(self, kind: str, name: str) -> str:
        """The norm word of a pass; `update` where there is no such pass."""
        return next((one.norm for one in self.passes if (one.kind, one.name) == (kind, name)), "update")

    def has(self, kind: str, name: str) -> bool:
        """Whether a pass is in the plan."""
        return any((one.kind, one.name) == (kind, name) for one in self.passes)


def _sums(passes: Iterable[RoundPass]) -> str:
    """Forwards and backwards of passes over the same samples, or over parts of the same data."""
    weighed = [(one, one.count * (1.0 if one.samples else one.share)) for one in passes]
    forwards = sum(weight * one.forwards for one, weight in weighed)
    backwards = sum(weight * one.backwards for one, weight in weighed)
    return " + ".join(f"{_short(n)} {letter}" for n, letter in ((forwards, "F"), (backwards, "B")) if n)


def _times(count: int, forwards: int, backwards: int) -> str:
    passes = " + ".join(["forward"] * forwards + ["backward"] * backwards)
    return f"{count} x ({passes})" if count > 1 else passes


def _short(number: float) -> str:
    return f"{number:.4g}" if number < 10_000 else f"{number:.0f}"
