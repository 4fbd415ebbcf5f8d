"""Methods by name: the shipped ones, those in files, and variants of either."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from taxo.language.check import check, errors, verify
from taxo.language.errors import Diagnostic, TaxoError, fail, suggest
from taxo.language.method import Method, as_expression
from taxo.language.parser import parse_method, parse_reference
from taxo.language.source import Source
from taxo.language.syntax import Expression
from taxo.resources import methods_folder

Value = float | str | Expression


def shipped() -> list[str]:
    """The names of the methods that come with taxo."""
    return sorted(
        Path(entry.name).stem for entry in methods_folder().iterdir() if entry.name.endswith(".taxo")
    )


def examine(source: Source, stem: str | None = None) -> tuple[Method, list[Diagnostic]]:
    """The method of a text and everything found in it; raises where it is no method at all."""
    method, findings = parse_method(source)
    findings = findings + check(method)
    if stem is not None and method.name.text != stem:
        message = f"the file is called `{stem}`, its method `{method.name}`"
        findings.append(Diagnostic("T105", message, method.name.span, f"did you mean `{stem}`?"))
    return method, findings


def parse(text: str, name: str = "<text>") -> Method:
    """The checked method that a text spells.

    >>> parse("method quiet perturb loss by -loss / 2 { direction positive infer prior granularity sample }").name.text
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
        fail("T201", f"no method is called `{reference}`", None, suggest(reference, shipped()))
    return Source(f"{reference}.taxo", (methods_folder() / f"{reference}.taxo").read_text(encoding="utf-8"))


def _file(path: Path) -> Source:
    try:
        return Source(str(path), path.read_text(encoding="utf-8"))
    except OSError as error:
        fail(
            "T201",
            f"`{path}` cannot be read: {(error.strerror or str(error)).lower()}",
            None,
            "check the path",
        )
    except UnicodeDecodeError:
        fail("T101", f"`{path}` is not UTF-8 text", None, "a method is a text file")


def load(reference: str | Path) -> Method:
    """The checked method of a shipped name, a path, or a variant such as `mixpert(eps: 0, pro: 45%)`.

    >>> str(load("polyloss(eps: 2)").params[0].default.value)
    '2.0'

    Raises `TaxoError` where there is none, or where it is wrong.
    """
    name, bracket, rest = str(reference).strip().partition("(")
    if "+" in name + rest.rpartition(")")[2]:
        fail("T210", f"`{reference}` composes methods, which is not in this version", None, "name one method")
    source = source_of(name.strip())
    method = _sound(*examine(source, Path(name.strip()).stem))
    return variant(method, _given(bracket + rest)) if bracket else method


def _sound(method: Method, findings: Sequence[Diagnostic]) -> Method:
    wrong = errors(findings)
    if wrong:
        raise TaxoError(wrong)
    return method


def _given(arguments: str) -> dict[str, Value]:
    """The values of `(eps: 0, pro: 45%)`."""
    (call,) = parse_reference(f"method{arguments}")
    unnamed = [argument for argument in call.arguments if argument.name is None]
    if unnamed:
        fail(
            "T204", "a variant names what it sets", unnamed[0].span, "write `name: value`, such as `(eps: 0)`"
        )
    return {argument.name.text: argument.value for argument in call.arguments if argument.name}


def variant(method: Method, values: Mapping[str, Value]) -> Method:
    """The method with other values of its parameters.

    Raises `TaxoError` for a name that is no parameter, or a value out of its domain.
    """
    names = [param.name.text for param in method.params]
    unknown = [name for name in values if name not in names]
    if unknown:
        hint = suggest(unknown[0], names) if names else f"`{method.name}` has no parameters"
        fail("T403", f"`{method.name}` has no parameter `{unknown[0]}`", None, hint)
    params = tuple(
        param.model_copy(update={"default": as_expression(values[param.name.text])})
        if param.name.text in values
        else param
        for param in method.params
    )
    return verify(method.model_copy(update={"params": params})) if values else method
