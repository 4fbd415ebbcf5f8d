"""Methods as canonical text: one order, one indentation, aligned columns, comments kept."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from taxo.language.method import (
    Branch,
    Choices,
    Clause,
    Draw,
    Inference,
    Interval,
    Let,
    Method,
    Param,
    Perturbation,
    State,
    Use,
)
from taxo.language.printer import call_text, expression_text
from taxo.language.source import Span

WIDTH = 96  # of the text behind `infer`
_TOKENS = re.compile(r'"[^"\n]*"|(?P<comment>#[^\n]*)')


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text and the place in the source that it was written at."""

    text: str
    span: Span | None = None


def method_text(method: Method) -> str:
    """The canonical text of a method, without comments."""
    return "".join(f"{line.text}\n" for line in method_lines(method))


def formatted(method: Method, text: str) -> str:
    """The canonical text of the method that `text` was parsed to, with its comments."""
    lines = method_lines(method)
    for found in _TOKENS.finditer(text):
        if found["comment"]:
            lines = _with_comment(lines, text, found.start(), found["comment"].rstrip())
    return "".join(f"{line.text}\n" for line in lines)


def _with_comment(lines: list[Line], text: str, start: int, comment: str) -> list[Line]:
    """The lines with one comment beside or above the line it belongs to."""
    line_start = text.rfind("\n", 0, start) + 1
    if text[line_start:start].strip():
        return _beside(lines, start, comment)
    below = [i for i, line in enumerate(lines) if line.span and line.span.start >= start]
    if not below:
        return [*lines, Line(comment)]
    spot = min(below, key=lambda i: _start(lines[i]))
    around = [i for i, line in enumerate(lines) if line.text.endswith("{ }") and _holds(line, start)]
    spot = around[-1] if around else spot  # a block without lines of its own
    indent = re.match(" *", lines[spot].text)
    inside = "  " * (lines[spot].text.strip() == "}")
    above = Line((indent.group() if indent else "") + inside + comment)
    return [*lines[:spot], above, *lines[spot:]]


def _holds(line: Line, start: int) -> bool:
    return line.span is not None and line.span.start <= start < line.span.end


def _beside(lines: list[Line], start: int, comment: str) -> list[Line]:
    before = [i for i, line in enumerate(lines) if line.span and line.span.start < start]
    spot = max(before, key=lambda i: _start(lines[i]), default=0)
    joined = replace(lines[spot], text=f"{lines[spot].text}  {comment}")
    return [*lines[:spot], joined, *lines[spot + 1 :]]


def _start(line: Line) -> int:
    return line.span.start if line.span else -1


def method_lines(method: Method) -> list[Line]:
    """The canonical lines of a method."""
    groups = [
        list(_head(method)),
        list(_params(method.params)),
        [
            *map(_draw, method.draws),
            *map(_state, method.states),
            *map(_let, method.lets),
        ],
        *_clauses(method.clauses),
        [line for infer in method.infers for line in _infer(infer)],
    ]
    lines: list[Line] = []
    for group in filter(None, groups):
        lines += [Line("")] * bool(lines) + group
    return lines


def _head(method: Method) -> Iterator[Line]:
    yield Line(f"method {method.name}", method.span)
    texts = [method.title, method.summary] if method.title else list(filter(None, [method.summary]))
    for text in texts:
        yield Line(f'  "{text}"')
    for cite in method.cite:
        yield Line(f'cite "{cite}"')
    if method.null:
        settings = ", ".join(f"{setting.name} = {expression_text(setting.value)}" for setting in method.null)
        yield Line(f"null {settings}", method.null[0].span)
    if method.needs:
        yield Line(f"needs {', '.join(map(call_text, method.needs))}", method.needs[0].span)
    if method.loss:
        yield Line(f"loss {expression_text(method.loss)}", method.loss.span)
    if method.split:
        yield Line(f"split {expression_text(method.split)}", method.split.span)


def _params(params: Sequence[Param]) -> Iterator[Line]:
    starts = [f"param {param.name}{_per(param)} = {_default(param)}" for param in params]
    width = max((len(start) for start, param in zip(starts, params, strict=True) if param.domain), default=0)
    for start, param in zip(starts, params, strict=True):
        text = f"{start:<{width}} in {_domain(param.domain)}" if param.domain else start
        yield Line(text, param.span)


def _default(param: Param) -> str:
    like = f" like {expression_text(param.like)}" if param.like else ""
    return f"{expression_text(param.default)}{like}"


def _per(param: Param) -> str:
    return f" per {param.per}" if param.per else ""


def _domain(domain: Choices | Interval) -> str:
    if isinstance(domain, Choices):
        return "{" + ", ".join(map(expression_text, domain.choices)) + "}"
    ends = f"[{expression_text(domain.low)}, {expression_text(domain.high)}]"
    return f"{ends} log" if domain.log else ends


def _draw(draw: Draw) -> Line:
    like = f" like {expression_text(draw.like)}" if draw.like else ""
    return Line(f"draw {draw.name} ~ {call_text(draw.distribution)} per {draw.per}{like}", draw.span)


def _let(let: Let) -> Line:
    return Line(f"let {let.name} = {expression_text(let.value)}", let.span)


def _state(state: State) -> Line:
    parts = [f"state {state.name} per {state.per} = {expression_text(state.value)}"]
    parts += [f"every {state.every}"] if state.every else []
    parts += [str(state.order)] if state.order else []
    parts += [f"from {expression_text(state.start)}"] if state.start else []
    return Line(" ".join(parts), state.span)


def _clauses(clauses: Sequence[Clause]) -> Iterator[list[Line]]:
    """The lines of each clause; methods used one after the other stand together."""
    used: list[Line] = []
    for clause in clauses:
        if isinstance(clause, Use):
            used.append(Line(f"use {call_text(clause.method)}", clause.span))
            continue
        yield used
        used = []
        yield list(_branch(clause) if isinstance(clause, Branch) else _perturbation(clause))
    yield used


def _branch(branch: Branch) -> Iterator[Line]:
    parts = ["branch", *([str(branch.name)] if branch.name else [])]
    parts += [f"on {call_text(branch.on)}"] if branch.on else []
    parts += [f"weight {expression_text(branch.weight)}"]
    parts += [f"norm {branch.norm}"] if branch.norm else []
    if not branch.perturbations:
        yield Line(" ".join([*parts, "{ }"]), branch.span)
        return
    yield Line(" ".join([*parts, "{"]), branch.span)
    for number, perturbation in enumerate(branch.perturbations):
        if number:
            yield Line("")
        yield from (replace(line, text=f"  {line.text}") for line in _perturbation(perturbation))
    yield _closing(branch.span)


def _perturbation(item: Perturbation) -> Iterator[Line]:
    site = f" at {expression_text(item.at)}" if item.at else ""
    yield Line(f"perturb {item.target}{site} by {expression_text(item.by)} {{", item.span)
    if item.where:
        yield _entry("where", expression_text(item.where), item.where.span)
    if item.every:
        yield _entry("every", _spaced(item.every, item.amend), item.every.span)
    if item.during:
        yield _entry("during", item.during.text, item.during.span)
    against = f" on {item.against}" if item.against else ""
    yield _entry("direction", f"{item.direction}{against}", item.direction.span)
    if item.infer.manner.text:
        first, *rest = _broken(item.infer)
        yield _entry("infer", first, item.infer.span)
        yield from (Line(f"{'':<14}{part}") for part in rest)
    if item.norm:
        yield _entry("norm", item.norm.text, item.norm.span)
    yield _entry("granularity", " + ".join(map(str, item.granularity)), item.granularity[0].span)
    yield _closing(item.span)


def _spaced(*words: object) -> str:
    return " ".join(str(word) for word in words if word is not None)


def _closing(block: Span | None) -> Line:
    """The brace that ends a block."""
    return Line("}", Span(block.source, block.end - 1, block.end) if block else None)


def _entry(key: str, text: str, span: Span | None) -> Line:
    return Line(f"  {key:<11} {text}", span)


def _infer(infer: Inference) -> Iterator[Line]:
    first, *rest = _broken(infer)
    yield Line(f"infer {first}", infer.span)
    yield from (Line(f"      {part}") for part in rest)


def _broken(infer: Inference) -> list[str]:
    """The text of an `infer` clause on as many lines as it needs, broken before its longest parts."""
    lines: list[str] = []
    for part in _parts(infer):
        if lines and len(lines[-1]) + 1 + len(part) <= WIDTH:
            lines[-1] += f" {part}"
        else:
            lines.append(part)
    return lines


def inference_text(infer: Inference) -> str:
    """The text of an `infer` clause after its first word."""
    return " ".join(_parts(infer))


def _parts(infer: Inference) -> list[str]:
    """The manner of an inference, and what follows it word by word of the grammar."""
    parts = [infer.manner.text]
    if infer.over:
        parts.append("over " + ", ".join(map(str, infer.over)))
    if infer.goal:
        parts.append(f"{infer.goal.kind} {expression_text(infer.goal.objective)}")
    if infer.within:
        parts.append("within " + ", ".join(map(call_text, infer.within)))
    if infer.on:
        parts.append(f"on {call_text(infer.on)}")
    if infer.via:
        parts.append(f"via {call_text(infer.via)}")
    return parts


__all__ = ["Line", "formatted", "inference_text", "method_lines", "method_text"]
