"""Invented methods survive every way of writing, and random texts only ever raise taxo's own error."""

import json
import re
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taxo.catalog import examine, shipped, source_of
from taxo.cli.word_examples import examples, whole
from taxo.language import vocabulary
from taxo.language.check import check, errors
from taxo.language.layout import formatted
from taxo.language.lexer import grammar
from taxo.language.method import Method
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
from tests.cases import cases
from tests.language.answers import answers, answers_json
from tests.language.invention import method, methods
from tests.language.trips import survives

SPECS = [source_of(stem).text for stem in shipped()]
FRAGMENTS = [whole(text) for text in examples().values()]
PARTS = re.compile(r'"[^"]*"|\w+|\S')
TYPED = {"NAME": "lam", "NUMBER": "0.5", "STRING": '"a"', "COMMENT": "# c\n", "WS": "\n", "COMPARE": ">="}
SOUP = [
    *(TYPED.get(one.name, str(one.pattern.value)) for one in grammar().terminals),
    *(word for table in vocabulary.TABLES.values() for word in table),
    *("v", "sample", "1", "8/255", "15%", '"', "log", "steps", ":"),
]
randoms = st.randoms(use_true_random=False)


# Invented methods ---------------------------------------------------------------------------------------


@cases(0.3)
@given(methods())
def test_an_invented_method_survives_text_json_and_builder(invented: Method):
    survives(invented)


def test_most_of_what_is_invented_is_valid():
    drafts = [method(Random(seed)) for seed in range(200)]
    assert sum(not errors(check(draft)) for draft in drafts) >= 0.85 * len(drafts)


def test_nearly_every_word_is_invented_somewhere():
    seen = {word for seed in range(800) for word in PARTS.findall(str(method(Random(seed))))}
    words = {word for table in vocabulary.TABLES.values() for word in table}
    assert len(words & seen) >= 0.97 * len(words), words - seen


# Texts --------------------------------------------------------------------------------------------------


@cases(0.1)
@given(st.text())
def test_any_text_answers(text: str):
    answers(text)


@cases(0.05)
@given(st.binary())
def test_any_bytes_answer(data: bytes):
    answers("method m " + data.decode("latin-1"))
    answers("method m " + data.decode("utf-8", errors="surrogateescape"))


@cases(0.15)
@given(st.lists(st.sampled_from(SOUP), max_size=40))
def test_any_words_answer(words: list[str]):
    answers("method m " + " ".join(words))


@cases(0.1)
@given(st.sampled_from(SPECS + FRAGMENTS), st.integers(0, 3000), st.integers(0, 30), st.text(max_size=4))
def test_a_damaged_spec_answers(spec: str, place: int, length: int, put: str):
    place %= len(spec)
    answers(spec[:place] + put + spec[place + length :])


@cases(0.2)
@given(st.sampled_from(SPECS + FRAGMENTS), randoms)
def test_a_shuffled_spec_answers(spec: str, random: Random):
    answers(" ".join(shuffled(PARTS.findall(spec), random)))


@cases(0.1)
@given(randoms)
def test_a_shuffled_invention_answers(random: Random):
    answers(" ".join(shuffled(PARTS.findall(str(method(random))), random)))


def shuffled(words: list[str], random: Random) -> list[str]:
    """Some words dropped, doubled, moved, replaced or misspelt."""
    for _ in range(random.randrange(1, 6)):
        i, j = random.randrange(len(words)), random.randrange(len(words))
        match random.randrange(5):
            case 0:
                words[i : i + 1] = []
            case 1:
                words.insert(j, words[i])
            case 2:
                words[i], words[j] = words[j], words[i]
            case 3:
                words[i] = random.choice(SOUP)
            case _:
                words[i] = words[i][: len(words[i]) // 2] + random.choice("aZ_0.é\0") + words[i][1:]
        words = words or ["method"]
    return words


@pytest.mark.parametrize("text", SPECS, ids=shipped())
def test_every_start_of_a_spec_answers(text: str):
    for end in range(0, len(text), 7):
        answers(text[:end])


# JSON ---------------------------------------------------------------------------------------------------


@cases(0.1)
@given(randoms)
def test_a_shuffled_json_answers(random: Random):
    document = json.loads(method(random).to_json())
    for _ in range(random.randrange(1, 4)):
        spoil(document, random)
    answers_json(json.dumps(document))


def spoil(node: Any, random: Random) -> None:
    """Drop, double or replace something in a document."""
    keys = list(range(len(node)) if isinstance(node, list) else node if isinstance(node, dict) else [])
    if not keys:
        return
    key = random.choice(keys)
    if isinstance(node[key], dict | list) and random.randrange(4):
        spoil(node[key], random)
    elif random.randrange(3):
        node[key] = random.choice(["", "u", "mixed", None, 3, -1.5, [], {}, ["sample"], random.choice(SOUP)])
    elif isinstance(node, list):
        node.append(node[key])
    else:
        del node[key]


# Expressions --------------------------------------------------------------------------------------------


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


@cases(0.3)
@given(st.recursive(leaves, above, max_leaves=12))
def test_an_expression_reads_back_as_itself(node: Expression):
    text = expression_text(node)
    assert parse_expression(text) == node
    assert expression_text(parse_expression(text)) == text


# Comments -----------------------------------------------------------------------------------------------


@cases(0.1)
@given(st.sampled_from(SPECS + FRAGMENTS), st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=6))
def test_comments_survive_wherever_they_stand(spec: str, comments: list[tuple[int, bool]]):
    lines = spec.splitlines()
    for number, (place, beside) in enumerate(comments):
        spot = place % len(lines)
        if beside and '"' not in lines[spot] and "#" not in lines[spot]:
            lines[spot] += f"  # remark {number}"
        else:
            lines.insert(spot, f"# remark {number}")
    text = "\n".join(lines) + "\n"
    found, _ = examine(Source("m.taxo", text))
    once = formatted(found, text)
    assert all(once.count(f"# remark {number}") == 1 for number in range(len(comments)))
    again, _ = examine(Source("m.taxo", once))
    assert again == found
    assert formatted(again, once) == once
