"""The sets of an inference: which of them bound an unknown."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite

from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.syntax import Call
from taxo.language.vocabulary import REGIONS, Shape


def is_bounded(region: Call) -> bool:
    """Whether a set bounds what is in it: a ball does, and bounds on both sides that are finite."""
    row = REGIONS.get(region.name.text)
    if row is None or row.bounded:
        return row is not None
    ends = {name: option.default for name, option in row.options.items() if name in ("low", "high")}
    values = [constant(value, {}) for name, value in given(region, row.options).items() if name in ends]
    return bool(ends) and all(value is None or isfinite(value) for value in values)


def shape_given(within: Iterable[Call], own: Shape) -> Shape:
    """The shape of what is found: that of its place, or what a set such as one of motions gives."""
    rows = [REGIONS.get(region.name.text) for region in within]
    return next((row.shape for row in rows if row is not None and row.shape), own)
