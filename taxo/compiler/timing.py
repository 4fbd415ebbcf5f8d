"""Conditions on the time alone: known without waiting for a device, they switch passes off."""

from __future__ import annotations

from taxo.compiler.expressions import Writer
from taxo.compiler.lines import Act
from taxo.compiler.spots import EARLY, Spot
from taxo.language.printer import ATOM
from taxo.language.scope import Scope
from taxo.language.syntax import Call, Expression, Name
from taxo.language.vocabulary import FUNCTIONS

CLOCK = ("epoch", "epochs", "step", "progress")


class TimeWriter(Writer):
    """Writes conditions with the time as Python's own numbers."""

    def _is_plain(self, part: Expression) -> bool:
        timed = isinstance(part, Name) and part.text in CLOCK and part.text not in self.scope.declared
        return timed or (not _is_of_a_weight(part) and super()._is_plain(part))

    def _name(self, node: Name, place: Spot) -> tuple[str, int]:
        if node.text in CLOCK and node.text not in self.scope.declared:
            return f"self.now.{node.text}", ATOM
        return super()._name(node, place)


def _is_of_a_weight(part: Expression) -> bool:
    """Whether a part asks for what each weight has, such as its name."""
    return isinstance(part, Call) and part.name.text in FUNCTIONS and bool(FUNCTIONS[part.name.text].only)


def is_timed(act: Act, scope: Scope) -> bool:
    """Whether an act's condition asks for nothing but the time."""
    where = act.item.where
    if where is None or act.item.infer.manner.text == "regularization":
        return False
    read = set(scope.reads(where))
    return bool(read & set(CLOCK)) and TimeWriter(scope).plain(where)


def time_condition(act: Act, writer: Writer) -> str:
    """The condition as Python, where nothing has to wait for its answer."""
    assert act.item.where is not None
    timing = TimeWriter(writer.scope)
    code = timing.code(writer.scope.written_out(act.item.where), EARLY)
    writer.imports |= timing.imports
    writer.modules |= timing.modules
    writer.times[code] = None
    return code
