"""What the names of a method mean: who declares them, who reads them, and what they are worth."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from taxo.language.constants import constant
from taxo.language.findings import Findings
from taxo.language.method import Draw, Let, Method, Param, Perturbation
from taxo.language.spelling import nearest
from taxo.language.syntax import Expression, Name, String, depth, names
from taxo.language.vocabulary import MANNERS, VALUES, Shape


class Scope:
    """The names that one method declares, over the built-in ones."""

    def __init__(self, method: Method) -> None:
        self.method = method
        self.params: dict[str, Param] = {param.name.text: param for param in method.params}
        self.draws: dict[str, Draw] = {draw.name.text: draw for draw in method.draws}
        self.lets: dict[str, Let] = {let.name.text: let for let in method.lets}
        self.read: set[str] = set()
        self.missing: dict[str, Name] = {}
        self._constants: dict[str, float] | None = None

    @property
    def declared(self) -> dict[str, Param | Draw | Let]:
        """Everything the method declares, by name."""
        return {**self.params, **self.draws, **self.lets}

    def knows(self, name: str) -> bool:
        """Whether the name means something without an unknown."""
        return name in VALUES or name in self.params or name in self.draws or name in self.lets

    def undeclared(self, node: Expression) -> list[Name]:
        """The names of an expression that nothing declares, each once."""
        found = {name.text: name for name in names(node) if not self.knows(name.text)}
        return list(found.values())

    def unknown(self, item: Perturbation) -> str | None:
        """The name that a perturbation's `infer` clause finds; None for a fixed form.

        Of several names that nothing declares it is one that the goal reads, or that is no misspelling.
        """
        if item.infer.manner.text in MANNERS and not infers(item):
            return None
        free = [name.text for name in self.undeclared(item.by)]
        if len(free) < 2:
            return free[0] if free else None
        goal = item.infer.goal
        aimed = {name.text for name in names(goal.objective)} if goal else set[str]()
        new = [name for name in free if not nearest(name, self.visible())]
        return next((name for name in free if name in aimed), (new or free)[0])

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
            param = self.params.get(node.text)
            if param is None:
                return None if self.knows(node.text) else node.text
            node = param.default
        return None

    def is_word(self, param: Param) -> bool:
        """Whether a parameter is set to a word or text, not to a number."""
        return self.word(param.default) is not None

    def constants(self) -> dict[str, float]:
        """The parameters that are plain numbers, at their present values."""
        if self._constants is None:
            values: dict[str, float] = {}
            for name, param in self.params.items():
                value = constant(param.default, values)
                if value is not None and value == value:
                    values[name] = value
            self._constants = values
        return self._constants

    def reads(self, node: Expression) -> Iterator[str]:
        """Every name an expression depends on, through `let`s."""
        seen: set[str] = set()
        waiting = list(names(node))[::-1]
        while waiting:
            name = waiting.pop().text
            if name in seen:
                continue
            seen.add(name)
            let = self.lets.get(name)
            if let is None:
                yield name
            else:
                waiting += list(names(let.value))[::-1]

    def definition(self, name: str) -> list[Expression]:
        """The expressions that a `let` or a draw is made of."""
        if name in self.lets:
            return [self.lets[name].value]
        if name not in self.draws:
            return []
        draw = self.draws[name]
        return [argument.value for argument in draw.distribution.arguments] + (
            [draw.like] if draw.like else []
        )

    def circle(self) -> list[str]:
        """The `let`s that are defined by each other, if there are any."""
        inner = {name: self._lets_in(let.value) for name, let in self.lets.items()}
        try:
            TopologicalSorter(inner).prepare()
        except CycleError as error:
            return list(error.args[1])
        return []

    def depth(self) -> int:
        """How many levels the deepest `let` has with others put in for their names."""
        inner = {name: self._lets_in(let.value) for name, let in self.lets.items()}
        levels: dict[str, int] = {}
        for name in TopologicalSorter(inner).static_order():
            below = max((levels[other] for other in inner[name]), default=0)
            levels[name] = depth(self.lets[name].value) + below
        return max(levels.values(), default=0)

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


__all__ = ["Findings", "Scope", "infers"]
