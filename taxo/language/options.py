"""The options of solvers, sets and distributions: what a call gives, leaves out, and may not say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from taxo.language import syntax
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.method import Choices, Param
from taxo.language.printer import expression_text
from taxo.language.shapes import ANYWHERE, Reader, Shapes
from taxo.language.spelling import listed, shortened, suggest
from taxo.language.syntax import Argument, Call, Expression, Name, names
from taxo.language.vocabulary import FAMILIES, NUMBERS, Option, Place, Shape, Word

COUNTS = ("C", "N")  # known when a model and data are, before the first step


def check_options(
    call: Call, options: Mapping[str, Option], shapes: Shapes, reader: Reader | None = None
) -> None:
    """Note unknown, missing and ill-typed options of a call, whose values `reader` reads (None: nobody)."""
    findings = shapes.findings
    unnamed = [argument for argument in call.arguments if argument.name is None]
    if len(unnamed) > len(options):
        takes = f"takes {listed(options, 'and')}" if options else "takes no options"
        message = f"`{call.name}` {takes}, not {len(call.arguments)} values"
        findings.error("T204", message, unnamed[len(options)].span, "drop the rest")
        return
    order = iter(options)
    seen: set[str] = set()
    for argument in call.arguments:
        name = argument.name.text if argument.name else next(order, "")
        if name in seen:
            findings.error("T103", f"`{name}` is given twice", argument.span, "keep one of them")
        seen.add(name)
        _check_option(call, name, argument, options, shapes, reader)
    unknown = seen - set(options)
    for name, option in options.items():
        if option.default is None and name not in seen and not unknown:
            findings.error(
                "T204", f"`{call.name}` needs `{name}`", call.span, f"`{name}` is {option.meaning}"
            )


def _check_option(
    call: Call,
    name: str,
    argument: Argument,
    options: Mapping[str, Option],
    shapes: Shapes,
    reader: Reader | None,
) -> None:
    option = options.get(name)
    if option is None:
        message = f"`{call.name}` has no option `{shortened(name)}`"
        shapes.findings.error("T205", message, argument.name and argument.name.span, suggest(name, options))
        shapes.scope.read |= {argument.value.text} if isinstance(argument.value, Name) else set()
    elif option.family:
        _check_family(name, option, argument.value, shapes)
    elif option.free:
        _check_free(name, option, argument.value, shapes)
    elif option.condition:
        shapes.condition(argument.value, reader or ANYWHERE)
    elif option.value and shapes.scope.word(argument.value) is None:
        shape = shapes.of(argument.value, reader or ANYWHERE)
        shapes.among(argument.value, shape, NUMBERS, "is no value to start from")
    elif option.words:
        check_word(name, option, argument.value, shapes)
    else:
        check_number(name, option, argument.value, shapes, reader)


def _check_family(name: str, option: Option, value: Expression, shapes: Shapes) -> None:
    """The value is a call of a family, such as `adam(1e-3)`."""
    family, scope = FAMILIES[option.family], shapes.scope
    call = (
        Call(syntax.Word(value.text, span=value.span), span=value.span) if isinstance(value, Name) else value
    )
    if not isinstance(call, Call):
        shown = shortened(expression_text(value))
        hint = f"such as `{name}: {next(iter(family))}(...)`"
        shapes.findings.error("T207", f"`{shown}` is no {option.family}", value.span, hint)
    elif call.name.text in scope.params and scope.word(Name(call.name.text)) in family:
        _check_chosen(call, scope.params[call.name.text], family, shapes)
    elif call.name.text not in family:
        chosen = [word for word, param in scope.params.items() if scope.word(param.default) in family]
        shapes.findings.unknown_word(option.family, call.name, [*family, *chosen])
        scope.missing.setdefault(call.name.text, Name(call.name.text, span=call.name.span))
        scope.read |= {inner.text for inner in names(call)}
    else:
        check_options(call, family[call.name.text].options, shapes)


def _check_chosen(call: Call, param: Param, family: Mapping[str, Word], shapes: Shapes) -> None:
    """A call of a parameter that is one of a family's words: each word takes the options it knows."""
    shapes.scope.read.add(call.name.text)
    options: dict[str, Option] = {}
    for word in param.domain.choices if isinstance(param.domain, Choices) else ():
        if isinstance(word, Name) and word.text in family:
            options |= {name: replace(one, default=0.0) for name, one in family[word.text].options.items()}
        else:
            shown = shortened(expression_text(word))
            shapes.findings.error(
                "T205", f"`{shown}` is not of this family", word.span, suggest(shown, family)
            )
    check_options(call, options, shapes)


def _check_free(name: str, option: Option, value: Expression, shapes: Shapes) -> None:
    """The value is any word or text, which only the data knows."""
    if isinstance(value, Name):
        shapes.scope.read.add(value.text)
        if not shapes.scope.knows(value.text):
            shapes.scope.missing.setdefault(value.text, value)
    if shapes.scope.word(value) is None:
        shown = shortened(expression_text(value))
        message = f"`{shown}` is no value of the option `{name}`"
        shapes.findings.error("T205", message, value.span, f"`{name}` is {option.meaning}: a word or a text")


def check_word(name: str, option: Option, value: Expression, shapes: Shapes) -> None:
    """A word is given as it is, or by a parameter whose words are all fit."""
    scope, findings = shapes.scope, shapes.findings
    param = scope.params.get(value.text) if isinstance(value, Name) else None
    if isinstance(value, Name):
        scope.read.add(value.text)
        if not scope.knows(value.text) and value.text not in option.words:
            scope.missing.setdefault(value.text, value)
    if param is not None and isinstance(param.domain, Choices) and scope.is_word(param):
        for choice in param.domain.choices:
            if isinstance(choice, Name) and choice.text not in option.words:
                message = f"`{choice.text}` is no value of the option `{name}`"
                findings.error("T205", message, choice.span, suggest(choice.text, option.words))
    elif scope.word(value) not in option.words and not (
        isinstance(value, Name) and param is None and value.text in option.words
    ):
        shown = shortened(expression_text(value))
        words = [name for name, param in scope.params.items() if scope.is_word(param)]
        hint = suggest(shown, [*option.words, *words])
        if shown in option.words:
            hint = f"the parameter `{shown}` hides the word: rename it"
        findings.error("T205", f"`{shown}` is no value of the option `{name}`", value.span, hint)


def check_number(
    name: str, option: Option, value: Expression, shapes: Shapes, reader: Reader | None = None
) -> None:
    """A number is one for the whole batch, and lies within bounds where it is known beforehand."""
    scope, findings, shown = shapes.scope, shapes.findings, shortened(expression_text(value))
    shape = shapes.of(value, reader or Reader(Place.DATA, f"`{name}`"))
    if shape is None:
        return
    if shape != Shape.SCALAR and not (option.per_sample and shape == Shape.SAMPLE):
        message = f"`{name}` is a number, not `{shown}`"
        findings.error(
            "T207", message, value.span, f"`{name}` is {option.meaning}; `{shown}` is {shape.value}"
        )
        return
    number = constant(value, scope.constants())
    if number is None:
        counted = all(name.text in COUNTS or name.text in scope.params for name in names(value))
        if option.whole and not counted:
            message = f"`{name}` is `{shown}`, which is not known before the run"
            findings.error("T203", message, value.span, "make it of numbers and parameters")
    elif not option.least <= number <= option.most or (option.whole and number != number // 1):
        message = f"`{name}` is {number:g}, not {range_of(option)}"
        findings.error("T206", message, value.span, f"`{name}` is {option.meaning}")


def check_ends(call: Call, options: Mapping[str, Option], shapes: Shapes) -> None:
    """Note a call whose `low` and `high` are in the wrong order."""
    values = {name: option.default for name, option in options.items() if name in ("low", "high")}
    for name, value in given(call, options).items():
        if name in values:
            values[name] = constant(value, shapes.scope.constants())
    low, high = values.get("low"), values.get("high")
    if isinstance(low, float) and isinstance(high, float) and low > high:
        message = f"`{call.name}` goes from {low:g} to {high:g}"
        shapes.findings.error("T206", message, call.span, "the lower end comes first")


def range_of(option: Option) -> str:
    """The numbers that an option takes, in words."""
    kind = "a whole number" if option.whole else "a number"
    if option.most == float("inf"):
        return f"{kind} of {option.least:g} or more"
    return f"{kind} from {option.least:,g} to {option.most:,g}"
