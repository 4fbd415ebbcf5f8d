"""Diagnostics, formatting and the outline of a text, finished or not."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from taxo.catalog import shipped, source_of
from taxo.editor.completion import complete
from taxo.editor.definition import define
from taxo.editor.diagnostics import problems
from taxo.editor.document import Document
from taxo.editor.formatting import canonical
from taxo.editor.hover import hover
from taxo.editor.outline import outline

PIECES = [
    *'{}()[],:.+-~=%"#\n ',
    *(
        " method a",
        " param a = 1",
        " perturb loss by ",
        " branch b weight 1 {",
        " infer adversarial ",
        " via pgd(",
    ),
    *(
        " within ",
        " in ",
        " if ",
        " clean.",
        "direction",
        "use",
        "é",
        "\ud800",
        "\0",
        "\u2028",
        "\r\n",
        " 15%",
    ),
]


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_method_has_no_errors_and_is_canonical(name: str):
    document = Document(source_of(name).text, Path(f"{name}.taxo"))
    assert {problem.severity for problem in problems(document)} <= {"note"}
    assert canonical(document) == document.text


def test_a_problem_lies_in_the_text_and_has_its_hint():
    (found,) = problems(Document("method mine perturb loss by"))
    assert (found.start, found.end) == (27, 27)
    assert found.message == "the text ends too early\nexpected an expression"
    assert found.instead is None


def test_one_word_that_was_meant_is_offered():
    found = problems(Document("method mine parm a = 1"))[0]
    assert (found.code, found.instead) == ("T101", "param")


def test_a_text_with_mistakes_is_left_alone():
    assert canonical(Document("method mine perturb")) is None
    assert canonical(Document("method mine\nparm a = 1")) is None


def test_a_text_that_can_be_read_is_formatted_whatever_it_means():
    assert canonical(Document("method mine  let a=nothing")) == "method mine\n\nlet a = nothing\n"


def test_the_outline_holds_a_branch_with_its_perturbations():
    text = (
        "method a branch b weight 1 { perturb loss by 1 {} perturb logits by u {} } branch weight 1 {} let c"
    )
    found = outline(Document(text))
    assert [(part.name, part.keyword) for part in found] == [
        ("a", "method"),
        ("b", "branch"),
        ("branch", "branch"),
        ("c", "let"),
    ]
    assert [part.name for part in found[1].inner] == ["perturb loss", "perturb logits"]
    assert text[found[1].start : found[1].end].endswith("{} }")
    assert outline(Document("")) == []


def test_a_document_knows_its_file():
    document = Document.at("file:///some%20where/mine.taxo", "")
    assert document.path == Path("/some where/mine.taxo")
    assert document.stem == "mine"
    assert Document.at("untitled:Untitled-1", "").path is None
    assert Document.at("file:///some/mine.txt", "").stem is None


@given(some.lists(some.sampled_from(PIECES), max_size=25).map("".join), some.integers(0, 200))
def test_no_text_is_too_odd(text: str, offset: int):
    document, place = Document(text), min(offset, len(text))
    assert all(0 <= one.start <= one.end <= len(text) for one in problems(document))
    found = complete(document, place)
    assert found.start <= place == found.end
    hover(document, place)
    define(document, place)
    outline(document)
    canonical(document)


@pytest.mark.parametrize(
    "piece", ["(", "{", "[", '"', "é", "let ", "branch b weight 1 {", "perturb loss by (", "in "]
)
def test_no_text_is_too_long(piece: str):
    document = Document(piece * (16_000 // len(piece)))
    problems(document)
    for place in (0, 8_000, len(document.text)):
        complete(document, place)
        hover(document, place)
    outline(document)
