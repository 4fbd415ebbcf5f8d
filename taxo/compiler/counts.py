"""The numbers of a program that are made of counts: whether they are in bounds is known when a model is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from taxo.compiler.graph import Graph
from taxo.language.calling import given
from taxo.language.constants import constant
from taxo.language.options import COUNTS, range_of
from taxo.language.printer import expression_text
from taxo.language.scope import Scope
from taxo.language.source import Span
from taxo.language.spelling import shortened
from taxo.language.syntax import Call, Expression, Index, names
from taxo.language.vocabulary import DISTRIBUTIONS, NEEDS, REGIONS, SOLVERS, STATE_FORMS, Option, Word

TABLES: tuple[Mapping[str, Word], ...] = (SOLVERS, REGIONS, DISTRIBUTIONS, STATE_FORMS, NEEDS)


@dataclass(frozen=True, slots=True)
class Counted:
    """A number as it is written: of a class, or of an option, which is called by its name."""

    shown: str
    number: Expression
    values: Mapping[str, float]
    span: Span | None
    name: str = ""
    option: Option | None = None

    def value(self, classes: int, samples: int | None) -> float | None:
        """The number; None where it is known in the run only."""
        counts = {"C": float(classes)} | ({} if samples is None else {"N": float(samples)})
        return constant(self.number, {**self.values, **counts})

    def wrong(self, classes: int, outputs: int, samples: int | None) -> tuple[str, str] | None:
        """What is wrong with it where there are so many classes, outputs and samples, and what to do."""
        value = self.value(classes, samples)
        if value is None:
            return None
        if self.option is None:
            if 0 <= value < outputs:
                return None
            return f"`{self.shown}` is of class {value:g}, and there are {outputs}", (
                f"classes are counted from 0 to {outputs - 1}"
            )
        if self.option.least <= value <= self.option.most and not (self.option.whole and value % 1):
            return None
        return f"`{self.name}` is {value:g}, not {range_of(self.option)}", (
            f"`{self.name}` is {self.option.meaning}"
        )


def counted(graph: Graph) -> Iterator[Counted]:
    """Every number of a class, and every option that is made of counts."""
    scope = graph.scope
    for part in (part for node in graph.read() for part in scope.parts(node)):
        match part:
            case Index():
                found = _of(part, part.index, scope)
            case Call() if part.name.text == "onehot":
                found = _of(part, part.arguments[0].value, scope)
            case _:
                continue
        if found.value(1, 1) is not None:
            yield found
    for call in _calls(graph):
        yield from _of_options(call, scope)


def _of(part: Expression, number: Expression, scope: Scope) -> Counted:
    shown = shortened(expression_text(part))
    return Counted(shown, scope.written_out(number), scope.constants(), part.span)


def _calls(graph: Graph) -> Iterator[Call]:
    """The solvers, sets, distributions, forms of states, and needs of a program."""
    method, scope = graph.method, graph.scope
    infers = [*(act.item.infer for act in graph.acts()), *method.infers]
    for infer in infers:
        yield from infer.within
        yield from [] if infer.via is None else [infer.via]
    yield from (draw.distribution for draw in scope.draws.values() if graph.used(draw.name.text))
    yield from (state.value for state in scope.states.values() if isinstance(state.value, Call))
    yield from method.needs


def _of_options(call: Call, scope: Scope) -> Iterator[Counted]:
    """The options of a call that read a count."""
    word = next((table[call.name.text] for table in TABLES if call.name.text in table), None)
    rows: Mapping[str, Option] = {} if word is None else word.options
    skipped = 1 if call.name.text in STATE_FORMS else 0  # what is kept comes first
    rest = Call(call.name, call.arguments[skipped:], span=call.span)
    for name, value in given(rest, rows).items():
        option = rows.get(name)
        written = scope.written_out(value)
        counts = any(one.text in COUNTS for one in names(written))
        if option is not None and counts and not (option.words or option.family or option.condition):
            shown = shortened(expression_text(value))
            yield Counted(shown, written, scope.constants(), value.span, name, option)
