"""What the number is that a run is measured by, and how it is said; no torch here."""

from __future__ import annotations

from dataclasses import dataclass

from taxo.training import datasets


@dataclass(frozen=True, slots=True)
class Measure:
    """A number that is better the higher it is: its name, and what it says of the test samples."""

    name: str
    title: str
    percent: bool = True

    @property
    def heading(self) -> str:
        """What stands behind `test` or `best` over a column of it."""
        return "%" if self == ACCURACY else f"{self.name} %" if self.percent else self.name

    def shown(self, value: float) -> str:
        """A value of it."""
        return f"{value:.1%}" if self.percent else f"{value:.3f}"

    def said(self, value: float) -> str:
        """A value with its name, where it is not what everybody expects."""
        return self.shown(value) if self == ACCURACY else f"{self.name} {self.shown(value)}"


ACCURACY = Measure("accuracy", "accuracy on clean test labels")
PURITY = Measure(
    "purity", "share of the test samples whose label is the commonest of their cluster in training"
)
EXPLAINED = Measure("R²", "share of the test targets' variance that is explained", percent=False)
MEASURES = {measure.name: measure for measure in (ACCURACY, PURITY, EXPLAINED)}


def measure_of(data: str, model: str) -> Measure:
    """What a run on these data with this model is measured by."""
    if datasets.find(data).goal != "classes":
        return EXPLAINED
    return PURITY if model == "centres" else ACCURACY
