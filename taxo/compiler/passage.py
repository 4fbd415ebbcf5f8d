"""What a plan is made of: passes, and what they cost."""

from __future__ import annotations

from dataclasses import dataclass

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
        passes = " + ".join(["forward"] * self.forwards + ["backward"] * self.backwards)
        times = f"{self.count} x ({passes})" if self.count > 1 else passes
        rows = f" on {self.share:.0%} of the rows" if self.share < 1 else ""
        rows = f" on {self.share:g} x the rows" if self.share > 1 else rows
        when = ", at times" if self.timed else ""
        return f"{self.kind} {self.name}".strip() + f": {times}{rows}, norm {self.norm}{when}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The passes of a step in order."""

    passes: tuple[Pass, ...]

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
        taught = sum(one.count * one.forwards for one in self.passes if one.kind == TEACHER)
        more = f" + {taught} F of the teacher" if taught else ""
        return f"{_short(self.forwards)} F + {_short(self.backwards)} B{more}"

    def norm(self, kind: str, name: str) -> str:
        """The norm word of a pass; `update` where there is no such pass."""
        return next((one.norm for one in self.passes if (one.kind, one.name) == (kind, name)), "update")

    def has(self, kind: str, name: str) -> bool:
        """Whether a pass is in the plan."""
        return any((one.kind, one.name) == (kind, name) for one in self.passes)


def _short(number: float) -> str:
    return f"{number:.4g}"
