"""The checks of what a method declares: parameters and their domains, the null point, draws and `let`s."""

from __future__ import annotations

from taxo.language.constants import constant
from taxo.language.findings import Findings
from taxo.language.method import Choices, Draw, Interval, Method, Param
from taxo.language.options import check_number, check_options
from taxo.language.printer import expression_text
from taxo.language.scope import Scope
from taxo.language.shapes import ANYWHERE, Reader, Shapes
from taxo.language.spelling import nearest, shortened, suggest
from taxo.language.syntax import Expression, Name, String, names
from taxo.language.vocabulary import (
    DISTRIBUTIONS,
    FUNCTIONS,
    SCOPES,
    VALUES,
    Option,
    Place,
    Shape,
)

PARTS = Option("how many parts the batch is cut into", least=1, most=10_000, whole=True)
NUMBER = Reader(Place.DATA, "a parameter")


def check_declarations(method: Method, shapes: Shapes) -> None:
    """Note what is wrong with the items above the perturbations."""
    _check_names(method, shapes.findings)
    for place, param in enumerate(method.params):
        _check_param(param, method.params[:place], shapes)
    _check_null(method, shapes)
    for draw in method.draws:
        _check_draw(draw, shapes)
    for let in method.lets:
        shape = shapes.of(let.value, ANYWHERE)
        if shape == Shape.WORD:
            message = f"`{let.name}` is a word, and a `let` names a value"
            shapes.findings.error("T207", message, let.value.span, f"write `param {let.name} = ...`")
    if method.split is not None:
        check_number("split", PARTS, method.split, shapes)


def _check_names(method: Method, findings: Findings) -> None:
    """Every declaration has a name of its own."""
    seen: set[str] = set()
    for item in (*method.params, *method.draws, *method.lets):
        name = item.name.text
        known = VALUES.get(name) or FUNCTIONS.get(name)
        if name in seen:
            findings.error("T103", f"`{name}` is declared twice", item.name.span, "rename one of them")
        elif known is not None:
            message = f"`{name}` has a meaning already: {known.meaning}"
            findings.error("T103", message, item.name.span, "choose another name")
        seen.add(name)


def _check_param(param: Param, above: tuple[Param, ...], shapes: Shapes) -> None:
    scope, default = shapes.scope, param.default
    if scope.is_word(param):
        _check_word(param, scope, shapes.findings)
        return
    values = {other.name.text for other in above}
    if not _is_number(default, values, shapes, "a default"):
        return
    value = constant(default, scope.constants())
    if isinstance(param.domain, Choices):
        for choice in param.domain.choices:
            _is_number(choice, set(), shapes, "a domain")
    if isinstance(param.domain, Interval) and value is not None:
        _check_interval(param, param.domain, value, shapes)


def _is_number(node: Expression, values: set[str], shapes: Shapes, what: str) -> bool:
    """Whether an expression has a value before the run, made of numbers and the parameters `values`."""
    scope = shapes.scope
    for name in names(node):
        if name.text in values or name.text in ("pi", "inf"):
            continue
        if scope.knows(name.text):
            hint = "it is made of numbers and of parameters above it" if values else "it is made of numbers"
            shapes.findings.error("T203", f"{what} cannot read `{name.text}`", name.span, hint)
        else:
            shapes.undeclared(name)
        return False
    shape = shapes.of(node, NUMBER)
    if shape not in (Shape.SCALAR, None):
        message = f"`{shortened(expression_text(node))}` is {shape.value}, not a number"
        shapes.findings.error("T207", message, node.span, f"{what} is a number")
    return shape == Shape.SCALAR


def _check_interval(param: Param, domain: Interval, value: float, shapes: Shapes) -> None:
    """The ends are in order and the value lies between them, or is the null point's."""
    findings, text = shapes.findings, expression_text
    if not all(_is_number(end, set(), shapes, "a domain") for end in (domain.low, domain.high)):
        return
    low, high = constant(domain.low, {}), constant(domain.high, {})
    if low is None or high is None:
        return
    ends = f"[{text(domain.low)}, {text(domain.high)}]"
    if low > high or (domain.log and low <= 0):
        why = "a logarithmic one starts above 0" if low <= high else "the lower end comes first"
        findings.error("T206", f"the domain {ends} is empty", domain.low.span, why)
        return
    null = [constant(one.value, {}) for one in shapes.scope.method.null if one.name.text == param.name.text]
    if not low <= value <= high and value not in null:
        message = f"`{param.name}` is {shortened(text(param.default))}, outside {ends}"
        findings.error("T206", message, param.default.span, "take a value inside")


def _check_word(param: Param, scope: Scope, findings: Findings) -> None:
    """A parameter that is a word is one of the words of its domain."""
    if isinstance(param.default, String):
        if param.domain is not None:
            findings.error(
                "T209", f"`{param.name}` is a text, which has no domain", param.span, "drop `in ...`"
            )
        return
    word = scope.word(param.default) or ""
    if not isinstance(param.domain, Choices):
        scope.missing.setdefault(word, Name(word))
        hint = f"a number reads parameters above it; a word lists the words there are: `in {{{word}, ...}}`"
        if nearest(word, [*scope.params, "pi", "inf"]):
            hint = suggest(word, [*scope.params, "pi", "inf"])
        findings.error("T201", f"nothing declares `{shortened(word)}`", param.default.span, hint)
        return
    for choice in param.domain.choices:
        if not isinstance(choice, Name):
            message = f"`{shortened(expression_text(choice))}` is no word, as `{word}` is"
            findings.error("T207", message, choice.span, "a domain holds numbers or words, not both")
    words = [choice.text for choice in param.domain.choices if isinstance(choice, Name)]
    if words and word not in words:
        message = f"`{param.name}` is `{shortened(word)}`, which its domain does not have"
        findings.error("T206", message, param.default.span, suggest(word, words))


def _check_null(method: Method, shapes: Shapes) -> None:
    """The null point gives parameters values of their kind, in their domain or not."""
    scope, findings = shapes.scope, shapes.findings
    seen: set[str] = set()
    for setting in method.null:
        name = setting.name.text
        if name in seen:
            findings.error("T103", f"`{name}` is set twice", setting.name.span, "keep one of them")
        seen.add(name)
        param = scope.params.get(name)
        if param is None:
            scope.missing.setdefault(name, Name(name))
            hint = f"declare it: `param {shortened(name)} = ...`"
            if nearest(name, scope.params):
                hint = suggest(name, scope.params)
            findings.error("T201", f"no parameter is called `{shortened(name)}`", setting.name.span, hint)
        elif not scope.is_word(param):
            _is_number(setting.value, set(), shapes, "a null point")
        elif isinstance(param.domain, Choices) and setting.value not in param.domain.choices:
            shown = shortened(expression_text(setting.value))
            words = [choice.text for choice in param.domain.choices if isinstance(choice, Name)]
            message = f"`{name}` is never `{shown}`"
            findings.error("T206", message, setting.value.span, suggest(shown, words))


def _check_draw(draw: Draw, shapes: Shapes) -> None:
    findings, like = shapes.findings, draw.like
    options = DISTRIBUTIONS.get(draw.distribution.name.text)
    if options is None:
        findings.unknown_word("distribution", draw.distribution.name, DISTRIBUTIONS)
    else:
        check_options(draw.distribution, options, shapes)
        for argument in draw.distribution.arguments:
            if not shapes.scope.plain(argument.value):
                shown = shortened(expression_text(argument.value))
                message = f"a draw that reads `{shown}` is not in this version"
                findings.error("T210", message, argument.value.span, "make it of numbers and parameters")
    if draw.per.text not in SCOPES:
        findings.unknown_word("scope of a draw", draw.per, SCOPES)
    if like is None:
        return
    scopes = {"x": "sample", "w": "batch"}
    if not isinstance(like, Name) or like.text not in scopes:
        shown = shortened(expression_text(like))
        if isinstance(like, Name) and not shapes.scope.knows(like.text):
            findings.error("T201", f"nothing declares `{shown}`", like.span, suggest(shown, scopes))
        else:
            hint = f"`{draw.name}` can be like `x` or like `w`"
            findings.error("T210", f"a draw like `{shown}` is not in this version", like.span, hint)
    elif draw.per.text in SCOPES and draw.per.text != scopes[like.text]:
        hint = f"write `per {scopes[like.text]} like {like.text}`"
        message = f"a draw like `{like.text}` is not one per {draw.per}"
        findings.error("T209", message, draw.per.span, hint)


def check_unused(scope: Scope, findings: Findings) -> None:
    """Note what is declared and never read; a name that was missed nearby may be the one meant."""
    wrong = [finding.span for finding in findings.items]
    for name, item in scope.declared.items():
        if name in scope.read or (item.name.span and item.name.span in wrong):
            continue
        match = nearest(name, scope.missing)
        hint = "read it or drop it"
        if match:
            hint = f"did you mean `{match[0]}`, which is read and never declared?"
        findings.error("T202", f"`{name}` is declared, never used", item.name.span, hint)
