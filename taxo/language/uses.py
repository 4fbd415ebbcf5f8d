"""Methods that use others: which they are, what they set, and the checks of both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from taxo.language.constants import constant
from taxo.language.errors import TaxoError
from taxo.language.findings import Findings
from taxo.language.method import Method, Use
from taxo.language.scope import Scope
from taxo.language.shapes import Reader, Shapes
from taxo.language.spelling import nearest, shortened, suggest
from taxo.language.syntax import Argument, Call, Expression, Name, String, number
from taxo.language.syntax import names as names_in
from taxo.language.vocabulary import CONSTANTS, Place, Shape

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
    for use in method.uses():
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


def check_uses(method: Method, shapes: Shapes, library: Library | None) -> None:
    """Note what `use` sets that the used method does not have, or that is no value for it."""
    for use in method.uses():
        before = len(shapes.findings.items)
        used = (shapes.scope.used or {}).get(use.method.name.text)
        _check_settings(use.method, used, shapes)
        if used is not None and use.method.arguments and len(shapes.findings.items) == before:
            _check_set(use.method, used, shapes, library)


def _check_settings(call: Call, used: Method | None, shapes: Shapes) -> None:
    names = [param.name.text for param in used.params] if used else None
    seen: set[str] = set()
    for argument in call.arguments:
        name = argument.name
        if name is None:
            hint = f"write `{call.name}(name: value)`"
            shapes.findings.error("T204", "`use` names what it sets", argument.span, hint)
        elif name.text in seen:
            shapes.findings.error("T103", f"`{name}` is set twice", name.span, "keep one of them")
        elif names is not None and name.text not in names:
            message = f"`{call.name}` has no parameter `{shortened(name)}`"
            shapes.findings.error("T403", message, name.span, suggest(name.text, names))
        seen |= {name.text} if name else set()
        _check_value(argument, used, shapes)


def _check_value(argument: Argument, used: Method | None, shapes: Shapes) -> None:
    """A setting is a word of the used method, or made of numbers and parameters, not of that one's own."""
    value, own = argument.value, {param.name.text: param for param in used.params} if used else {}
    if isinstance(value, String):
        return
    if isinstance(value, Name) and not shapes.scope.knows(value.text):
        if value.text in own:
            hint = "write its value, or declare it here and set both"
            shapes.findings.error(
                "T203", f"a setting cannot read the other's `{value.text}`", value.span, hint
            )
            return
        param = own.get(argument.name.text) if argument.name else None
        if param is not None and used is not None and not Scope(used).is_word(param):
            shapes.undeclared(value)
        shapes.scope.missing.setdefault(value.text, value)
        return
    shape = shapes.of(value, SETTING)
    if shapes.among(value, shape, (Shape.SCALAR, Shape.WORD, Shape.TRUTH), "is no setting") is None:
        return
    for name in names_in(value):
        if name.text not in shapes.scope.params and name.text not in CONSTANTS:
            hint = "make it of numbers and parameters"
            shapes.findings.error("T203", f"a setting cannot read `{name.text}`", name.span, hint)


def _check_set(call: Call, used: Method, shapes: Shapes, library: Library | None) -> None:
    """The used method is checked as it is set, at the present values of parameters."""
    from taxo.language.check import check, errors

    values: dict[str, Expression] = {}
    for argument in call.arguments:
        value = constant(argument.value, shapes.scope.constants())
        if argument.name is not None:
            word = shapes.scope.word(argument.value)
            plain = argument.value if word is None or isinstance(argument.value, String) else Name(word)
            values[argument.name.text] = plain if value is None or word else number(value)
    params = tuple(
        param.model_copy(update={"default": values.get(param.name.text, param.default)})
        for param in used.params
    )
    wrong = errors(check(used.model_copy(update={"params": params}), library=library))
    if wrong:
        hint = wrong[0].help or f"`taxo show {call.name}` says what it takes"
        message = shortened(f"set so, `{call.name}` is wrong: {wrong[0].message}", 95)
        shapes.findings.error(wrong[0].code, message, call.span, hint)
