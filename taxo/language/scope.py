"""What the names of a method mean: who declares them, who reads them, and what they are worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from taxo.language.constants import constant
from taxo.language.errors import Diagnostic, suggest
from taxo.language.method import Draw, Let, Method, Param, Perturbation
from taxo.language.source import Span
from taxo.language.syntax import Expression, Name, String, Word, names
from taxo.language.vocabulary import FUNCTIONS, MANNERS, VALUES


@dataclass(slots=True)
class Findings:
    """The messages found so far."""

    items: list[Diagnostic] = field(default_factory=list[Diagnostic])

    def error(self, code: str, message: str, span: Span | None, hint: str | None = None) -> None:
        """Note something that must be mended."""
        self.items.append(Diagnostic(code, message, span, hint))

    def note(self, code: str, message: str, span: Span | None, hint: str | None = None) -> None:
        """Note something worth knowing."""
        self.items.append(Diagnostic(code, message, span, hint, "note"))

    def unknown_word(self, kind: str, word: Word, known: Mapping[str, object] | tuple[str, ...]) -> None:
        """Note a word that the vocabulary does not have."""
        self.error("T205", f"`{word}` is no {kind}", word.span, suggest(word.text, known))


class Scope:
    """The names that one method declares, over the built-in ones; a declaration hides a built-in name."""

    def __init__(self, method: Method) -> None:
        self.method = method
        self.params: dict[str, Param] = {param.name.text: param for param in method.params}
        self.draws: dict[str, Draw] = {draw.name.text: draw for draw in method.draws}
        self.lets: dict[str, Let] = {let.name.text: let for let in method.lets}
        self.read: set[str] = set()

    @property
    def declared(self) -> dict[str, Param | Draw | Let]:
        """Everything the method declares, by name."""
        return {**self.params, **self.draws, **self.lets}

    def knows(self, name: str) -> bool:
        """Whether the name means something without an unknown."""
        return name in self.declared or name in VALUES

    def undeclared(self, node: Expression) -> list[Name]:
        """The names of an expression that nothing declares, each once."""
        found = {name.text: name for name in names(node) if not self.knows(name.text)}
        return list(found.values())

    def unknown(self, item: Perturbation) -> str | None:
        """The name that a perturbation's `infer` clause finds; None for a fixed form."""
        manner = item.infer.manner.text
        if manner in MANNERS and not infers(item):
            return None
        free = self.undeclared(item.by)
        return free[0].text if free else None

    def visible(self) -> Iterator[str]:
        """Every name that could have been meant."""
        yield from self.declared
        yield from VALUES
        yield from FUNCTIONS

    def word(self, node: Expression) -> str | None:
        """The word or text that an expression stands for, through word-valued parameters."""
        if isinstance(node, String):
            return node.text
        if not isinstance(node, Name):
            return None
        param = self.params.get(node.text)
        if param is None:
            return None if self.knows(node.text) else node.text
        return self.word(param.default)

    def is_word(self, param: Param) -> bool:
        """Whether a parameter is set to a word or text, not to a number."""
        return self.word(param.default) is not None

    def constants(self) -> dict[str, float]:
        """The parameters that are plain numbers, at their present values."""
        values: dict[str, float] = {}
        for name, param in self.params.items():
            value = constant(param.default, values)
            if value is not None:
                values[name] = value
        return values

    def reads(self, node: Expression) -> Iterator[str]:
        """Every name an expression depends on, through `let`s."""
        for name in names(node):
            let = self.lets.get(name.text)
            if let is None:
                yield name.text
            else:
                yield from self.reads(let.value)


def infers(item: Perturbation) -> bool:
    """Whether a perturbation has an unknown to be found."""
    return item.infer.manner.text not in ("prior", "tuning")
