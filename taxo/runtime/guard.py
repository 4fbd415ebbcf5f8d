"""The watch over perturbations: they stay finite, and labels on the simplex, without waiting for a device."""

from __future__ import annotations

import torch
from torch import Tensor

from taxo.language.errors import fail

ROUNDING = 1e-3  # how far from 1 the sum of a distribution may be: half precision rounds


class Guard:
    """What was found wrong: said at once on the CPU, noted on other devices until someone asks."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str], Tensor] = {}

    def finite(self, name: str, *parts: Tensor) -> None:
        """A perturbation without NaN and infinity."""
        if torch.compiler.is_compiling() or not parts:
            return
        with torch.no_grad():
            total = sum(
                (part.sum(dtype=torch.promote_types(part.dtype, torch.float32)) for part in parts[1:]),
                parts[0].sum(dtype=torch.promote_types(parts[0].dtype, torch.float32)),
            )
            self._note("finite", name, ~torch.isfinite(total))

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
                _complain(kind, name)
            return
        before = self._noted.get((kind, name))
        self._noted[kind, name] = wrong if before is None else before | wrong

    def ask(self) -> None:
        """Say what was noted since the last time; this waits for the device."""
        noted, self._noted = self._noted, {}
        for (kind, name), wrong in noted.items():
            if bool(wrong):
                _complain(kind, name)


def _complain(kind: str, name: str) -> None:
    if kind == "finite":
        hint = "look for the logarithm or root of what can be zero, and at the step size and the radius"
        fail("T409", f"the perturbation `{name}` is not finite", None, hint)
    hint = "`a * (q - y)` with `q` a distribution and `a` from 0 to 1 stays"
    fail("T304", f"`{name}` moved labels off the simplex", None, hint)
