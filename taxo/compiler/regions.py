"""The sets of an inference as program text."""

from __future__ import annotations

from dataclasses import dataclass, replace

from taxo.compiler.expressions import Writer
from taxo.compiler.graph import Act
from taxo.compiler.plan import is_plain, simultaneous
from taxo.compiler.searches import asks_which
from taxo.compiler.spots import EARLY, Spot
from taxo.language.calling import given
from taxo.language.method import Inference, Interval, Param
from taxo.language.printer import ATOM
from taxo.language.syntax import Call, Expression, Name
from taxo.language.vocabulary import REGIONS, Place, Shape
from taxo.plugins import source_of_op

CLASSES = {
    "linf": "Linf",
    "l2": "L2",
    "l1": "L1",
    "box": "Box",
    "simplex": "Simplex",
    "nonnegative": "Nonnegative",
    "smooth_flow": "SmoothFlow",
    "recolor": "Recolor",
}
BLANKS = {Shape.FIELD: "motionless"}  # what makes an unknown of a shape that is not the value's


def around_all(writer: Writer, infer: Inference, param: Param) -> list[str]:
    """The sets that a learned parameter stays in: those of its inference, and its domain."""
    found: list[str] = []
    for region in infer.within:
        rows, known = REGIONS[region.name.text].options, given(region, REGIONS[region.name.text].options)
        numbers = [writer.code(known[name], EARLY) for name in rows if name in known and not rows[name].words]
        found.append(f"{writer.use(CLASSES[region.name.text])}({', '.join(numbers)})")
    if isinstance(param.domain, Interval) and writer.scope.network(param.name.text) is None:
        ends = (writer.code(end, EARLY) for end in (param.domain.low, param.domain.high))
        found.append(f"{writer.use('Between')}({', '.join(ends)})")
    return found


@dataclass(frozen=True, slots=True)
class Regions:
    """Writes the sets that one act's unknown stays in."""

    writer: Writer
    act: Act
    spot: Spot

    def all(self, around: str, rows: str = "") -> list[str]:
        """Every set that the unknown itself is kept in, the bounded ones first."""
        within = sorted(self.act.item.infer.within, key=lambda region: not REGIONS[region.name.text].bounded)
        return [self._region(region, around, rows) for region in within if not self._by_clipping(region)]

    def bounded(self, around: str) -> list[str]:
        """The sets of an unknown that is no offset of a value at hand."""
        return [code for code in self.all(around) if not code.startswith("Box(")]

    def like(self, around: str) -> str:
        """Something in the shape of the unknown."""
        blank = BLANKS.get(self.act.shape)
        return around if blank is None else f"{self.writer.use(blank)}({around})"

    def clipped(self) -> str:
        """The bounds that the perturbed value is clipped to, where the unknown itself cannot be."""
        found = [region for region in self.act.item.infer.within if self._by_clipping(region)]
        return ", ".join(self._numbers(found[0])) if found else ""

    def _by_clipping(self, region: Call) -> bool:
        """Whether a box is of the value, and the unknown something else than its offset for this sample.

        What moves with the weights is kept for a sample of the batch to come.
        """
        own = is_plain(self.act) and self.act.grain == "sample"
        return region.name.text == "box" and (not own or simultaneous(self.act, self.writer.scope))

    def _region(self, region: Call, around: str, rows: str) -> str:
        word, weights = region.name.text, self.act.place == Place.WEIGHTS
        added = source_of_op(word)
        each = self._each(region) if weights else "row"
        values = self._numbers(region, rows, each)
        if word == "box" or REGIONS[word].own:
            values = [around, *values]
        if each != "row" and word in ("l1", "l2"):
            values.append(f'each="{each}"')
        return f"{self.writer.use(added.attribute if added else CLASSES[word])}({', '.join(values)})"

    def _each(self, region: Call) -> str:
        """What a norm of the weights is of: all of them, or every tensor."""
        options = given(region, REGIONS[region.name.text].options)
        return self.writer.scope.word(options["each"]) or "all" if "each" in options else "all"

    def _numbers(self, region: Call, rows: str = "", each: str = "row") -> list[str]:
        row = REGIONS[region.name.text]
        options = given(region, row.options)
        numbers = {name: option for name, option in row.options.items() if not option.words}
        return [
            self._number(options.get(name), option.default, rows, each) for name, option in numbers.items()
        ]

    def _is_of_a_tensor(self, value: Expression) -> bool:
        """Whether a number is another one for each tensor of the weights."""
        parts = list(self.writer.scope.parts(value))
        return any(isinstance(part, Name) and part.text == "w" for part in parts) or asks_which(parts)

    def _number(self, value: Expression | None, default: object, rows: str, each: str) -> str:
        if value is None:
            return repr(default)
        if each == "tensor" and self._is_of_a_tensor(value):
            return f"[{self.writer.code(value, replace(self.spot, key='name'))} for name in w]"
        code = self.writer.code(value, self.spot)
        gathered = rows and self.writer.shape(value, self.spot) == Shape.SAMPLE
        return f"{self.writer.held(value, self.spot, ATOM)}[{rows}]" if gathered else code
