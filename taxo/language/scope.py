"""What the names of a method mean: who declares them, who reads them, and what they are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from taxo.language.constants import constant
from taxo.language.findings import Findings
from taxo.language.method import Branch, Draw, Inference, Let, Method, Param, Perturbation, State
from taxo.language.spelling import nearest
from taxo.language.syntax import (
    Attribute,
    Binary,
    Call,
    Expression,
    Name,
    String,
    Word,
    children,
    depth,
    names,
    rebuilt,
    walk,
)
from taxo.language.vocabulary import (
    FUNCTIONS,
    MANNERS,
    NEEDS,
    SITES,
    TARGETS,
    VALUES,
    Place,
    Shape,
    Site,
    Target,
)

TRUTHS = ("true", "false")
NETWORKS = frozenset(name for name, row in FUNCTIONS.items() if row.result is Shape.NETWORK)
Declared = Param | Draw | Let | State


class Scope:
    """The names that one method declares, over the built-in ones; `used` are the methods it uses, by name."""

    def __init__(self, method: Method, used: Mapping[str, Method] | None = None) -> None:
        self.method = method
        self.used = used
        self.params: dict[str, Param] = {param.name.text: param for param in method.params}
        self.draws: dict[str, Draw] = {draw.name.text: draw for draw in method.draws}
        self.lets: dict[str, Let] = {let.name.text: let for let in method.lets}
        self.states: dict[str, State] = {state.name.text: state for state in method.states}
        self.needs: dict[str, Call] = {call.name.text: call for call in method.needs}
        self.branches: dict[str, Branch] = {
            branch.name.text: branch for branch in method.branches() if branch.name
        }
        self.found: dict[str, Inference] = {
            name.text: infer for infer in method.infers for name in infer.over
        }
        self.modules = {name for name in self.needs if name in NEEDS and NEEDS[name].module}
        self.read: set[str] = set()
        self.asked: set[str] = set()
        self.missing: dict[str, Name] = {}
        self._constants: dict[str, float] | None = None

    @property
    def declared(self) -> dict[str, Declared]:
        """Everything the method declares, by name."""
        return {**self.params, **self.draws, **self.lets, **self.states}

    def knows(self, name: str) -> bool:
        """Whether the name means something without an unknown."""
        return name in VALUES or name in self.declared

    @property
    def used_names(self) -> set[str]:
        """The names of the methods it uses."""
        return {use.method.name.text for use in self.method.uses()}

    def undeclared(self, node: Expression) -> list[Name]:
        """The names of an expression that nothing declares, each once."""
        found = {name.text: name for name in self._free(node) if not self.knows(name.text)}
        return list(found.values())

    def _free(self, node: Expression) -> Iterator[Name]:
        """The names that are read as values: no owner of a dotted name, and no word that is compared with."""
        match node:
            case Name():
                yield node
            case Attribute():
                return
            case Binary(operator="==" | "!=") if self.is_word_choice(node):
                yield from self._free(node.left)
            case _:
                for child in children(node):
                    yield from self._free(child)

    def is_word_choice(self, node: Binary) -> bool:
        """Whether a comparison asks which word a parameter is."""
        param = self.params.get(node.left.text) if isinstance(node.left, Name) else None
        named = isinstance(node.right, Name) and node.operator in ("==", "!=")
        return named and param is not None and self.is_word(param)

    def unknown(self, item: Perturbation) -> str | None:
        """The name that a perturbation's `infer` clause finds; None for a fixed form.

        Of several names that nothing declares it is one that the goal reads, or that is no misspelling.
        """
        manner = item.infer.manner.text
        if (manner in MANNERS and not infers(item)) or (not manner and self.covered(item)):
            return None
        slips = () if manner else self.misspelt(item)
        free = [name.text for name in self.undeclared(item.by) if name.text not in slips]
        if len(free) < 2:
            return free[0] if free else None
        goal = item.infer.goal
        aimed = {name.text for name in names(goal.objective)} if goal else set[str]()
        new = [name for name in free if not nearest(name, self.visible())]
        return next((name for name in free if name in aimed), (new or free)[0])

    def misspelt(self, item: Perturbation) -> list[str]:
        """The names of a form that were meant for what an inference finds, or for a `let` that reads it."""
        through = [one for one in self.lets if {*self.reads(self.lets[one].value)} & {*self.found}]
        return [one.text for one in self.undeclared(item.by) if nearest(one.text, [*self.found, *through])]

    def covered(self, item: Perturbation) -> list[str]:
        """The names that a perturbation's form reads and an inference of the whole method finds."""
        infer = item.infer
        calls = [call for call in (*infer.within, infer.via) if call is not None]
        branches = [one for one in self.method.branches() if any(part is item for part in one.perturbations)]
        parts = [*item.written(), *calls, *(branch.weight for branch in branches)]
        read = {name for part in parts for name in self.reads(part)}
        called = {inner.name.text for part in parts for inner in self.parts(part) if isinstance(inner, Call)}
        return [name for name in self.found if name in read | called]

    def parts(self, node: Expression) -> Iterator[Expression]:
        """The parts of an expression, and of the `let`s that it reads."""
        yield from walk(node)
        for name in self.through(node):
            yield from walk(self.lets[name].value)

    def visible(self) -> Iterator[str]:
        """Every value that could have been meant."""
        yield from self.declared
        yield from VALUES

    def word(self, node: Expression) -> str | None:
        """The word or text that an expression stands for, through word-valued parameters."""
        for _ in range(len(self.params) + 1):
            if isinstance(node, String):
                return node.text
            if not isinstance(node, Name):
                return None
            if node.text in TRUTHS:
                return node.text
            param = self.params.get(node.text)
            if param is None:
                return None if self.knows(node.text) else node.text
            node = param.default
        return None

    def is_word(self, param: Param) -> bool:
        """Whether a parameter is set to a word or text, not to a number."""
        return self.word(param.default) is not None

    def network(self, name: str) -> Call | None:
        """The `mlp(...)` that a parameter is, if it is one."""
        param = self.params.get(name)
        default = param.default if param else None
        is_one = isinstance(default, Call) and default.name.text in NETWORKS
        return default if is_one and isinstance(default, Call) else None

    def constants(self) -> dict[str, float]:
        """The parameters that are plain numbers, at their present values."""
        if self._constants is None:
            values: dict[str, float] = {}
            for name, param in self.params.items():
                if param.per is not None or name in self.found:
                    continue
                value = constant(param.default, values)
                if value is not None and value == value:
                    values[name] = value
            self._constants = values
        return self._constants

    def reads(self, node: Expression) -> Iterator[str]:
        """Every name an expression depends on, through `let`s."""
        yield from (name for name in self._all_names(node) if name not in self.lets)

    def through(self, node: Expression) -> Iterator[str]:
        """The `let`s that an expression depends on."""
        yield from (name for name in self._all_names(node) if name in self.lets)

    def _all_names(self, node: Expression) -> Iterator[str]:
        seen: set[str] = set()
        waiting = list(names(node))[::-1]
        while waiting:
            name = waiting.pop().text
            if name in seen:
                continue
            seen.add(name)
            yield name
            if name in self.lets:
                waiting += list(names(self.lets[name].value))[::-1]

    def definition(self, name: str) -> list[Expression]:
        """The expressions that a `let`, a state or a draw is made of."""
        if name in self.lets:
            return [self.lets[name].value]
        if name in self.states:
            state = self.states[name]
            return [state.value, *([state.start] if state.start else [])]
        if name not in self.draws:
            return []
        draw = self.draws[name]
        return [argument.value for argument in draw.distribution.arguments] + (
            [draw.like] if draw.like else []
        )

    def circle(self) -> list[str]:
        """The `let`s and draws that are defined by each other, if there are any."""
        made = dict.fromkeys((*self.lets, *self.draws))
        inner = {
            name: [read.text for part in self.definition(name) for read in names(part) if read.text in made]
            for name in made
        }
        try:
            TopologicalSorter(inner).prepare()
        except CycleError as error:
            return list(error.args[1])
        return []

    def draws_in_order(self) -> list[str]:
        """The draws, each after those that its distribution reads."""
        inner = {
            name: [read for part in self.definition(name) for read in self.reads(part) if read in self.draws]
            for name in self.draws
        }
        return list(TopologicalSorter(inner).static_order())

    def depth(self) -> int:
        """How many levels the deepest `let` has with others put in for their names."""
        inner = {name: self._lets_in(let.value) for name, let in self.lets.items()}
        levels: dict[str, int] = {}
        for name in TopologicalSorter(inner).static_order():
            below = max((levels[other] for other in inner[name]), default=0)
            levels[name] = depth(self.lets[name].value) + below
        return max(levels.values(), default=0)

    def written_out(self, node: Expression) -> Expression:
        """An expression with the `let`s that it reads in the place of their names."""
        if isinstance(node, Name) and node.text in self.lets:
            return self.written_out(self.lets[node.text].value)
        return rebuilt(node, self.written_out)

    def size(self) -> int:
        """How many parts the largest `let` has when others are written out in it."""
        inner = {name: self._lets_in(let.value) for name, let in self.lets.items()}
        sizes: dict[str, int] = {}
        for name in TopologicalSorter(inner).static_order():
            own = sum(1 for _ in walk(self.lets[name].value))
            sizes[name] = own + sum(sizes[other] for other in inner[name])
        return max(sizes.values(), default=0)

    def _lets_in(self, node: Expression) -> list[str]:
        return [name.text for name in names(node) if name.text in self.lets]

    def plain(self, node: Expression) -> bool:
        """Whether an expression reads parameters, counts and progress alone, and so no tensor of a batch."""
        return all(
            name.text in self.params or (name.text in VALUES and VALUES[name.text].shape == Shape.SCALAR)
            for name in names(node)
        )


def infers(item: Perturbation) -> bool:
    """Whether a perturbation has an unknown to be found."""
    return item.infer.manner.text not in ("prior", "tuning")


def acts_at(item: Perturbation) -> Target | Site | None:
    """Where a perturbation acts: its target, or a site within; None for a word that is no target."""
    target = TARGETS.get(item.target.text)
    if target is None or item.at is None or target.place == Place.WEIGHTS:
        return target
    site = SITES.get(item.at.text) if isinstance(item.at, Name) else None
    if site is not None:
        return site if site.target == item.target.text else target
    if target.place != Place.FEATURES:
        return target
    return Site("a named module's output", item.target.text, Place.INNER, "h", Shape.INNER)


def word_text(word: Word | None, otherwise: str) -> str:
    """The text of a word that may be left out."""
    return otherwise if word is None else word.text


__all__ = ["Declared", "Findings", "Scope", "acts_at", "infers", "word_text"]
