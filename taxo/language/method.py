"""The Method: the one frozen value where text, builder and JSON meet."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
)

from taxo.language import vocabulary
from taxo.language.errors import Diagnostic, TaxoError, fail
from taxo.language.printer import call_text, expression_text
from taxo.language.source import Span
from taxo.language.spelling import shortened
from taxo.language.syntax import EXPRESSIONS, Call, Expression, Name, Word, number

NAME = re.compile(r"[a-zA-Z](_?[a-zA-Z0-9])*")
UNFIT = re.compile(r'["\\\x00-\x1f\x7f\x85\u2028\u2029]')


def as_expression(value: object) -> Expression:
    """An expression from a node, from its text, or from a number."""
    from taxo.language.parser import parse_expression

    if isinstance(value, EXPRESSIONS):
        return value
    if isinstance(value, str):
        return parse_expression(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        fail("T101", f"`{shortened(value)}` is no expression", None, "give a number or a text")
    return number(float(value))


def as_call(value: object) -> Call:
    """A call from a node or its text; `box` is a call without arguments."""
    expression = as_expression(value)
    if isinstance(expression, Name):
        return Call(Word(expression.text, span=expression.span), span=expression.span)
    if not isinstance(expression, Call):
        shown = shortened(expression_text(expression))
        fail("T101", f"`{shown}` is no call", expression.span, "such as `linf(8/255)` or `box`")
    return expression


def as_word(value: object) -> Word:
    """A word from a node or its text; it must be spelt like a name, and not be reserved."""
    from taxo.language.lexer import keywords

    word = value if isinstance(value, Word) else Word(str(value))
    if word.text in keywords() and word.text not in vocabulary.GOALS:
        fail("T101", f"`{word}` is a word of the language, not a name", word.span, "choose another name")
    if word.text and not NAME.fullmatch(word.text):
        hint = "a name starts with a letter of a-z; letters, digits and single `_` follow"
        fail("T101", f"`{shortened(word)}` is no name", word.span, hint)
    return word


def as_text(value: object) -> str:
    """A text that fits between quotes."""
    if not isinstance(value, str) or UNFIT.search(value):
        hint = "a text has no quote, backslash or control character"
        fail("T101", f"`{shortened(value)}` cannot be written between quotes", None, hint)
    return value


TextField = Annotated[str, PlainValidator(as_text), WithJsonSchema({"type": "string"})]
_TEXT = WithJsonSchema({"type": "string"})
ExpressionField = Annotated[
    Expression, PlainValidator(as_expression), PlainSerializer(expression_text), _TEXT
]
CallField = Annotated[Call, PlainValidator(as_call), PlainSerializer(call_text), _TEXT]
WordField = Annotated[Word, PlainValidator(as_word), PlainSerializer(str), _TEXT]


def _word_of(words: Sequence[str]) -> WithJsonSchema:
    """The JSON schema of a word that the vocabulary owns."""
    return WithJsonSchema({"enum": list(words)})


TargetField = Annotated[WordField, _word_of(list(vocabulary.TARGETS))]
DirectionField = Annotated[WordField, _word_of(list(vocabulary.DIRECTIONS))]
MannerField = Annotated[WordField, _word_of(list(vocabulary.MANNERS))]
GrainField = Annotated[WordField, _word_of(list(vocabulary.GRAINS))]
GoalField = Annotated[WordField, _word_of(list(vocabulary.GOALS))]
ScopeField = Annotated[WordField, _word_of(list(vocabulary.SCOPES))]


class Item(BaseModel):
    """A part of a method; its place in the text takes no part in comparisons."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)
    span: Annotated[Span | None, Field(exclude=True, repr=False)] = None

    def _content(self) -> tuple[object, ...]:
        return tuple(getattr(self, name) for name in type(self).model_fields if name != "span")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Item) and type(self) is type(other) and self._content() == other._content()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self._content()))


class Choices(Item):
    """`in {a, b, c}`: the values worth trying."""

    choices: tuple[ExpressionField, ...]


class Interval(Item):
    """`in [low, high] log`: the bounds a value keeps."""

    low: ExpressionField
    high: ExpressionField
    log: bool = False


class Param(Item):
    """A number or word that a user may set."""

    name: WordField
    default: ExpressionField
    domain: Choices | Interval | None = None


class Setting(Item):
    """`name = value` of a null point."""

    name: WordField
    value: ExpressionField


class Draw(Item):
    """A random value, seeded and resumable."""

    name: WordField
    distribution: CallField
    per: ScopeField
    like: ExpressionField | None = None


class Let(Item):
    """A name for an expression."""

    name: WordField
    value: ExpressionField


class Goal(Item):
    """`minimize e` or `maximize e`."""

    kind: GoalField
    objective: ExpressionField


class Inference(Item):
    """How the unknown of a perturbation is found."""

    manner: MannerField
    goal: Goal | None = None
    within: tuple[CallField, ...] = ()
    via: CallField | None = None


class Perturbation(Item):
    """`v <- v + form` at one target, with its coordinates."""

    target: TargetField
    at: ExpressionField | None = None
    by: ExpressionField
    where: ExpressionField | None = None
    direction: DirectionField
    infer: Inference
    granularity: tuple[GrainField, ...]


class Branch(Item):
    """A weighted copy of the batch with perturbations of its own."""

    name: WordField | None = None
    weight: ExpressionField
    perturbations: tuple[Perturbation, ...] = ()


Clause = Perturbation | Branch


class Method(Item):
    """A checked method; equal methods are equal whatever way they were written.

    >>> import taxo
    >>> taxo.load("label_smoothing") == taxo.Method.from_json(taxo.load("label_smoothing").to_json())
    True
    """

    name: WordField
    title: TextField = ""
    summary: TextField = ""
    cite: tuple[TextField, ...] = ()
    null: tuple[Setting, ...] = ()
    split: ExpressionField | None = None
    params: tuple[Param, ...] = ()
    draws: tuple[Draw, ...] = ()
    lets: tuple[Let, ...] = ()
    clauses: tuple[Clause, ...] = ()

    def __str__(self) -> str:
        from taxo.language.layout import method_text

        return method_text(self)

    def perturbations(self) -> Iterator[Perturbation]:
        """Every perturbation in source order, those inside branches too."""
        for clause in self.clauses:
            if isinstance(clause, Branch):
                yield from clause.perturbations
            else:
                yield clause

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
    for finding in error.errors():
        place = ".".join(map(str, finding["loc"])) or "the document"
        yield Diagnostic("T101", f"{place}: {finding['msg'][:1].lower()}{finding['msg'][1:]}")
