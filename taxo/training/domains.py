"""What of a method can be tuned: its parameters that have a domain and that nobody has set; no torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from taxo.catalog import load, whole
from taxo.language.constants import constant
from taxo.language.errors import fail
from taxo.language.method import Choices, Param
from taxo.language.parser import parse_reference
from taxo.language.printer import expression_text
from taxo.language.scope import Scope
from taxo.variants import split_reference, split_values


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a parameter is looked for: texts to choose from, or an interval; and its value as it stands."""

    name: str
    default: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    def __str__(self) -> str:
        if self.choices:
            return "{" + ", ".join(self.choices) + "}"
        return f"[{self.low:g}, {self.high:g}]" + (" log" if self.log else "")


def domains(typed: str, fixed: Sequence[str]) -> list[Domain]:
    """The domains of a method as typed, without what its values or `fixed` set; T503 if there are none."""
    method = whole(load(typed))
    scope, said = Scope(method), {*_said(typed), *fixed}
    found = [
        _domain(param, scope)
        for param in method.params
        if param.domain is not None
        and param.per is None
        and param.name.text not in scope.found
        and param.name.text not in said
    ]
    if not found:
        help = "give a parameter one, as in `param lam = 0.3 in [0.1, 0.5]`"
        fail("T503", f"`{typed}` leaves no parameter that has a domain to tune over", help=help)
    return found


def shown(value: float) -> str:
    """A number as the winner's file will have it: what is tried is what is written."""
    return f"{value:.6g}"


def _domain(param: Param, scope: Scope) -> Domain:
    name, default = param.name.text, expression_text(param.default)
    domain = param.domain
    if isinstance(domain, Choices):
        return Domain(name, default, tuple(expression_text(choice) for choice in domain.choices))
    assert domain is not None
    low, high = (constant(end, scope.constants()) or 0.0 for end in (domain.low, domain.high))
    return Domain(name, default, (), low, high, domain.log)


def _said(typed: str) -> list[str]:
    """The parameters that a variant or a part of a composition sets, by their names in the whole."""
    found: list[str] = []
    parts = split_reference(typed)
    for part in parts:
        base, values = split_values(part)
        stem = load(base).name.text
        prefix = f"{stem}." if len(parts) > 1 else ""
        (call,) = parse_reference(f"{stem}{values}")
        found += [f"{prefix}{argument.name}" for argument in call.arguments if argument.name is not None]
    return found
