"""Any method, written again by calls of the builder as a user would write them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from taxo.language import builder as door
from taxo.language.builder import Builder
from taxo.language.layout import inference_text
from taxo.language.manners import adversarial, meta, regularization
from taxo.language.method import (
    UNINFERRED,
    Branch,
    Choices,
    Inference,
    Interval,
    Method,
    Param,
    Perturbation,
    Use,
)
from taxo.language.printer import call_text, expression_text
from taxo.language.syntax import Call, Expression, Word

MAKERS = {
    "regularization": regularization,
    "adversarial": adversarial,
    "meta": meta,
}


def sayable(method: Method) -> bool:
    """Whether the builder has the words: it cannot leave a branch without a name."""
    return all(branch.name is not None for branch in method.branches())


def rebuilt(method: Method) -> Method:
    """The method that the builder makes of the same words."""
    builder = door.method(
        method.name.text,
        title=method.title,
        summary=method.summary,
        cite=method.cite,
        null={setting.name.text: expression_text(setting.value) for setting in method.null},
        needs=_calls(method.needs),
        loss=_text(method.loss),
        split=_text(method.split),
    )
    for param in method.params:
        builder = _param(builder, param)
    for draw in method.draws:
        distribution = call_text(draw.distribution)
        builder = builder.draw(draw.name.text, distribution, per=draw.per.text, like=_text(draw.like))
    for state in method.states:
        builder = builder.state(
            state.name.text,
            expression_text(state.value),
            per=state.per.text,
            every=_word(state.every),
            order=_word(state.order),
            start=_text(state.start),
        )
    for let in method.lets:
        builder = builder.let(let.name.text, expression_text(let.value))
    for clause in method.clauses:
        builder = _clause(builder, clause)
    for infer in method.infers:
        builder = builder.infer(_inference(infer), over=[name.text for name in infer.over])
    return builder.build()


def _param(builder: Builder, param: Param) -> Builder:
    options: dict[str, Any] = {"per": _word(param.per), "like": _text(param.like)}
    match param.domain:
        case Choices(choices=choices):
            options["choices"] = [expression_text(one) for one in choices]
        case Interval(low=low, high=high, log=log):
            options |= {"low": expression_text(low), "high": expression_text(high), "log": log}
        case _:
            pass
    return builder.param(param.name.text, expression_text(param.default), **options)


def _clause(builder: Builder, clause: Perturbation | Branch | Use) -> Builder:
    match clause:
        case Use():
            return builder.use(call_text(clause.method))
        case Branch(name=name):
            assert name is not None
            on = call_text(clause.on) if clause.on else None
            weight = expression_text(clause.weight)
            builder = builder.branch(name.text, weight=weight, on=on, norm=_word(clause.norm))
            for item in clause.perturbations:
                builder = _perturbation(builder, item, name.text)
            return builder
        case _:
            return _perturbation(builder, clause, None)


def _perturbation(builder: Builder, item: Perturbation, branch: str | None) -> Builder:
    return builder.perturb(
        item.target.text,
        by=expression_text(item.by),
        direction=_spaced(item.direction, "on" if item.against else None, item.against) or "",
        infer=None if item.infer == UNINFERRED else _inference(item.infer),
        granularity=" + ".join(map(str, item.granularity)),
        where=_text(item.where),
        at=_text(item.at),
        branch=branch,
        every=_spaced(item.every, item.amend),
        during=_word(item.during),
        norm=_word(item.norm),
    )


def _inference(infer: Inference) -> Inference | str:
    """By a function of the manner, where there is one that can say it; else by its text."""
    if infer.goal is None or infer.via is None or infer.manner.text not in MAKERS:
        return inference_text(infer.model_copy(update={"over": ()}))
    options: dict[str, Any] = {infer.goal.kind.text: expression_text(infer.goal.objective)}
    if infer.within or infer.manner.text == "adversarial":
        options["within"] = _calls(infer.within)
    if infer.on is not None:
        options["on"] = call_text(infer.on)
    return MAKERS[infer.manner.text](via=call_text(infer.via), **options)


def _calls(calls: Sequence[Call]) -> list[str]:
    return [call_text(call) for call in calls]


def _text(node: Expression | None) -> str | None:
    return None if node is None else expression_text(node)


def _word(word: Word | None) -> str | None:
    return None if word is None else word.text


def _spaced(*words: object) -> str | None:
    return " ".join(str(word) for word in words if word is not None) or None
