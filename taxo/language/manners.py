"""Inferences built in Python, one function a manner."""

from __future__ import annotations

from collections.abc import Sequence

from taxo.language.fields import Value, as_call, as_expression, as_word
from taxo.language.method import Goal, Inference


def regularization(
    *,
    via: str,
    minimize: Value | None = None,
    maximize: Value | None = None,
    within: Sequence[str] = (),
) -> Inference:
    """An unknown held back by a penalty in the goal."""
    return _inference("regularization", via, minimize, maximize, within, None)


def adversarial(
    *, via: str, within: Sequence[str], minimize: Value | None = None, maximize: Value | None = None
) -> Inference:
    """An unknown held inside bounded sets."""
    return _inference("adversarial", via, minimize, maximize, within, None)


def meta(
    *,
    via: str,
    on: str,
    minimize: Value | None = None,
    maximize: Value | None = None,
    within: Sequence[str] = (),
) -> Inference:
    """An unknown, or parameters, chosen for a goal `on` held-out data."""
    return _inference("meta", via, minimize, maximize, within, on)


def _inference(
    manner: str,
    via: str,
    minimize: Value | None,
    maximize: Value | None,
    within: Sequence[str],
    on: str | None,
) -> Inference:
    goals = [
        (kind, goal) for kind, goal in (("minimize", minimize), ("maximize", maximize)) if goal is not None
    ]
    if len(goals) != 1:
        raise TypeError("give either `minimize` or `maximize`")
    ((kind, goal),) = goals
    return Inference(
        manner=as_word(manner),
        goal=Goal(kind=as_word(kind), objective=as_expression(goal)),
        within=tuple(map(as_call, within)),
        on=None if on is None else as_call(on),
        via=as_call(via),
    )
