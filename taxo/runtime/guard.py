"""The watch over perturbations: they stay finite, and labels on the simplex, without waiting for a device."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NoReturn

import torch
from torch import Tensor

from taxo.language.errors import fail
from taxo.language.source import Span
from taxo.runtime.meters import Delta

ROUNDING = 1e-3  # how far from 1 the sum of a distribution may be: half precision rounds


class Guard:
    """What was found wrong: said at once on the CPU, noted on other devices until someone asks."""

    def __init__(self) -> None:
        self.places: Mapping[str, Span | None] = {}
        self.weighing: Mapping[str, Span | None] = {}
        self._watched: list[tuple[str, str, Delta]] = []
        self._noted: dict[tuple[str, str], Tensor] = {}

    def begin(self) -> None:
        """Forget what a step that broke off has left."""
        self._watched.clear()

    def watch(self, name: str, delta: Delta, kind: str = "finite") -> None:
        """A perturbation that is to be finite, or what weighs losses."""
        if not torch.compiler.is_compiling():
            self._watched.append((kind, name, delta))

    def look(self, outcome: Tensor) -> None:
        """Look for what is not finite: on the CPU only if what all of them led to is not."""
        watched, self._watched = self._watched, []
        if not watched or (outcome.device.type == "cpu" and bool(_total(outcome).isfinite())):
            return
        for kind, name, delta in watched:
            parts = [delta] if isinstance(delta, Tensor) else list(delta.values())
            if parts:
                self._note(kind, name, ~torch.stack([_total(part) for part in parts]).isfinite().all())

    def simplex(self, name: str, labels: Tensor) -> None:
        """Perturbed labels that are distributions."""
        if torch.compiler.is_compiling() or not labels.numel():
            return
        with torch.no_grad():
            sums = labels.sum(-1, dtype=torch.promote_types(labels.dtype, torch.float32))
            off = ((sums - 1).abs().amax() > ROUNDING) | (labels.amin() < -ROUNDING)
            self._note("simplex", name, off)

    def _note(self, kind: str, name: str, wrong: Tensor) -> None:
        if wrong.device.type == "cpu":
            if bool(wrong):
                self._complain(kind, name)
            return
        if (kind, name) in self._noted:
            self._noted[kind, name].logical_or_(wrong)  # in place: a recorded step knows nothing else
            return
        with torch.inference_mode(False):
            self._noted[kind, name] = wrong.clone()

    def ask(self) -> None:
        """Say what was noted since the last time; this waits for the device."""
        for (kind, name), wrong in self._noted.items():
            if bool(wrong):
                for flag in self._noted.values():
                    flag.zero_()
                self._complain(kind, name)

    def _complain(self, kind: str, name: str) -> NoReturn:
        place = (self.weighing if kind == "weighing" else self.places).get(name)
        if kind == "weighing":
            what = f"the weight of the branch `{name}`" if name else "what is added to the loss"
            hint = "look for a quotient, power or logarithm of what can be zero or large"
            fail("T409", f"{what} is not finite", place, hint)
        if kind == "finite":
            hint = "look for the logarithm or root of what can be zero, and at the step size and the radius"
            fail("T409", f"the perturbation `{name}` is not finite", place, hint)
        hint = "`a * (q - y)` with `q` a distribution and `a` from 0 to 1 stays"
        fail("T304", f"`{name}` moved labels off the simplex", place, hint)


@torch.no_grad()
def _total(part: Tensor) -> Tensor:
    """The sum of all entries, which is finite where they are, wide enough for half precision."""
    return part.sum(dtype=torch.promote_types(part.dtype, torch.float32))
