"""The options of solvers and sets: what a call gives, what it leaves out, what it may not say."""

from __future__ import annotations

from taxo.language.constants import constant
from taxo.language.errors import suggest
from taxo.language.printer import expression_text
from taxo.language.scope import Findings, Scope
from taxo.language.shapes import Reader, Shapes
from taxo.language.syntax import Argument, Call, Expression
from taxo.language.vocabulary import Option, Shape


def given(call: Call, options: dict[str, Option]) -> dict[str, Expression]:
    """The options a call gives; those without a name fill the options in order."""
    order = iter(options)
    return {
        argument.name.text if argument.name else next(order, ""): argument.value
        for argument in call.arguments
    }


def check_options(call: Call, options: dict[str, Option], shapes: Shapes, reader: Reader) -> None:
    """Note unknown, missing and ill-typed options of a call."""
    findings = shapes.findings
    if sum(argument.name is None for argument in call.arguments) > len(options):
        findings.error(
            "T204", f"`{call.name}` takes {len(options)} options", call.span, f"it has {_named(options)}"
        )
        return
    order = iter(options)
    seen: set[str] = set()
    for argument in call.arguments:
        name = argument.name.text if argument.name else next(order, "")
        if name in seen:
            findings.error("T103", f"`{name}` is given twice", argument.span, "keep one of them")
        seen.add(name)
        _check_option(call, name, argument, options, shapes, reader)
    for name, option in options.items():
        if option.default is None and name not in seen:
            findings.error(
                "T204", f"`{call.name}` needs `{name}`", call.span, f"`{name}` is {option.meaning}"
            )


def _named(options: dict[str, Option]) -> str:
    return ", ".join(f"`{name}`" for name in options) or "no options"


def _check_option(
    call: Call, name: str, argument: Argument, options: dict[str, Option], shapes: Shapes, reader: Reader
) -> None:
    findings, scope = shapes.findings, shapes.scope
    option, value = options.get(name), argument.value
    if option is None:
        span = argument.name.span if argument.name else argument.span
        findings.error("T205", f"`{call.name}` has no option `{name}`", span, suggest(name, options))
    elif option.words:
        _check_word(option, value, scope, findings)
    elif shapes.of(value, reader) not in (Shape.SCALAR, None):
        message = f"`{name}` is {option.meaning}: a number, not `{expression_text(value)}`"
        findings.error("T207", message, value.span)
    else:
        _check_count(name, option, value, scope, findings)


def _check_word(option: Option, value: Expression, scope: Scope, findings: Findings) -> None:
    word = scope.word(value)
    scope.read.add(getattr(value, "text", ""))
    if word not in option.words:
        shown = expression_text(value)
        findings.error(
            "T205", f"`{shown}` is not {option.meaning}", value.span, suggest(word or shown, option.words)
        )


def _check_count(name: str, option: Option, value: Expression, scope: Scope, findings: Findings) -> None:
    """A count is a whole number, and small enough to end."""
    number = constant(value, scope.constants())
    if number is None or option.most is None:
        return
    if not (1 <= number <= option.most and number == int(number)):
        message = f"`{name}` is {expression_text(value)}, not a whole number from 1 to {option.most:,}"
        findings.error("T206", message, value.span, "set it lower")
