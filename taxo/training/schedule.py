"""The learning rate as a function of how far the run is: no state, so nothing to save; no torch here."""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi

from taxo.training.settings import Schedule


def factor(schedule: Schedule, epoch: float, epochs: int, warmup: int, step: float) -> float:
    """What scales the highest learning rate at a fractional epoch; `step` is one step's share."""
    if epoch < warmup:
        return min(1.0, (epoch + step) / warmup)
    if schedule.kind == "multistep":
        return 0.1 ** sum(epoch >= milestone for milestone in schedule.milestones)
    return _FALL[schedule.kind]((epoch - warmup) / (epochs - warmup))


_FALL: dict[str, Callable[[float], float]] = {
    "cosine": lambda done: (1 + cos(pi * done)) / 2,
    "linear": lambda done: 1 - done,
    "constant": lambda done: 1.0,
}
