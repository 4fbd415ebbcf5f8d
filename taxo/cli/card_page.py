"""The card of one method: what is derived from its text, and what its notes say beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from taxo.catalog import library_for, whole
from taxo.cli.describe import domain_text, plan_lines, unable
from taxo.cli.equations import equations, letters
from taxo.cli.notation import Notation
from taxo.cli.notes import Notes, notes_of
from taxo.compiler import lower, schedule, simplify
from taxo.language.codes import SPEC_CODES
from taxo.language.coordinates import derive
from taxo.language.layout import formatted
from taxo.language.method import Choices, Method, Perturbation
from taxo.language.printer import call_text, expression_text
from taxo.language.scope import Scope
from taxo.language.spelling import listed
from taxo.language.vocabulary import NEEDS
from taxo.laws.pairs import Pair, pair
from taxo.laws.reasons import LAWS
from taxo.variants import variant

BACK = "[All methods](README.md) · [The laws](../laws.md) · [How the language works](../language.md)"
FIDELITY = (
    "Its values and gradients are compared with its equation written out in plain torch, in `tests/fidelity`."
)
NOT_NOTED = Notes("", "", "", "", "")


def page(method: Method, notation: Notation, pairs: Sequence[Pair] | None = None) -> str:
    """The card as Markdown; `pairs` are what the checker says of it beside each shipped method."""
    noted = notes_of(method.name.text)
    notes = noted or NOT_NOTED
    found = meetings(method) if pairs is None else pairs
    sections = {
        "Formula": _formula(method, notation),
        "Coordinates": "\n".join(_coordinates(method)),
        "Specification": f"```taxo\n{_source(method)}```",
        "Plan and cost": _plan(method),
        "Parameters": _joined("\n".join(_parameters(method)), "\n".join(_needs(method)), notes.defaults),
        "Paper and code": notes.differences,
        "Known good settings": notes.settings,
        "How it was checked": _joined(FIDELITY if noted else "", "\n".join(_laws(method)), notes.checks),
        "With other methods": "\n".join(_others(method, found)),
        "Citation": "\n".join(f"- {cite}" for cite in method.cite),
    }
    body = [f"## {heading}\n\n{text}" for heading, text in sections.items() if text]
    return _joined(_title(method), method.summary, notes.what, *body, BACK) + "\n"


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part)


def _title(method: Method) -> str:
    return f"# {method.title}: `{method.name}`" if method.title else f"# `{method.name}`"


def _formula(method: Method, notation: Notation) -> str:
    expanded = whole(method)
    rows, meanings = equations(expanded, notation), letters(expanded, notation)
    if not rows:
        return "Nothing is perturbed: the loss is what it is."
    return _joined(notation.block(rows), "\n".join(f"- {meaning}" for meaning in meanings))


def _source(method: Method) -> str:
    """Its text as it is written, comments and all."""
    return formatted(method, method.span.source.text if method.span else "")


def _coordinates(method: Method) -> Iterator[str]:
    """A table for each perturbation: what it declares beside what its form shows."""
    expanded = whole(method)
    scope, items = Scope(expanded), list(expanded.perturbations())
    if not items:
        yield "None, as nothing is perturbed."
        return
    yield "| perturbation | | direction | manner | granularity |"
    yield "| --- | --- | --- | --- | --- |"
    for item in items:
        yield from _coordinate_rows(item, scope)


def _coordinate_rows(item: Perturbation, scope: Scope) -> Iterator[str]:
    derived = derive(item, scope)
    at = f" at {expression_text(item.at)}" if item.at else ""
    place = f"{item.target}{at} by {expression_text(item.by)}"
    against = f" on {item.against}" if item.against else ""
    learned = dict.fromkeys(scope.found[name].manner.text for name in scope.covered(item))
    manner = item.infer.manner.text or " + ".join(learned)
    grains = " + ".join(word.text for word in item.granularity)
    yield _row(f"`{place}`", "declared", f"{item.direction}{against}", manner, grains)
    yield _row("", "derived", derived.direction or "–", derived.manner, derived.granularity.name.lower())


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |".replace("|  |", "| |")


def _plan(method: Method) -> str:
    expanded = whole(method)
    lines = plan_lines(expanded, lower(simplify(expanded)))
    others = [f"- with `{setting}`: {cost}" for setting, cost in _other_costs(method)]
    plan = "\n".join(["With the parameters at the values of the specification:", "", "```", *lines, "```"])
    return _joined(plan, "\n".join(others))


def _other_costs(method: Method) -> Iterator[tuple[str, str]]:
    """The choices of one parameter that change what a step costs."""
    usual = cost_text(method)
    for param in method.params if usual else ():
        choices = param.domain.choices if isinstance(param.domain, Choices) else ()
        for choice in choices:
            cost = cost_text(variant(method, {param.name.text: choice}, library_for(method)))
            if cost != usual:
                yield f"{param.name}: {expression_text(choice)}", cost


def cost_text(method: Method) -> str:
    """The cost of a step; none where this version cannot run it."""
    expanded = whole(method)
    return "" if unable(expanded) else schedule(lower(simplify(expanded))).cost


def _parameters(method: Method) -> Iterator[str]:
    """The parameters as a table: a value, others worth trying, and where the method is the plain loss."""
    expanded = whole(method)
    null = {setting.name.text: expression_text(setting.value) for setting in expanded.null}
    if not expanded.params:
        return
    yield "| parameter | default | domain | plain loss at |\n| --- | --- | --- | --- |"
    for param in expanded.params:
        name = f"`{param.name}`" + (f" per {param.per}" if param.per else "")
        domain = domain_text(param).removeprefix("in ")
        texts = (expression_text(param.default), domain, null.get(param.name.text, ""))
        yield _row(name, *(f"`{text}`" if text else "" for text in texts))


def _needs(method: Method) -> Iterator[str]:
    needs = whole(method).needs
    if needs:
        yield "It has to be given:\n"
    for call in needs:
        yield f"- `{call_text(call)}`: {NEEDS[call.name.text].meaning}"


def _laws(method: Method) -> Iterator[str]:
    """The laws that hold it, and why the others do not apply."""
    reasons = {name: law.reason(method) for name, law in LAWS.items()}
    held = [name for name, reason in reasons.items() if reason is None]
    yield f"Tests hold it to these [laws](../laws.md): {', '.join(held)}."
    exempt = {name: reason for name, reason in reasons.items() if reason is not None}
    if exempt:
        yield "These do not apply:\n"
    for name, reason in exempt.items():
        line = f" (line {reason.span.line})" if reason.span else ""
        yield f"- {name}: {reason.what}{line}"


def meetings(method: Method) -> list[Pair]:
    """The method beside every other one that its library knows, if it is in there itself."""
    library, name = library_for(method), method.name.text
    names = library.names() if name in library.names() else []
    return [pair(name, other, library) for other in names if other != name]


def _others(method: Method, pairs: Sequence[Pair]) -> Iterator[str]:
    """What the checker says of compositions with it, by code."""
    if not pairs:
        return
    own = method.name.text
    said = {code: [one for one in pairs if code in one.codes] for one in pairs for code in one.codes}
    for code in sorted(said):
        names = [one.second if one.first == own else one.first for one in said[code]]
        yield f"- [{code}](../errors/{code}.md), {SPEC_CODES[code].title}: {listed(names, 'and')}"
    together = "\nIt goes together with the others" if said else "It goes together with all other methods"
    yield f"{together}: `taxo train '{own}+NAME'`."
