"""Random texts only ever raise taxo's own error, and random expressions read back as what they were."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taxo.catalog import examine, parse, shipped, source_of
from taxo.language import vocabulary
from taxo.language.errors import TaxoError
from taxo.language.layout import formatted
from taxo.language.lexer import keywords
from taxo.language.parser import parse_expression
from taxo.language.printer import expression_text
from taxo.language.source import Source
from taxo.language.syntax import (
    Argument,
    Attribute,
    Binary,
    Call,
    Conditional,
    Expression,
    Index,
    Member,
    Name,
    Number,
    String,
    Unary,
    Word,
)

SPECS = [source_of(stem).text for stem in shipped()]
SYMBOLS = [
    "(",
    ")",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "=",
    "~",
    "+",
    "-",
    "*",
    "/",
    "^",
    "%",
    ".",
    ">=",
    "<",
    '"a"',
]
WORDS = [
    *keywords(),
    *vocabulary.TARGETS,
    *vocabulary.MANNERS,
    *vocabulary.SOLVERS,
    *vocabulary.REGIONS,
    *vocabulary.VALUES,
    *vocabulary.FUNCTIONS,
    *("sample", "v", "lam", "1", "0.5", "8/255", "15%", "\n", "#", "top"),
    *SYMBOLS,
]


def answers(text: str) -> None:
    """Either a method or taxo's own error comes of a text, and both can be printed."""
    try:
        method = parse(text)
    except TaxoError as error:
        str(error).encode()
    else:
        assert parse(str(method)) == method


@settings(max_examples=400)
@given(st.text())
def test_any_text_answers(text: str):
    answers(text)


@settings(max_examples=200)
@given(st.binary())
def test_any_bytes_answer(data: bytes):
    answers("method m " + data.decode("latin-1"))


@settings(max_examples=600)
@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_words_answer(words: list[str]):
    answers("method m " + " ".join(words))


@settings(max_examples=600)
@given(st.sampled_from(SPECS), st.integers(0, 3000), st.integers(0, 30), st.text(max_size=4))
def test_a_damaged_spec_answers(spec: str, place: int, length: int, put: str):
    place %= len(spec)
    answers(spec[:place] + put + spec[place + length :])


@settings(max_examples=400)
@given(st.sampled_from(SPECS), st.randoms(use_true_random=False))
def test_a_shuffled_spec_answers(spec: str, random):
    words = spec.split(" ")
    for _ in range(random.randrange(1, 6)):
        i, j = random.randrange(len(words)), random.randrange(len(words))
        words[i], words[j] = words[j], random.choice([words[i], random.choice(WORDS)])
    answers(" ".join(words))


names = st.sampled_from(["a", "lam", "u", "y", "class_prior", "x2", "inf", "log"])
words = st.builds(Word, names)
numbers = st.builds(
    Number,
    st.floats(0, allow_nan=False, allow_infinity=False) | st.integers(0, 300).map(float),
    st.booleans(),
)
leaves = st.one_of(
    numbers,
    st.builds(Name, names),
    st.builds(String, st.sampled_from(["layer4.*", "", "a b"])),
    st.builds(Attribute, st.builds(Name, names), words),
)


def above(below: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    """Expressions one level higher."""
    arguments = st.lists(st.builds(Argument, st.none() | words, below), max_size=3).map(tuple)
    calls = st.builds(Call, words, arguments)
    operators = st.sampled_from(["or", "and", "+", "-", "*", "/", "^", ">=", "<=", "==", "!=", ">", "<"])
    return st.one_of(
        st.builds(Binary, operators, below, below),
        st.builds(Unary, st.sampled_from(["-", "not"]), below),
        st.builds(Conditional, below, below, below),
        st.builds(Member, below, calls),
        st.builds(Index, below, below),
        calls,
    )


@settings(max_examples=1000)
@given(st.recursive(leaves, above, max_leaves=12))
def test_an_expression_reads_back_as_itself(node: Expression):
    text = expression_text(node)
    assert parse_expression(text) == node
    assert expression_text(parse_expression(text)) == text


@settings(max_examples=100)
@given(st.sampled_from(SPECS), st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=6))
def test_comments_survive_wherever_they_stand(spec: str, comments: list[tuple[int, bool]]):
    lines = spec.splitlines()
    for number, (place, beside) in enumerate(comments):
        spot = place % len(lines)
        if beside and '"' not in lines[spot] and "#" not in lines[spot]:
            lines[spot] += f"  # remark {number}"
        else:
            lines.insert(spot, f"# remark {number}")
    text = "\n".join(lines) + "\n"
    method, _ = examine(Source("m.taxo", text))
    once = formatted(method, text)
    assert all(once.count(f"# remark {number}") == 1 for number in range(len(comments)))
    again, _ = examine(Source("m.taxo", once))
    assert again == method
    assert formatted(again, once) == once


@pytest.mark.parametrize("text", SPECS, ids=shipped())
def test_every_start_of_a_spec_answers(text: str):
    for end in range(0, len(text), 7):
        answers(text[:end])
