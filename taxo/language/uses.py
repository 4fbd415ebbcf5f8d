"""Methods that use others: which they are, what they set, and the checks of both."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from taxo.language.errors import TaxoError
from taxo.language.findings import Findings
from taxo.language.method import Method, Use
from taxo.language.shapes import Reader, Shapes
from taxo.language.spelling import nearest, shortened, suggest
from taxo.language.syntax import Call, Name, String
from taxo.language.vocabulary import Place, Shape

SETTING = Reader(Place.DATA, "a parameter")
DEEPEST_USE = 8


@dataclass(frozen=True, slots=True)
class Library:
    """Where used methods come from: their names, and the method of a name."""

    names: Callable[[], list[str]]
    method: Callable[[str], Method]


def used_methods(method: Method, library: Library | None, findings: Findings) -> dict[str, Method] | None:
    """The methods that a method uses, by name; None where nobody knows them."""
    found: dict[str, Method] = {}
    seen: set[str] = set()
    for use in _uses(method):
        name = use.method.name
        if name.text == method.name.text:
            findings.error("T215", f"`{name}` uses itself", name.span, "drop it")
        elif name.text in seen:
            findings.error("T103", f"`{name}` is used twice", name.span, "keep one of them")
        elif library is not None and name.text not in library.names():
            hint = suggest(name.text, library.names())
            if not nearest(name.text, library.names()):
                hint = "`taxo list` shows those there are"
            findings.error("T201", f"no method is called `{shortened(name)}`", name.span, hint)
        elif library is not None:
            _add(use, library, found, findings)
        seen.add(name.text)
    return None if library is None else found


def _add(use: Use, library: Library, found: dict[str, Method], findings: Findings) -> None:
    name = use.method.name
    try:
        found[name.text] = library.method(name.text)
    except TaxoError as error:
        first = error.diagnostics[0]
        again = first.code == "T215"
        message = (
            f"`{name}` uses a method that uses it" if again else f"`{name}` is wrong itself: {first.message}"
        )
        hint = "break the circle" if again else f"`taxo check {name}` says more"
        findings.error("T215", shortened(message, 95), name.span, hint)


def _uses(method: Method) -> Iterator[Use]:
    yield from (clause for clause in method.clauses if isinstance(clause, Use))


def check_uses(method: Method, shapes: Shapes) -> None:
    """Note what `use` sets that the used method does not have; its parameters are named."""
    for use in _uses(method):
        used = (shapes.scope.used or {}).get(use.method.name.text)
        names = [param.name.text for param in used.params] if used else None
        _check_settings(use.method, names, shapes)


def _check_settings(call: Call, params: list[str] | None, shapes: Shapes) -> None:
    seen: set[str] = set()
    for argument in call.arguments:
        name = argument.name
        if name is None:
            hint = f"write `{call.name}(name: value)`"
            shapes.findings.error("T204", "`use` names what it sets", argument.span, hint)
        elif name.text in seen:
            shapes.findings.error("T103", f"`{name}` is set twice", name.span, "keep one of them")
        elif params is not None and name.text not in params:
            message = f"`{call.name}` has no parameter `{shortened(name)}`"
            shapes.findings.error("T403", message, name.span, suggest(name.text, params))
        seen |= {name.text} if name else set()
        value = argument.value
        if isinstance(value, String) or (isinstance(value, Name) and not shapes.scope.knows(value.text)):
            continue  # a word of the used method, which is checked where the two are one
        shape = shapes.of(value, SETTING)
        shapes.among(value, shape, (Shape.SCALAR, Shape.WORD), "is no setting")
