"""What the fields of a method hold: expressions, calls, words and texts, each from its node or its text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from taxo.language import vocabulary
from taxo.language.errors import fail
from taxo.language.printer import STRENGTH, call_text, expression_text
from taxo.language.spelling import shortened
from taxo.language.syntax import (
    EXPRESSIONS,
    Binary,
    Call,
    Expression,
    Name,
    Number,
    String,
    Unary,
    Word,
    is_deeper,
    number,
    walk,
)

Value = float | str | Expression  # what stands for an expression in Python
NAME = re.compile(r"[a-zA-Z](_?[a-zA-Z0-9])*")
UNFIT = re.compile(r'["\\\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]')


def as_expression(value: object) -> Expression:
    """An expression from a node, from its text, or from a number."""
    from taxo.language.lexer import DEEPEST_TREE
    from taxo.language.parser import parse_expression

    if isinstance(value, EXPRESSIONS):
        if is_deeper(value, DEEPEST_TREE):
            fail("T104", f"nested deeper than {DEEPEST_TREE}", None, "name parts with `let`")
        for node in walk(value):
            _check_spelling(node)
        return value
    if isinstance(value, str):
        return parse_expression(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value != value:
        fail("T101", f"`{shortened(value)}` is no expression", None, "give a number or a text")
    try:
        return number(float(value))
    except OverflowError:
        fail("T206", "a number this large cannot be held", None, "for infinity write `inf`")


def _check_spelling(node: Expression) -> None:
    """A node made by hand has a spelling; those of a text have one already."""
    match node:
        case Number():
            sound = 0 <= node.written < float("inf")
        case Name():
            sound = bool(NAME.fullmatch(node.text))
        case String():
            sound = not UNFIT.search(node.text)
        case Unary():
            sound = node.operator in ("-", "not")
        case Binary():
            sound = node.operator in STRENGTH
        case _:
            sound = True
    if not sound:
        hint = "make expressions of texts, such as `-lam * u`"
        fail("T101", f"`{shortened(repr(node))}` has no spelling", None, hint)


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
    from taxo.language.lexer import LONGEST_TEXT, reserved

    word = value if isinstance(value, Word) else Word(str(value))
    if word.text in reserved():
        fail("T101", f"`{word}` is a word of the language, not a name", word.span, "choose another name")
    if len(word.text) > LONGEST_TEXT or not NAME.fullmatch(word.text):
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
GrainField = Annotated[WordField, _word_of(list(vocabulary.GRAINS))]
DirectionField = Annotated[WordField, _word_of(list(vocabulary.DIRECTIONS))]
MannerField = Annotated[WordField, _word_of(list(vocabulary.MANNERS))]
PeriodField = Annotated[WordField, _word_of(list(vocabulary.PERIODS))]
OrderField = Annotated[WordField, _word_of(list(vocabulary.ORDERS))]
RoundField = Annotated[WordField, _word_of(list(vocabulary.ROUNDS))]
AmendField = Annotated[WordField, _word_of(list(vocabulary.AMENDS))]
PhaseField = Annotated[WordField, _word_of(list(vocabulary.PHASES))]
HeldField = Annotated[WordField, _word_of(list(vocabulary.HELD))]
GoalField = Annotated[WordField, _word_of(list(vocabulary.GOALS))]
ScopeField = Annotated[WordField, _word_of(list(vocabulary.SCOPES))]
