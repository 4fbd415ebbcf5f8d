"""A method as equations: what becomes of each value, what its unknowns are, and what its names mean."""

from __future__ import annotations

from collections.abc import Iterator

from taxo.cli.notation import Notation, Row
from taxo.language.calling import given
from taxo.language.method import Branch, Inference, Method, Param, Perturbation, State
from taxo.language.printer import SUM, expression_text
from taxo.language.scope import Scope, acts_at
from taxo.language.syntax import Attribute, Call, Expression, Name, Number, walk
from taxo.language.vocabulary import CONSTANTS, REGIONS, TARGETS, VALUES, Site, Target

EXTREMA = {"minimize": "min", "maximize": "max"}
PLAIN = {*CONSTANTS, "clean", "teacher"}  # what is written as everybody does, or as a mark on a letter
BOUNDS = {"linf": "inf", "l2": "2", "l1": "1"}


def equations(method: Method, notation: Notation) -> list[Row]:
    """The lines: what is perturbed, what is found, then the names that those read."""
    return list(_Equations(method, notation).rows())


def letters(method: Method, notation: Notation) -> list[str]:
    """What the built-in names in the equations mean."""
    scope = Scope(method)
    read = {part for node in _shown(method) for part in _names_in(node)}
    moved = {spot.value for item in method.perturbations() if (spot := acts_at(item)) is not None}
    known = [name for name in VALUES if name in read | moved and name not in {*scope.declared, *PLAIN}]
    return [f"{notation.inline(notation.name(name))}: {VALUES[name].meaning}" for name in known]


def _shown(method: Method) -> Iterator[Expression]:
    """Every expression that is a part of an equation."""
    for item in method.perturbations():
        yield from item.written()
    for infer in (*method.infers, *(item.infer for item in method.perturbations())):
        yield from infer.within
        if infer.goal is not None:
            yield infer.goal.objective
    for branch in method.branches():
        yield branch.weight
    for part in (*method.lets, *method.states):
        yield part.value


def _names_in(node: Expression) -> Iterator[str]:
    for part in walk(node):
        if isinstance(part, Attribute):
            yield part.name.text
        elif isinstance(part, Name):
            yield part.text


class _Equations:
    """One method in one notation."""

    def __init__(self, method: Method, notation: Notation) -> None:
        self.method = method
        self.scope = Scope(method)
        self.notation = notation
        self.write = notation.expression

    def rows(self) -> Iterator[Row]:
        """Every line."""
        for branch in self.method.branches():
            yield from self._branch(branch)
        for item in self.method.perturbations():
            yield from self._perturbation(item)
        for infer in self.method.infers:
            over = ", ".join(self.notation.name(word.text) for word in infer.over)
            yield from self._found(over, infer, over)
        yield from self._names()

    def _branch(self, branch: Branch) -> Iterator[Row]:
        name = f"weight of branch {branch.name}" if branch.name else "weight of the branch"
        weight = self.notation.letter("omega")
        weight = self.notation.below(weight, self.notation.word(branch.name.text)) if branch.name else weight
        yield weight, f"= {self.write(branch.weight)}", name

    def _perturbation(self, item: Perturbation) -> Iterator[Row]:
        spot = acts_at(item)
        value = self.notation.name(spot.value if spot else item.target.text)
        form = self.notation.held(item.by, SUM)
        moved = f"{value} {'-' if form.startswith('-') else '+'} {form.removeprefix('-')}"
        yield value, f"{self.notation.arrow} {moved}", self._place(item)
        unknown = self.scope.unknown(item)
        if unknown is not None:
            yield from self._found(self.notation.name(unknown), item.infer, moved)
        if item.where is not None:
            yield "", self.notation.operators["where"] + self.write(item.where), ""

    def _place(self, item: Perturbation) -> str:
        """When and where it acts, in words."""
        words = [str(item.target)]
        words += ["at a site"] if item.at is not None and not isinstance(item.at, Name) else []
        spot = acts_at(item)
        # a site whose value has no letter of its own
        words += [f"at {item.at.text}"] if isinstance(item.at, Name) and _shares_letter(spot) else []
        words += [f"during {item.during}"] if item.during else []
        words += [f"in branch {branch.name}" for branch in self.method.branches() if _holds(branch, item)]
        return " ".join(words)

    def _found(self, unknown: str, infer: Inference, moved: str) -> Iterator[Row]:
        """The line of an unknown: the goal it is best for, and where it has to stay."""
        if infer.goal is None:
            return
        within = ", ".join(self._region(call, unknown, moved) for call in infer.within)
        best = self.notation.best(EXTREMA[infer.goal.kind.text], self.write(infer.goal.objective), within)
        remarks = [f"on {infer.on.name}"] if infer.on else []
        remarks += [f"via {infer.via.name}"] if infer.via else []
        alone = ", each tensor by itself" if any(map(_is_per_tensor, infer.within)) else ""
        yield unknown, f"= {best}", " ".join(remarks).replace("_", " ") + alone

    def _region(self, call: Call, unknown: str, moved: str) -> str:
        """A set as a condition on the unknown."""
        notation, name = self.notation, call.name.text
        options = given(call, REGIONS[name].options) if name in REGIONS else {}
        if name in BOUNDS:
            kind = notation.name("inf") if name == "linf" else BOUNDS[name]
            radius = self.write(options["radius"])
            return f"{notation.norm(unknown, kind)} {notation.operators['<=']} {radius}"
        if name == "box":
            low, high = (self._end(options, end, default) for end, default in (("low", 0), ("high", 1)))
            return f"{moved} {notation.operators['in']} [{low}, {high}]"
        if name == "nonnegative":
            return f"{unknown} {notation.operators['>=']} 0"
        return f"{unknown} {notation.operators['in']} {notation.call(call) if call.arguments else name}"

    def _end(self, options: dict[str, Expression], end: str, default: int) -> str:
        return self.write(options.get(end, Number(float(default))))

    def _names(self) -> Iterator[Row]:
        """What each declared name means, but for numbers."""
        for let in self.method.lets:
            yield self.notation.name(let.name.text), f"= {self.write(let.value)}", ""
        for draw in self.method.draws:
            drawn = draw.distribution
            kind = self.notation.call(drawn) if drawn.arguments else self.notation.word(drawn.name.text)
            tilde = self.notation.operators["drawn"]
            yield self.notation.name(draw.name.text), f"{tilde} {kind}", f"drawn per {draw.per}"
        for state in self.method.states:
            yield from self._state(state)
        for param in self.method.params:
            yield from self._learned(param)

    def _state(self, state: State) -> Iterator[Row]:
        often = f"kept per {state.per}" + (f", every {state.every}" if state.every else "")
        start = f", from {self.write(state.start)}" if isinstance(state.start, Number) else ""
        yield (
            self.notation.name(state.name.text),
            f"{self.notation.arrow} {self.write(state.value)}",
            often + start,
        )

    def _learned(self, param: Param) -> Iterator[Row]:
        """What is learned begins somewhere; a number that is set stands in the table of parameters."""
        name, start = self.notation.name(param.name.text), self.write(param.default)
        if param.per:
            yield name, f"{self.notation.arrow} {start}", f"at first, per {param.per}"
        elif self.scope.network(param.name.text):
            yield name, f"= {start}", "a network"


def _shares_letter(spot: Target | Site | None) -> bool:
    """Whether a site within a target has the same value as the target itself."""
    return isinstance(spot, Site) and spot.value == TARGETS[spot.target].value


def _is_per_tensor(call: Call) -> bool:
    """Whether a set bounds every tensor by itself."""
    options = given(call, REGIONS[call.name.text].options)
    return expression_text(options.get("each", Name("all"))) == "tensor"


def _holds(branch: Branch, item: Perturbation) -> bool:
    """Whether a perturbation stands in a branch that has a name."""
    return branch.name is not None and any(one is item for one in branch.perturbations)
