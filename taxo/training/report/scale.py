"""From numbers to places on a chart, and the round numbers that stand beside an axis; no torch here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil, floor, isfinite, log10

ROUND = (1.0, 2.0, 2.5, 5.0, 10.0)
MOST_DECADES = 1.5  # a longer stretch of rising numbers is better read by its ratios


@dataclass(frozen=True, slots=True)
class Scale:
    """A stretch of numbers laid on a stretch of places; by ratios if `log`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """The place of a number."""
        low, high, value = (log10(one) if self.log else one for one in (self.low, self.high, value))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, wanted: int = 5) -> list[float]:
        """About so many round numbers within it."""
        if self.log:
            return _powers(self.low, self.high)
        step = step_of(self.low, self.high, wanted)
        first, last = ceil(self.low / step - 1e-9), floor(self.high / step + 1e-9)
        return [number * step for number in range(first, last + 1)]


def fitted(
    values: Iterable[float],
    start: float,
    end: float,
    *,
    zero: bool = False,
    log: bool = False,
    around: float = 1.0,
) -> Scale:
    """A scale that holds the finite ones of some numbers with a little room, and zero if it is asked to.

    Where all of them are zero it reaches so far `around` it.
    """
    found = [value for value in values if isfinite(value) and (value > 0 or not log)] or [1.0 if log else 0.0]
    found += [0.0] * zero
    low, high = min(found), max(found)
    if log:
        return Scale(low / 1.15, high * 1.15, start, end, log=True)
    room = 0.06 * (high - low) or 0.05 * abs(high) or around
    below, above = zero and low == 0, zero and high == 0 > low
    return Scale(low if below else low - room, high if above else high + room, start, end)


def by_ratios(values: Iterable[float]) -> bool:
    """Whether numbers are better laid out by their ratios: all above zero, and far apart."""
    found = list(values)
    return len(found) > 2 and min(found) > 0 and log10(max(found) / min(found)) >= MOST_DECADES


def step_of(low: float, high: float, wanted: int) -> float:
    """The round distance that parts a stretch into about so many."""
    rough = (high - low) / max(wanted, 1) or 1.0
    power = 10.0 ** floor(log10(rough))
    return next(factor * power for factor in ROUND if factor * power >= rough * (1 - 1e-9))


def said(value: float, step: float | None = None, percent: bool = False) -> str:
    """A number as short as its neighbours at a distance of `step` allow."""
    if percent:
        return said(value * 100, None if step is None else step * 100) + "%"
    if step is None:
        return f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e")
    digits = max(0, -floor(log10(step) + 1e-9))
    if digits < 12 and abs(step * 10**digits - round(step * 10**digits)) > 1e-9:
        digits += 1  # 0.25 needs two digits although it is a tenth and more
    if digits > 5 or abs(value) >= 1e6:
        return said(value)
    return f"{value:.{digits}f}".replace("-0", "0") if value == 0 else f"{value:.{digits}f}"


def _powers(low: float, high: float) -> list[float]:
    """The powers of ten within a stretch, and where they are few their doubles and fives."""
    decades = range(floor(log10(low)), ceil(log10(high)) + 1)
    for factors in ((1.0,), (1.0, 3.0), (1.0, 2.0, 5.0)):
        found = [factor * 10.0**power for power in decades for factor in factors]
        inside = [value for value in found if low <= value <= high]
        if len(inside) >= 3:
            break
    return inside
