"""The checks of states: what they keep, for whom, and when they are updated."""

from __future__ import annotations

from dataclasses import replace

from taxo.language.calling import given
from taxo.language.method import State
from taxo.language.options import check_options
from taxo.language.printer import expression_text
from taxo.language.shapes import ANYWHERE, Shapes
from taxo.language.spelling import shortened
from taxo.language.syntax import Call, names
from taxo.language.vocabulary import GRAINS, ORDERS, PERIODS, STATE_FORMS


def check_state(state: State, shapes: Shapes) -> None:
    """Note what is wrong with a state."""
    findings = shapes.findings
    if state.per.text not in GRAINS:
        findings.unknown_word("granularity", state.per, GRAINS)
    if state.every is not None and state.every.text not in PERIODS:
        findings.unknown_word("period", state.every, PERIODS)
    if state.order is not None and state.order.text not in ORDERS:
        findings.unknown_word("order", state.order, ORDERS)
    elif state.order is not None and state.every is not None and state.every.text != "step":
        message = f"`{state.order}` is about a step, and `{state.name}` is updated every {state.every}"
        findings.error("T209", message, state.order.span, f"drop `{state.order}`")
    if state.start is not None:
        shapes.of(state.start, ANYWHERE)
    _check_value(state, shapes)


def _check_value(state: State, shapes: Shapes) -> None:
    value, before = state.value, len(shapes.findings.items)
    known = shapes.state(state.name.text)
    if isinstance(value, Call) and value.name.text in STATE_FORMS:
        _check_form(value, shapes)
    elif isinstance(value, Call) and value.name.text not in shapes.functions():
        findings = shapes.findings
        findings.unknown_word("function", value.name, [*STATE_FORMS, *shapes.functions()])
        shapes.scope.read |= {name.text for name in names(value)}
    else:
        shapes.of(value, ANYWHERE)
    if known is None and state.per.text in GRAINS and len(shapes.findings.items) == before:
        if state.start is not None and shapes.kept(state) is not None:
            message = f"`{state.name}` cannot start from `{shortened(expression_text(state.start))}`"
            hint = f"start from a number, or from what is kept per {state.per}"
            shapes.findings.error("T207", message, state.start.span, hint)
            return
        shown = shortened(expression_text(value))
        message = f"`{shown}` cannot be kept per {state.per}"
        hint = "a state keeps numbers; a covariance is that of `z`, per category or corpus"
        shapes.findings.error("T207", message, value.span, hint)


def _check_form(form: Call, shapes: Shapes) -> None:
    """A form of a state has one value, and its own options."""
    row, findings = STATE_FORMS[form.name.text], shapes.findings
    if not form.arguments or form.arguments[0].name is not None:
        hint = f"`{form.name}` is {row.meaning}: write `{form.name}(p)`"
        findings.error("T204", f"`{form.name}` needs a value to keep", form.span, hint)
        return
    shape = shapes.of(form.arguments[0].value, ANYWHERE)
    rest = replace(form, arguments=form.arguments[1:])
    check_options(rest, row.options, shapes, ANYWHERE)
    where = given(rest, row.options).get("where")
    if where is not None and shape is not None and shape.numeric and not shape.per_sample:
        message = (
            f"`where` selects samples, and `{shortened(expression_text(form.arguments[0].value))}` has none"
        )
        findings.error("T209", message, where.span, "drop `where`, or keep what there is per sample")
