"""Methods by name: the shipped ones, those in files, and variants of either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from taxo.language.check import check, errors, verify
from taxo.language.errors import Diagnostic, TaxoError, fail
from taxo.language.fields import as_expression
from taxo.language.lexer import LONGEST_TEXT
from taxo.language.method import Method, Param
from taxo.language.parser import parse_method, parse_reference
from taxo.language.printer import expression_text
from taxo.language.scope import Scope
from taxo.language.source import Source, Span
from taxo.language.spelling import shortened, suggest
from taxo.language.syntax import Expression
from taxo.language.uses import Library
from taxo.resources import methods_folder

Value = float | str | Expression
MOST_BYTES = 4 * LONGEST_TEXT


def shipped() -> list[str]:
    """The names of the methods that come with taxo."""
    return sorted(
        Path(entry.name).stem for entry in methods_folder().iterdir() if entry.name.endswith(".taxo")
    )


def examine(
    source: Source, stem: str | None = None, users: tuple[str, ...] = ()
) -> tuple[Method, list[Diagnostic]]:
    """The method of a text and everything found in it; raises where it is no method at all.

    `users` are the methods on whose behalf this one is looked at: none of them can be used by it.
    """
    parsed = parse_method(source)
    library = library_of(Path(source.name).parent, (*users, parsed.method.name.text))
    method, findings = parsed.method, parsed.findings + check(parsed.method, parsed.lost, library)
    if stem is not None and method.name.text != stem:
        message = f"the file is called `{stem}`, its method `{method.name}`"
        findings.append(Diagnostic("T105", message, method.name.span, f"did you mean `{stem}`?"))
    return method, sorted(findings, key=lambda one: one.span.start if one.span else -1)


def library_of(folder: Path | None = None, users: tuple[str, ...] = ()) -> Library:
    """The methods that a method in a folder can use: its neighbours, then the shipped ones."""

    def near() -> list[str]:
        return sorted(path.stem for path in folder.glob("*.taxo")) if folder is not None else []

    def known() -> list[str]:
        return sorted({*near(), *shipped()})

    def method(name: str) -> Method:
        if name in users:
            fail("T215", f"`{name}` uses itself")
        neighbour = folder is not None and name in near()
        source = source_of(str(folder / f"{name}.taxo") if folder and neighbour else name)
        return _sound(*examine(source, None, users))

    return Library(known, method)


def parse(text: str, name: str = "<text>") -> Method:
    """The checked method that a text spells.

    >>> text = "method quiet perturb loss by -loss / 2 { direction positive infer prior granularity sample }"
    >>> parse(text).name.text
    'quiet'

    Raises `TaxoError` with every error of the text.
    """
    return _sound(*examine(Source(name, text)))


def source_of(reference: str) -> Source:
    """The text behind a shipped name or a path."""
    path = Path(reference)
    if path.suffix == ".taxo":
        return _file(path)
    if reference not in shipped():
        fail("T201", f"no method is called `{shortened(reference)}`", None, suggest(reference, shipped()))
    return Source(f"{reference}.taxo", (methods_folder() / f"{reference}.taxo").read_text(encoding="utf-8"))


def _file(path: Path) -> Source:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        fail("T201", f"`{shortened(path)}` cannot be read: {why}", None, "check the path")
    except ValueError:
        fail("T201", f"`{shortened(path)}` is no path", None, "check the path")
    if len(data) > MOST_BYTES:
        fail("T104", f"`{path}` is larger than {MOST_BYTES:,} bytes", None, "a method is a page, not a book")
    try:
        # A byte order mark, which some editors write, is no part of the text.
        return Source(str(path), data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        fail("T101", f"`{path}` is not UTF-8 text: byte {error.start}", None, "save it as UTF-8")


def load(reference: str | Path) -> Method:
    """The checked method of a shipped name, a path, or a variant such as `mixpert(eps: 0, pro: 45%)`.

    >>> str(load("polyloss(eps: 2)").params[0].default.value)
    '2.0'

    Raises `TaxoError` where there is none, or where it is wrong.
    """
    name, values = _split(str(reference).strip())
    method = _sound(*examine(source_of(name), Path(name).stem))
    return variant(method, _given(f"{method.name}{values}", method)) if values else method


def outline(name: str) -> Method:
    """A shipped method as its text declares it, not checked: enough to list it, and quicker."""
    parsed = parse_method(source_of(name))
    return _sound(parsed.method, parsed.findings)


def _split(reference: str) -> tuple[str, str]:
    """A name or path, and the values in brackets behind it; a path may hold brackets of its own."""
    path, dot, values = reference.rpartition(".taxo")
    if dot and (not values or values.startswith("(")):
        return path + dot, values
    name, bracket, rest = reference.partition("(")
    if "+" in name + rest.rpartition(")")[2]:
        shown = shortened(reference)
        fail("T210", f"`{shown}` composes methods, which is not in this version", None, "name one method")
    return name.strip(), bracket + rest


def _sound(method: Method, findings: Sequence[Diagnostic]) -> Method:
    wrong = errors(findings)
    if wrong:
        raise TaxoError(wrong)
    return method


def _given(variant: str, method: Method) -> dict[str, Value]:
    """The values of `polyloss(eps: 0)`."""
    (call,) = parse_reference(variant)
    given: dict[str, Value] = {}
    for argument in call.arguments:
        name = argument.name
        if name is None:
            hint = f"write `{call.name}(name: value)`"
            fail("T204", "a variant names what it sets", argument.span, hint)
        _check_known(name.text, name.span, method)
        if name.text in given:
            fail("T103", f"`{name}` is set twice", name.span, "keep one of them")
        given[name.text] = argument.value
    return given


def _check_known(name: str, span: Span | None, method: Method) -> None:
    names = [param.name.text for param in method.params]
    if name not in names:
        hint = suggest(name, names) if names else f"`{method.name}` has no parameters"
        fail("T403", f"`{method.name}` has no parameter `{shortened(name)}`", span, hint)


def variant(method: Method, values: Mapping[str, Value]) -> Method:
    """The method with other values of its parameters.

    >>> str(variant(load("polyloss"), {"eps": 2}).params[0].default.value)
    '2.0'

    Raises `TaxoError` for a name that is no parameter, or a value out of its domain.
    """
    if not values:
        return method
    for name in values:
        _check_known(name, None, method)
    params = tuple(_set(param, values, method) for param in method.params)
    return verify(method.model_copy(update={"params": params}))


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
