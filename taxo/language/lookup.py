"""The shapes of names: what each is where it is read, and the errors of those that mean nothing there."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from taxo.language.alike import alike
from taxo.language.axes import per_grain
from taxo.language.findings import Findings
from taxo.language.method import Draw
from taxo.language.scope import TRUTHS, Scope
from taxo.language.spelling import distance, nearest, shortened, suggest
from taxo.language.syntax import Attribute, Call, Expression, Name
from taxo.language.vocabulary import (
    BRANCH,
    DISTRIBUTIONS,
    FUNCTIONS,
    GRAINS,
    LABELLED,
    NEEDS,
    PASSES,
    VALUES,
    Function,
    Grain,
    Place,
    Shape,
    Value,
)

PREDICTING = ("eval", "always")


@dataclass(frozen=True, slots=True)
class Reader:
    """Who reads an expression, at which place of the line, and with which unknown in hand.

    `phase` is when it acts; in `rounds` there are gains; `own` is the value at its own inner site;
    `above` are the branches whose values it may read at any place (None: all).
    """

    place: Place
    target: str
    unknown: str | None = None
    shape: Shape = Shape.SCALAR
    phase: str = "training"
    rounds: bool = False
    own: str = ""
    above: frozenset[str] | None = None
    free: bool = False


ANYWHERE = Reader(Place.LOSS, "loss", rounds=True, free=True)


class Names(ABC):
    """Finds the shapes of the names of one method."""

    def __init__(self, scope: Scope, findings: Findings) -> None:
        self.scope = scope
        self.findings = findings
        self._made: dict[tuple[str, Reader], Shape | None] = {}
        self.states: dict[str, Shape | None] = {}

    @abstractmethod
    def of(self, node: Expression, reader: Reader) -> Shape | None:
        """The shape of an expression where `reader` reads it; None if it is wrong (and noted)."""

    @abstractmethod
    def state(self, name: str) -> Shape | None:
        """The shape of a state."""

    def name(self, node: Name, reader: Reader) -> Shape | None:
        """The shape of a name."""
        scope, name = self.scope, node.text
        scope.read.add(name)
        if name == reader.unknown:
            return reader.shape
        if name in scope.params:
            return self._param(name)
        if name in scope.draws:
            return self._draw(node, scope.draws[name], reader)
        if name in scope.lets:
            return self._once(name, scope.lets[name].value, reader)
        if name in scope.states:
            return self.state(name) if self._is_kept(node, reader) else None
        if name in VALUES:
            return self._value(node, VALUES[name], reader)
        self.undeclared(node, reader.unknown)
        return None

    def _param(self, name: str) -> Shape | None:
        like = self.scope.params[name].like
        one = Shape.SCALAR if like is None else self.of(like, ANYWHERE)
        return None if one is None else param_shape(self.scope, name, one)

    def undeclared(self, node: Name, unknown: str | None = None) -> None:
        """Note a name that nothing declares."""
        scope, name = self.scope, node.text
        scope.missing.setdefault(name, node)
        known = [*scope.visible(), *([unknown] if unknown else [])]
        elsewhere = {scope.unknown(item) for item in scope.method.perturbations()}
        message, hint = f"nothing declares `{shortened(name)}`", self._meant(name, known)
        if name in FUNCTIONS:
            message = f"`{name}` is a function, not a value"
            hint = f"write `{name}(...)`: {FUNCTIONS[name].meaning}"
        elif name in scope.branches:
            message = f"`{name}` is a branch, not a value"
            hint = f"write one of its values, such as `{name}.p`"
        elif name in elsewhere:
            hint = f"`{name}` is an unknown: only the form and the goal of its own perturbation read it"
        elif not nearest(name, known):
            hint = f"declare it: `param {shortened(name)} = ...` or `let {shortened(name)} = ...`"
        self.findings.error("T201", message, node.span, hint)

    def _is_kept(self, node: Name, reader: Reader) -> bool:
        """Whether a state can be read here: of whom it is known, and made of what is there by then."""
        state = self.scope.states[node.text]
        if reader.phase in PREDICTING and state.per.text == "sample":
            message = f"`{node.text}` has no value at evaluation, where samples have no place in the data"
            self.findings.error("T214", message, node.span, f"drop `during {reader.phase}`")
            return False
        if reader.free or state.order is None or state.order.text != "before":
            return True
        read = [name for name in self.scope.reads(state.value) if name in VALUES]
        late = [name for name in read if _is_behind(name, VALUES[name], reader)]
        if not late or "clean" in read:
            return True
        message = f"`{node.text}` is updated with `{late[0]}`, which comes after {reader.target}"
        hint = f"drop `before`, or keep `clean.{late[0]}`"
        self.findings.error("T203", message, node.span, hint)
        return False

    def _meant(self, name: str, known: list[str]) -> str:
        """A hint at what was meant: of two names as near, the method's own."""
        own, best = nearest(name, self.scope.declared), nearest(name, known)
        nearer = own and distance(name, own[0], len(name)) <= distance(name, best[0], len(name))
        return suggest(name, self.scope.declared if nearer else known)

    def _draw(self, node: Name, draw: Draw, reader: Reader) -> Shape | None:
        row = DISTRIBUTIONS.get(draw.distribution.name.text)
        if row is not None and row.result is not None:
            return row.result
        per_sample = draw.per.text == "sample"
        if draw.like is None:
            return Shape.SAMPLE if per_sample else Shape.SCALAR
        like = self._once(node.text, draw.like, ANYWHERE)
        if not self._is_drawn(node, draw.like, reader):
            return None
        if like == Shape.W and reader.target != "weights" and not reader.free:
            hint = "only `perturb weights` reads it; for others draw `per sample`"
            self.findings.error("T203", f"`{node.text}` is drawn like `w`", node.span, hint)
            return None
        return like if like is None or per_sample else per_grain(like, Grain.CORPUS)

    def _is_drawn(self, node: Name, like: Expression, reader: Reader) -> bool:
        """Whether what a draw is like is there by then."""
        read = [] if reader.free else list(alike(like, self.scope))
        late = [name for name in read if VALUES[name].place > reader.place]
        late += [name for name in read if name == "h" and reader.own != "h"]
        if not late:
            return True
        message = f"`{node.text}` is drawn like `{late[0]}`, which {reader.target} does not have"
        self.findings.error("T203", message, node.span, f"draw another one for {reader.target}")
        return False

    def _once(self, name: str, made: Expression, reader: Reader) -> Shape | None:
        """The shape of what a name is made of, found once for each who reads it."""
        key = name, reader
        if key not in self._made:
            self._made[key] = self.of(made, reader)
        return self._made[key]

    def _value(self, node: Name, value: Value, reader: Reader) -> Shape | None:
        name = node.text
        if value.shape == Shape.PASS:
            hint = f"write one of its values, such as `{name}.{PASSES[name].values[0]}`"
            self.findings.error("T201", f"`{name}` is a pass, not a value", node.span, hint)
            return None
        if not self.asked_for(node, value.needs) or not self._is_there(node, name, reader):
            return None
        if reader.free:
            return value.shape
        if name == "h" and reader.own != "h":
            hint = 'name a module: `h("layer3")`, or perturb one: `at "layer3"`'
            self.findings.error(
                "T203", f"`h` is the value at a site, and {reader.target} has none", node.span, hint
            )
            return None
        if _is_behind(name, value, reader):
            self._downstream(node, value, reader)
            return None
        if value.shape == Shape.W and reader.target != "weights":
            message = f"`{name}` is read in `perturb weights` only"
            self.findings.error("T203", message, node.span, "it has no value for one sample")
            return None
        return value.shape

    def _downstream(self, node: Name, value: Value, reader: Reader) -> None:
        name = node.text
        message, hint = f"`{name}` comes after {reader.target}", "perturb a later place to read it"
        if value.clean:
            hint = f"write `clean.{name}` (one forward of the unperturbed batch)"
        if reader.place == Place.DATA:
            message, hint = f"{reader.target} cannot read `{name}`", "it is settled before the pass"
        self.findings.error("T203", message, node.span, hint)

    def asked_for(self, node: Expression, need: str) -> bool:
        """Whether what is given from outside is asked for; noted where it is not."""
        self.scope.asked.add(need)
        if not need or need in self.scope.needs:
            return True
        message = f"`{need}` comes from outside, and `needs` does not name it"
        options = f"({', '.join(NEEDS[need].options)})" if NEEDS[need].options else ""
        self.findings.error("T211", message, node.span, f"add `needs {need}{options}`")
        return False

    def function_is_there(self, node: Call, function: Function, reader: Reader) -> bool:
        """Whether a function can be read where it stands; noted where it cannot."""
        if reader.free or (function.place <= reader.place and function.only in ("", reader.target)):
            return True
        message, hint = f"`{node.name}` comes after {reader.target}", "perturb a later place to read it"
        if function.only:
            message = f"`{node.name}` is read in `perturb {function.only}` only"
            hint = f"`{node.name}` is {function.meaning}"
        self.findings.error("T203", message, node.span, hint)
        return False

    def _is_there(self, node: Expression, name: str, reader: Reader) -> bool:
        """Whether a value exists when a reader acts; noted where it does not."""
        if reader.phase in PREDICTING and name in LABELLED:
            message = f"`{name}` has no value at evaluation, where nobody knows the labels"
            hint = f"drop `during {reader.phase}`, or read predictions alone"
            self.findings.error("T214", message, node.span, hint)
            return False
        if name == "gain" and not reader.rounds:
            hint = "add the clause `every round append`"
            self.findings.error("T214", "`gain` exists in `every round` only", node.span, hint)
            return False
        return True

    def attribute(self, node: Attribute, reader: Reader) -> Shape | None:
        """The shape of a value of another pass, of a branch, or of a used method's parameter."""
        owner, name = node.owner.text, node.name.text
        self.scope.read.add(owner)
        if self.scope.used and owner in self.scope.used:
            return self._of_used(node)
        held = BRANCH if owner in self.scope.branches else PASSES.get(owner)
        if held is None and self.scope.used is None and owner in self.scope.used_names:
            return Shape.SCALAR  # nobody knows the used method here
        if held is None:
            hint = suggest(owner, [*PASSES, *self.scope.branches, *(self.scope.used or {})])
            self.findings.error("T201", f"`{shortened(owner)}` is no pass", node.owner.span, hint)
            return None
        if name not in held.values:
            message = f"`{owner}` has no `{shortened(name)}`"
            self.findings.error("T201", message, node.name.span, suggest(name, held.values))
            return None
        needs = VALUES[owner].needs if owner in VALUES else ""
        if not self.asked_for(node, needs) or not self._is_there(node, name, reader):
            return None
        if owner in self.scope.branches and not self._before(node, reader):
            return None
        return VALUES[name].shape

    def _before(self, node: Attribute, reader: Reader) -> bool:
        """Whether a branch's value is there: at an earlier place, or of a branch written above."""
        owner, value = node.owner.text, VALUES[node.name.text]
        if reader.free or reader.above is None or owner in reader.above or value.place < reader.place:
            return True
        hint = "read it at a later place, or write that branch above"
        self.findings.error("T203", f"`{owner}.{node.name}` comes after {reader.target}", node.span, hint)
        return False

    def _of_used(self, node: Attribute) -> Shape | None:
        used = (self.scope.used or {})[node.owner.text]
        params = {param.name.text: param for param in used.params}
        if node.name.text in params:
            return param_shape(Scope(used), node.name.text)
        message = f"`{node.owner.text}` has no parameter `{shortened(node.name)}`"
        self.findings.error("T201", message, node.name.span, suggest(node.name.text, params))
        return None


def _is_behind(name: str, value: Value, reader: Reader) -> bool:
    """Whether a value comes after its reader; inside the model, `z` comes after other sites."""
    within = value.place == reader.place == Place.INNER and reader.own not in ("", name, "z")
    return value.place > reader.place or within


def param_shape(scope: Scope, name: str, like: Shape = Shape.SCALAR) -> Shape | None:
    """The shape of a parameter of a method; `like` is that of one of its values."""
    param = scope.params[name]
    if scope.network(name):
        return Shape.NETWORK
    word = scope.word(param.default)
    if word is not None:
        return Shape.TRUTH if word in TRUTHS else Shape.WORD
    grain = GRAINS.get(param.per.text) if param.per else Grain.CORPUS
    return None if grain is None else per_grain(like, grain)
