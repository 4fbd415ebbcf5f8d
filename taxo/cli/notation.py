"""Expressions as mathematics, whatever signs it is written with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from taxo.language.printer import ATOM, COMPARISON, MINUS, NOT, PRODUCT, SUM, number_text, strength
from taxo.language.syntax import (
    Attribute,
    Binary,
    Call,
    Conditional,
    Expression,
    Index,
    Member,
    Name,
    Number,
    String,
    Unary,
)

LETTERS = {"lam": "lambda", "eps": "epsilon"} | {
    name: name for name in ("alpha", "beta", "gamma", "eta", "mu", "nu", "pi", "rho", "sigma", "tau", "xi")
}
Row = tuple[str, str, str]
NORMS = {"l1": "1", "l2": "2", "linf": "inf"}


class Notation(ABC):
    """A way to write mathematics; a subclass says how its parts look, this class what goes where."""

    operators: ClassVar[Mapping[str, str]]
    arrow: ClassVar[str]

    def expression(self, node: Expression) -> str:
        """The formula of an expression."""
        match node:
            case Number():
                return self.number(number_text(node))
            case String():
                return self.word(node.text)
            case Name():
                return self.name(node.text)
            case Unary():
                sign = self.operators[node.operator if node.operator == "not" else "negative"]
                return sign + self.held(node.operand, NOT if node.operator == "not" else MINUS)
            case Binary():
                return self._binary(node)
            case Member():
                group = self.call(node.group) if node.group.arguments else self.word(node.group.name.text)
                return f"{self.held(node.element, SUM)} {self.operators['in']} {group}"
            case Conditional():
                return self.cases(node)
            case Call():
                return self.call(node)
            case Index():
                return self.below(self.held(node.value, ATOM), self.expression(node.index))
            case Attribute():
                return self.above(self.name(node.name.text), self.word(node.owner.text))

    def held(self, node: Expression, least: int) -> str:
        """The formula of a part, in brackets where it is weaker than its place."""
        text = self.expression(node)
        return text if strength(node) >= least else self.brackets(text)

    def _binary(self, node: Binary) -> str:
        if node.operator == "/":
            return self.over(node)
        if node.operator == "^":
            return self.power(node)
        if node.operator == "*":
            return self.times(self.held(node.left, PRODUCT), self.held(node.right, PRODUCT + 1))
        own = strength(node)
        left, right = self.held(node.left, own + (own == COMPARISON)), self.held(node.right, own + 1)
        if node.operator in ("==", "!=") and isinstance(node.right, Name):
            right = self.word(node.right.text)  # a choice of words, which is no value of that name
        return f"{left} {self.operators[node.operator]} {right}"

    def call(self, node: Call) -> str:
        """The formula of a function and what it is given."""
        first, *rest = [self.expression(argument.value) for argument in node.arguments] or [""]
        match node.name.text:
            case "abs":
                return self.enclosed("|", first)
            case "floor":
                return self.enclosed("floor", first)
            case "l1" | "l2" | "linf" as norm:
                return self.norm(first, self.name("inf") if norm == "linf" else NORMS[norm])
            case "lp" if rest:
                return self.norm(first, rest[0])
            case "kl" if rest:
                return self.word("KL") + self.brackets(f"{first} {self.operators['given']} {rest[0]}")
            case _:
                return self.function(node.name.text) + self.brackets(", ".join(self._arguments(node)))

    def _arguments(self, node: Call) -> list[str]:
        return [
            (f"{self.word(argument.name.text)}: " if argument.name else "") + self.expression(argument.value)
            for argument in node.arguments
        ]

    def function(self, name: str) -> str:
        """The name of a function."""
        return {"entropy": "H", "ce": self.word("CE")}.get(name) or self.word(name)

    def name(self, name: str) -> str:
        """A name: a letter if it is one, or is called after one; what follows `_` stands below the letter."""
        if "." in name:
            owner, _, own = name.partition(".")
            return self.above(self.name(own), self.word(owner))
        head, _, tail = name.partition("_")
        if name == "loss":
            return self.letter("ell")
        if tail and (head in LETTERS or len(head) == 1):
            return self.joined(self.name(head), tail)
        if name == "inf":
            return self.letter("infty")
        return name if len(name) == 1 else self.letter(LETTERS[name]) if name in LETTERS else self.word(name)

    def norm(self, text: str, kind: str) -> str:
        """A norm of its kind."""
        return self.below(self.enclosed("‖", text), kind)

    def joined(self, letter: str, tail: str) -> str:
        """A letter and the word that its name goes on with."""
        return self.below(letter, self.word(tail))

    @abstractmethod
    def letter(self, name: str) -> str:
        """A letter by its LaTeX name."""

    @abstractmethod
    def word(self, text: str) -> str:
        """A word of several letters."""

    @abstractmethod
    def number(self, text: str) -> str:
        """A number."""

    @abstractmethod
    def brackets(self, text: str) -> str:
        """A part held together."""

    @abstractmethod
    def enclosed(self, kind: str, text: str) -> str:
        """A part between bars or other signs."""

    @abstractmethod
    def times(self, left: str, right: str) -> str:
        """A product."""

    @abstractmethod
    def over(self, node: Binary) -> str:
        """A quotient."""

    @abstractmethod
    def power(self, node: Binary) -> str:
        """A power."""

    @abstractmethod
    def below(self, text: str, index: str) -> str:
        """A part with an index."""

    @abstractmethod
    def above(self, text: str, mark: str) -> str:
        """A part with a mark that says whose it is."""

    @abstractmethod
    def cases(self, node: Conditional) -> str:
        """One value where a condition holds, another one elsewhere."""

    @abstractmethod
    def best(self, kind: str, goal: str, over: str) -> str:
        """Where a goal is least or largest, over what is allowed."""

    @abstractmethod
    def inline(self, text: str) -> str:
        """A formula within a sentence."""

    @abstractmethod
    def block(self, rows: list[Row]) -> str:
        """Lines of a left side, a right side with its sign, and a remark, as a fenced block."""
