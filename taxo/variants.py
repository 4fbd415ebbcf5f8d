"""Methods at other values, and the references that say so: `mixpert(eps: 0)`, `esp+damp(sigma: 0.1)`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from taxo.language.check import verify
from taxo.language.errors import fail
from taxo.language.fields import Value, as_expression
from taxo.language.method import Clause, Method, Param, Use
from taxo.language.parser import parse_reference
from taxo.language.printer import expression_text
from taxo.language.scope import Scope
from taxo.language.source import Span
from taxo.language.spelling import shortened, suggest
from taxo.language.syntax import Argument, Word
from taxo.language.uses import Library


def split_reference(text: str) -> list[str]:
    """The parts of a composition; a `+` in brackets or quotes joins nothing.

    >>> split_reference("esp(eps: 1 + 1)+damp")
    ['esp(eps: 1 + 1)', 'damp']
    """
    return _apart(text, "+")


def split_words(text: str) -> list[str]:
    """The words of a list; a comma in brackets or quotes parts nothing.

    >>> split_words("attack(eps: 1, steps: 2), tail")
    ['attack(eps: 1, steps: 2)', 'tail']
    """
    return _apart(text, ",")


def _apart(text: str, sign: str) -> list[str]:
    parts, depth, quoted = [""], 0, False
    for letter in text:
        quoted ^= letter == '"'
        depth += 0 if quoted else {"(": 1, ")": -1}.get(letter, 0)
        if letter == sign and depth <= 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]


def split_values(reference: str) -> tuple[str, str]:
    """A name or path, and the values in brackets behind it; a path may hold brackets of its own."""
    path, dot, values = reference.rpartition(".taxo")
    if dot and (not values or values.startswith("(")):
        return path + dot, values
    name, bracket, rest = reference.partition("(")
    return name.strip(), bracket + rest


def given(reference: str, method: Method) -> dict[str, Value]:
    """The values of `polyloss(eps: 0)`."""
    (call,) = parse_reference(reference)
    values: dict[str, Value] = {}
    for argument in call.arguments:
        name = argument.name
        if name is None:
            hint = f"write `{call.name}(name: value)`"
            fail("T204", "a variant names what it sets", argument.span, hint)
        _check_known(name.text, name.span, method)
        if name.text in values:
            fail("T103", f"`{name}` is set twice", name.span, "keep one of them")
        values[name.text] = argument.value
    return values


def _check_known(name: str, span: Span | None, method: Method, library: Library | None = None) -> None:
    names = [param.name.text for param in method.params]
    for use in method.uses() if library else []:
        inner = library.method(use.method.name.text) if library else method
        names += [f"{use.method.name}.{param.name}" for param in inner.params]
    if name not in names:
        hint = suggest(name, names) if names else f"`{method.name}` has no parameters"
        fail("T403", f"`{method.name}` has no parameter `{shortened(name)}`", span, hint)


def variant(method: Method, values: Mapping[str, Value], library: Library | None = None) -> Method:
    """The method with other values of its parameters; those of a method it uses are `other.name`.

    >>> from taxo import load
    >>> str(variant(load("polyloss"), {"eps": 2}).params[0].default.value)
    '2.0'

    Raises `TaxoError` for a name that is no parameter, or a value out of its domain.
    """
    if not values:
        return method
    for name in values:
        _check_known(name, None, method, library)
    params = tuple(_set(param, values, method) for param in method.params)
    clauses = tuple(
        _set_used(clause, values) if isinstance(clause, Use) else clause for clause in method.clauses
    )
    return verify(method.model_copy(update={"params": params, "clauses": clauses}), library)


def _set_used(use: Use, values: Mapping[str, Value]) -> Clause:
    """The `use` clause with other values; those that are not set again stay."""
    prefix = f"{use.method.name}."
    new = {name.removeprefix(prefix): value for name, value in values.items() if name.startswith(prefix)}
    kept = tuple(one for one in use.method.arguments if one.name is None or one.name.text not in new)
    added = tuple(Argument(Word(name), as_expression(value)) for name, value in new.items())
    call = replace(use.method, arguments=(*kept, *added))
    return use.model_copy(update={"method": call})


def _set(param: Param, values: Mapping[str, Value], method: Method) -> Param:
    """The parameter at its new value, which is of the old one's kind."""
    if param.name.text not in values:
        return param
    value = as_expression(values[param.name.text])
    changed = param.model_copy(update={"default": value})
    scope = Scope(method)
    if (scope.word(value) is None) == (scope.word(param.default) is None):
        return changed
    shown, kind = shortened(expression_text(value)), "word" if scope.is_word(param) else "number"
    hint = f"its value is `{expression_text(param.default)}`"
    fail("T206", f"`{param.name}` is a {kind}, not `{shown}`", value.span, hint)
