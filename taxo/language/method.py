"""The Method: the one frozen value where text, builder and JSON meet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from taxo.language.errors import Diagnostic, TaxoError, fail
from taxo.language.fields import (
    AmendField,
    BranchNameField,
    CallField,
    DirectionField,
    ExpressionField,
    GoalField,
    GrainField,
    HeldField,
    MannerField,
    OrderField,
    OwnNameField,
    PeriodField,
    PhaseField,
    RoundField,
    ScopeField,
    TargetField,
    TextField,
    WordField,
)
from taxo.language.findings import MOST_FINDINGS
from taxo.language.source import Span
from taxo.language.syntax import Expression, Word


class Item(BaseModel):
    """A part of a method; its place in the text takes no part in comparisons."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, defer_build=True)
    span: Annotated[Span | None, Field(exclude=True, repr=False)] = None

    @classmethod
    def made(cls, **fields: object) -> Self:
        """An item of parts that the parser has made: they are of the right kinds, and need no check."""
        return cls.model_construct(None, **fields)

    def _content(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in type(self).model_fields if name != "span")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Item) and type(self) is type(other) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._content()))


class Choices(Item):
    """`in {a, b, c}`: the values worth trying."""

    choices: Annotated[tuple[ExpressionField, ...], Field(min_length=1)]


class Interval(Item):
    """`in [low, high] log`: the bounds a value keeps."""

    low: ExpressionField
    high: ExpressionField
    log: bool = False


class Param(Item):
    """A number, word or network that a user may set, tune or learn."""

    name: OwnNameField
    per: GrainField | None = None
    default: ExpressionField
    like: ExpressionField | None = None
    domain: Choices | Interval | None = None


class Setting(Item):
    """`name = value` of a null point."""

    name: OwnNameField
    value: ExpressionField


class Draw(Item):
    """A random value, seeded and resumable."""

    name: OwnNameField
    distribution: CallField
    per: ScopeField
    like: ExpressionField | None = None


class Let(Item):
    """A name for an expression."""

    name: OwnNameField
    value: ExpressionField


class State(Item):
    """A value kept and updated in training."""

    name: OwnNameField
    per: GrainField
    value: ExpressionField
    every: PeriodField | None = None
    order: OrderField | None = None
    start: ExpressionField | None = None


class Goal(Item):
    """`minimize e` or `maximize e`."""

    kind: GoalField
    objective: ExpressionField


class Inference(Item):
    """How the unknown of a perturbation, or the parameters that it is `over`, are found."""

    manner: MannerField
    over: tuple[WordField, ...] = ()
    goal: Goal | None = None
    within: tuple[CallField, ...] = ()
    on: CallField | None = None
    via: CallField | None = None

    def written(self) -> list[Expression]:
        """Its goal, and the options of its sets and its solver."""
        calls = [*self.within, *([] if self.via is None else [self.via])]
        goal = [] if self.goal is None else [self.goal.objective]
        return [*goal, *(argument.value for call in calls for argument in call.arguments)]


UNSAID = Word("")
UNINFERRED = Inference.model_construct(manner=UNSAID)


class Perturbation(Item):
    """`v <- v + form` at one target, with its coordinates."""

    target: TargetField
    at: ExpressionField | None = None
    by: ExpressionField
    where: ExpressionField | None = None
    every: RoundField | None = None
    amend: AmendField | None = None
    during: PhaseField | None = None
    direction: DirectionField
    against: HeldField | None = None
    infer: Inference = UNINFERRED
    norm: WordField | None = None
    granularity: Annotated[tuple[GrainField, ...], Field(min_length=1)]

    def written(self) -> list[Expression]:
        """Its form, and its condition if it has one."""
        return [self.by, *([] if self.where is None else [self.where])]


class Branch(Item):
    """A weighted copy of the batch, or of another one, with perturbations of its own."""

    name: BranchNameField | None = None
    on: CallField | None = None
    weight: ExpressionField
    norm: WordField | None = None
    perturbations: tuple[Perturbation, ...] = ()


class Use(Item):
    """`use method(parameter: value)`: another method's perturbations, here."""

    method: CallField


Clause = Perturbation | Branch | Use


class Method(Item):
    """A checked method; equal methods are equal whatever way they were written.

    >>> import taxo
    >>> taxo.load("label_smoothing") == taxo.Method.from_json(taxo.load("label_smoothing").to_json())
    True
    """

    name: OwnNameField
    title: TextField = ""
    summary: TextField = ""
    cite: tuple[TextField, ...] = ()
    null: tuple[Setting, ...] = ()
    needs: tuple[CallField, ...] = ()
    loss: ExpressionField | None = None
    split: ExpressionField | None = None
    params: tuple[Param, ...] = ()
    draws: tuple[Draw, ...] = ()
    states: tuple[State, ...] = ()
    lets: tuple[Let, ...] = ()
    clauses: tuple[Clause, ...] = ()
    infers: tuple[Inference, ...] = ()

    def __str__(self) -> str:
        from taxo.language.layout import method_text

        return method_text(self)

    def perturbations(self) -> Iterator[Perturbation]:
        """Every perturbation in source order, those inside branches too."""
        for clause in self.clauses:
            if isinstance(clause, Branch):
                yield from clause.perturbations
            elif isinstance(clause, Perturbation):
                yield clause

    def uses(self) -> list[Use]:
        """The `use` clauses in source order."""
        return [clause for clause in self.clauses if isinstance(clause, Use)]

    def branches(self) -> list[Branch]:
        """The branches in source order."""
        return [clause for clause in self.clauses if isinstance(clause, Branch)]

    def to_json(self) -> str:
        """The method as JSON; expressions are their canonical text."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The checked method that `to_json` wrote.

        Raises `TaxoError` for anything that is not a valid method.
        """
        from taxo.language.check import verify
        from taxo.language.lexer import LONGEST_TEXT

        if len(text) > 4 * LONGEST_TEXT:
            fail("T104", f"the JSON is longer than {4 * LONGEST_TEXT:,} characters")
        try:
            method = cls.model_validate_json(text)
        except ValidationError as error:
            raise TaxoError(_diagnostics(error)) from None
        return verify(method)


def _diagnostics(error: ValidationError) -> Iterator[Diagnostic]:
    """pydantic's findings as taxo's."""
    for finding in error.errors()[:MOST_FINDINGS]:
        place = ".".join(map(str, finding["loc"])) or "the document"
        yield Diagnostic("T101", f"{place}: {finding['msg'][:1].lower()}{finding['msg'][1:]}")
