"""The checks of what a method declares: parameters and their domains, the null point, draws and `let`s."""

from __future__ import annotations

from taxo.language.constants import constant
from taxo.language.findings import Findings
from taxo.language.method import Choices, Draw, Interval, Method, Param
from taxo.language.options import COUNTS, check_ends, check_number, check_options
from taxo.language.outside import check_needs, check_objective
from taxo.language.printer import expression_text
from taxo.language.scope import TRUTHS, Scope
from taxo.language.shapes import ANYWHERE, Reader, Shapes
from taxo.language.spelling import nearest, shortened, suggest
from taxo.language.states import check_state
from taxo.language.syntax import Call, Expression, Name, String, names
from taxo.language.vocabulary import (
    DISTRIBUTIONS,
    GRAINS,
    NEEDS,
    PASSES,
    SCOPES,
    VALUES,
    Option,
    Place,
    Shape,
)

PARTS = Option("how many parts the batch is cut into", least=1, most=10_000, whole=True)
SIZES = {
    name: Option(f"how many numbers {meaning}", least=1, most=100_000, whole=True)
    for name, meaning in (("in", "go in"), ("hidden", "lie between"), ("out", "come out"))
}
UNHIDDEN = {*TRUTHS, *PASSES, "loss"}  # what no parameter may hide
DEFAULT = "a default"
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
    for state in method.states:
        check_state(state, shapes)
    check_needs(method, shapes)
    if method.loss is not None:
        check_objective(method.loss, shapes)
    if method.split is not None:
        check_number("split", PARTS, method.split, shapes)


def _check_names(method: Method, findings: Findings) -> None:
    """Every declaration has a name of its own; only a parameter may hide a built-in value."""
    seen: set[str] = set()
    for item in (*method.params, *method.draws, *method.states, *method.lets):
        name, known = item.name.text, VALUES.get(item.name.text)
        if name in seen:
            findings.error("T103", f"`{name}` is declared twice", item.name.span, "rename one of them")
        elif known is not None and (not isinstance(item, Param) or name in UNHIDDEN):
            message = f"`{name}` has a meaning already: {known.meaning}"
            findings.error("T103", message, item.name.span, "choose another name")
        seen.add(name)


def _check_param(param: Param, above: tuple[Param, ...], shapes: Shapes) -> None:
    scope, default = shapes.scope, param.default
    if param.per is not None and param.per.text not in GRAINS:
        shapes.findings.unknown_word("granularity", param.per, GRAINS)
    network = scope.network(param.name.text)
    if network is not None:
        _check_network(param, network, {other.name.text for other in above}, shapes)
        return
    if scope.is_word(param):
        _check_word(param, scope, shapes.findings)
        return
    values = {other.name.text for other in above}
    if not _is_number(default, values, shapes, DEFAULT):
        return
    value = constant(default, scope.constants())
    if isinstance(param.domain, Choices):
        for choice in param.domain.choices:
            _is_number(choice, set(), shapes, "a domain")
    if isinstance(param.domain, Interval) and value is not None:
        _check_interval(param, param.domain, value, shapes)


def _check_network(param: Param, network: Call, values: set[str], shapes: Shapes) -> None:
    """A network is made of numbers, and something learns it."""
    findings, name = shapes.findings, param.name
    if shapes.of(network, ANYWHERE) is None:
        return
    for argument, (size, option) in zip(network.arguments, SIZES.items(), strict=True):
        counted = isinstance(argument.value, Name) and argument.value.text == "C"
        if not counted and _is_number(argument.value, values, shapes, "a network's size"):
            check_number(size, option, argument.value, shapes)
    if param.domain is not None or param.per is not None:
        hint = "drop `in ...`" if param.domain is not None else "drop `per ...`"
        findings.error(
            "T209", f"`{name}` is a network, which has no domain and no granularity", param.span, hint
        )
    if name.text not in shapes.scope.found:
        hint = f"add `infer meta over {name} minimize loss on validation via ...`"
        findings.error("T102", f"nothing learns the network `{name}`", name.span, hint)


def _is_number(node: Expression, values: set[str], shapes: Shapes, what: str) -> bool:
    """Whether an expression has a value before the run, made of numbers and the parameters `values`."""
    scope = shapes.scope
    for name in names(node):
        if name.text in values or name.text in ("pi", "inf") or (what == DEFAULT and name.text in COUNTS):
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
    if word in TRUTHS and not isinstance(param.domain, Choices):
        return
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
        elif word in TRUTHS and choice.text not in TRUTHS:
            message = f"`{shortened(choice.text)}` is no truth, as `{word}` is"
            findings.error("T206", message, choice.span, suggest(choice.text, TRUTHS))
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
    row = DISTRIBUTIONS.get(draw.distribution.name.text)
    if row is None:
        findings.unknown_word("distribution", draw.distribution.name, DISTRIBUTIONS)
        shapes.scope.read |= {name.text for name in names(draw.distribution)}
    else:
        check_options(draw.distribution, row.options, shapes)
        check_ends(draw.distribution, row.options, shapes)
    if draw.per.text not in SCOPES:
        findings.unknown_word("scope of a draw", draw.per, SCOPES)
    if row is not None and row.result is not None and (like is not None or draw.per.text == "sample"):
        hint = "write `per batch`, without `like`"
        findings.error("T209", f"`{draw.name}` is {row.meaning}, one for all samples", draw.span, hint)
        return
    alone = like is not None and shapes.of(like, ANYWHERE) in (Shape.SCALAR, Shape.SAMPLE)
    if row is not None and row.whole_row and (like is None or alone):
        message = f"nothing says how many entries the direction `{draw.name}` has"
        findings.error("T102", message, draw.span, "add `like x`")
    if like is not None:
        _check_like(draw, like, shapes)


def _check_like(draw: Draw, like: Expression, shapes: Shapes) -> None:
    shape, shown = shapes.of(like, ANYWHERE), shortened(expression_text(like))
    if shape is not None and not shape.numeric:
        message = f"a draw like `{shown}` has no entries"
        shapes.findings.error("T207", message, like.span, f"it is {shape.value}")
    elif shape == Shape.W and draw.per.text == "sample":
        message = f"a draw like `{shown}` is not one per sample"
        hint = f"all samples share the weights: write `per batch like {shown}`"
        shapes.findings.error("T209", message, draw.per.span, hint)
    elif shape is not None and draw.per.text == "sample" and not shape.per_sample:
        message = f"`{shown}` is {shape.value}, and `{draw.name}` is drawn per sample"
        shapes.findings.error("T209", message, like.span, "write `per batch`")


def check_unused(scope: Scope, findings: Findings) -> None:
    """Note what is declared and never read; a name that was missed nearby may be the one meant."""
    wrong = [finding.span for finding in findings.items]
    for name, item in scope.declared.items():
        if name in scope.read or (item.name.span and item.name.span in wrong):
            continue
        match = nearest(name, scope.missing)
        hint = "read it or drop it"
        built_in = nearest(name, scope.read & set(VALUES))
        if match:
            hint = f"did you mean `{match[0]}`, which is read and never declared?"
        elif built_in:
            hint = f"`{built_in[0]}`, which is read, is {VALUES[built_in[0]].meaning}: is `{name}` meant?"
        findings.error("T202", f"`{name}` is declared, never used", item.name.span, hint)
    for name, call in scope.needs.items():
        if name in NEEDS and not NEEDS[name].owns and name not in scope.asked:
            message = f"`{name}` is asked for, never used"
            findings.error("T202", message, call.name.span, "read it or drop it")
