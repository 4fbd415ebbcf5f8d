"""The shapes of names: what each is where it is read, and the errors of those that mean nothing there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from taxo.language.findings import Findings
from taxo.language.scope import Scope
from taxo.language.spelling import nearest, shortened, suggest
from taxo.language.syntax import Attribute, Expression, Name
from taxo.language.vocabulary import FUNCTIONS, LATER, VALUES, Place, Shape


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads an expression: at which place of the line, and with which unknown in hand."""

    place: Place
    target: str
    unknown: str | None = None
    shape: Shape = Shape.SCALAR


ANYWHERE = Reader(Place.LOSS, "loss")


class Names(ABC):
    """Finds the shapes of the names of one method."""

    def __init__(self, scope: Scope, findings: Findings) -> None:
        self.scope = scope
        self.findings = findings
        self._lets: dict[tuple[str, Reader], Shape | None] = {}

    @abstractmethod
    def of(self, node: Expression, reader: Reader) -> Shape | None:
        """The shape of an expression where `reader` reads it; None if it is wrong (and noted)."""

    def name(self, node: Name, reader: Reader) -> Shape | None:
        """The shape of a name."""
        scope, name = self.scope, node.text
        scope.read.add(name)
        if name == reader.unknown:
            return reader.shape
        if name in scope.params:
            return Shape.WORD if scope.is_word(scope.params[name]) else Shape.SCALAR
        if name in scope.draws:
            return self._draw(node, reader)
        if name in scope.lets:
            return self._let(name, reader)
        if name in VALUES:
            return self._value(node, reader)
        self.undeclared(node, reader.unknown)
        return None

    def undeclared(self, node: Name, unknown: str | None = None) -> None:
        """Note a name that nothing declares."""
        scope, name = self.scope, node.text
        scope.missing.setdefault(name, node)
        known = [*scope.visible(), *([unknown] if unknown else [])]
        elsewhere = {scope.unknown(item) for item in scope.method.perturbations()}
        code, message = "T201", f"nothing declares `{shortened(name)}`"
        hint = suggest(name, known)
        if name in FUNCTIONS:
            message, hint = (
                f"`{name}` is a function, not a value",
                f"write `{name}(...)`: {FUNCTIONS[name].meaning}",
            )
        elif name in elsewhere:
            hint = f"`{name}` is an unknown: only the form and the goal of its own perturbation read it"
        elif name in LATER["name"]:
            code, message, hint = "T210", f"`{name}` is not in this version", "use another value"
        elif not nearest(name, known):
            hint = f"declare it: `param {shortened(name)} = ...` or `let {shortened(name)} = ...`"
        self.findings.error(code, message, node.span, hint)

    def _draw(self, node: Name, reader: Reader) -> Shape | None:
        draw = self.scope.draws[node.text]
        if draw.like is None:
            return Shape.SAMPLE if draw.per.text == "sample" else Shape.SCALAR
        if isinstance(draw.like, Name) and draw.like.text == "w":
            if reader.target != "weights":
                message = f"`{node.text}` is drawn like `w`"
                hint = "only `perturb weights` reads it; for others draw `per sample`"
                self.findings.error("T203", message, node.span, hint)
                return None
            return Shape.W
        return Shape.X if isinstance(draw.like, Name) and draw.like.text == "x" else None

    def _let(self, name: str, reader: Reader) -> Shape | None:
        key = name, reader
        if key not in self._lets:
            self._lets[key] = self.of(self.scope.lets[name].value, reader)
        return self._lets[key]

    def _value(self, node: Name, reader: Reader) -> Shape | None:
        name, value = node.text, VALUES[node.text]
        if value.shape == Shape.PASS:
            hint = f"write one of its values, such as `{name}.loss`"
            self.findings.error("T201", f"`{name}` is a pass, not a value", node.span, hint)
            return None
        if value.place > reader.place:
            message, hint = f"`{name}` comes after {reader.target}", "perturb a later place to read it"
            if value.clean:
                hint = f"write `clean.{name}` (one forward of the unperturbed batch)"
            if reader.place == Place.DATA:
                message, hint = (
                    f"{reader.target} cannot read `{name}`",
                    "it is settled before the pass",
                )
            self.findings.error("T203", message, node.span, hint)
            return None
        if value.shape == Shape.W and reader.target != "weights":
            message = f"`{name}` is read in `perturb weights` only"
            self.findings.error("T203", message, node.span, "it has no value for one sample")
            return None
        return value.shape

    def attribute(self, node: Attribute) -> Shape | None:
        """The shape of a value of another pass."""
        owner, name = node.owner, node.name
        self.scope.read.add(owner.text)
        passes = [word for word, value in VALUES.items() if value.shape == Shape.PASS]
        if owner.text not in passes:
            hint = suggest(owner.text, passes)
            self.findings.error("T201", f"`{shortened(owner.text)}` is no pass", owner.span, hint)
            return None
        held = {word: value for word, value in VALUES.items() if value.clean}
        if name.text not in held:
            message = f"`{owner.text}` has no `{shortened(name)}`"
            self.findings.error("T201", message, name.span, suggest(name.text, held))
            return None
        return held[name.text].shape
