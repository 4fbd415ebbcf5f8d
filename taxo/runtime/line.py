"""One pass through the training computation, and what was seen at each place of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from taxo.language.errors import fail
from taxo.runtime.sharded import is_gone, refuse

if TYPE_CHECKING:
    from taxo.runtime.stage import Stage


class Present:
    """A pass for the time of a block, on top of those under way; what is called meanwhile finds it."""

    __slots__ = ("_line", "_lines")

    def __init__(self, lines: list[Line], line: Line) -> None:
        self._lines, self._line = lines, line

    def __enter__(self) -> None:
        self._lines.append(self._line)

    def __exit__(self, *_: object) -> None:
        self._lines.pop()


class Outputs(dict[str, Tensor]):
    """What modules gave in a pass so far, by name."""

    def __missing__(self, name: str) -> Tensor:
        fail("T404", f"`{name}` has not run when its output is read", None, "read it at a later place")


@dataclass(slots=True, eq=False)
class Line:
    """A pass: what entered the model, what was seen inside, and what came of it.

    `x`, `z`, `h`, `u` and `y` are what they are after the perturbations that acted there; `raw` are the
    logits, and `base` the losses, before those on them. A search takes those of a pass that is not its own
    as they are, without their gradient.
    """

    stage: Stage
    x: Tensor
    labels: Tensor | None
    h: dict[str, Tensor] = field(default_factory=Outputs)
    seen: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    kept: dict[str, Line] = field(default_factory=dict[str, "Line"])
    apart: bool = field(init=False)

    def __post_init__(self) -> None:
        self.apart = self.stage.sought

    def _now(self, name: str) -> Tensor:
        value = self.seen[name]
        return value.detach() if self.stage.sought and not self.apart else value

    @property
    def z(self) -> Tensor:
        """The head's input."""
        return self._now("z")

    @property
    def W(self) -> Tensor:  # noqa: N802  # the letter of the papers
        """The head's weight, perturbed where the weights are."""
        found = self._now("W")
        if is_gone(found):
            refuse("`W` is read when the head has let go of it", "do not shard the head by itself")
        return found

    @property
    def u(self) -> Tensor:
        """The logits."""
        return self._now("u")

    @property
    def raw(self) -> Tensor:
        """The logits before perturbations of theirs."""
        return self._now("raw")

    @property
    def y(self) -> Tensor:
        """The labels that the loss was taken with."""
        return self._now("y")

    @property
    def base(self) -> Tensor:
        """The loss of each sample before perturbations of its own."""
        return self._now("base")

    @property
    def loss(self) -> Tensor:
        """The loss of each sample."""
        return self._now("loss")

    def inside(self) -> dict[str, Tensor]:
        """What was seen inside the model."""
        return {name: value for name, value in self.seen.items() if name in ("z", "W")}

    def clean(self) -> Line:
        """The rest of the unperturbed pass, where this one is unperturbed up to its logits; no gradient."""
        if "clean" not in self.kept:
            with torch.no_grad():
                apart = Line(self.stage, self.x.detach(), self.labels)
                apart.seen |= {name: value.detach() for name, value in self.inside().items()}
                self.kept["clean"] = self.stage.finish(apart, self.raw.detach())
        return self.kept["clean"]

    def teacher(self) -> Line:
        """The teacher's pass on what entered the model here."""
        known = self.kept.get("teacher")
        if known is None or known.x is not self.x:
            self.kept["teacher"] = self.stage.taught(self.x)
        return self.kept["teacher"]
