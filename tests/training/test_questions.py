"""The words of an evaluation: what they ask, at which values, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from taxo.language.errors import TaxoError
from taxo.training.answers import ANSWERS
from taxo.training.columns import COLUMNS, columns
from taxo.training.questions import KINDS, fitting, questions, refuse_unfit
from taxo.training.settings import change, sensible


def refused(text: str) -> tuple[str, str]:
    with pytest.raises(TaxoError) as caught:
        questions(text, "--evaluate")
    (found,) = caught.value.diagnostics
    assert found.code == "T503"
    return found.message, found.help or ""


def test_every_kind_of_question_has_an_answer_and_a_column():
    assert list(ANSWERS) == list(KINDS)
    assert {column.question for column in COLUMNS} == set(KINDS)
    assert len({column.name for column in COLUMNS}) == len(COLUMNS)


def test_the_documentation_lists_every_question_with_its_values():
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    settings = change(sensible(), {"noise": "pair:10%"})
    listed = [str(question).replace(" / ", "/") for question in fitting(settings)]
    part = page[page.index("## Asking a trained run") :]
    assert re.findall(r"^\| `([a-z]+(?:\(.*?\))?)` \| ", part, re.MULTILINE) == listed


def test_values_are_written_as_in_a_specification():
    attack, tail = questions("attack(eps: 2 * 4/255, steps: 7), tail(share: 20%)", "--evaluate")
    assert (attack["eps"], attack["steps"], attack["restarts"]) == (8 / 255, 7, 1)
    assert attack["step"] == attack["eps"] / 4
    assert tail["share"] == 0.2


def test_the_step_follows_the_radius_unless_it_is_said():
    (attack,) = questions("attack(step: 0.5, eps: 0.1)", "--evaluate")
    assert (attack["eps"], attack["step"]) == (0.1, 0.5)


@pytest.mark.parametrize(
    "text", ["attack(eps: 0.1)", "tail, attack, corruptions", "corruptions(kinds: all)", "top(k: 3), classes"]
)
def test_what_is_said_of_a_question_asks_it_again(text: str):
    asked = questions(text, "--evaluate")
    assert questions(", ".join(map(str, asked)), "--evaluate") == asked


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("atack", "`--evaluate` cannot be `atack`", "did you mean `attack`?"),
        ("tail, tail", "`--evaluate` asks for `tail` twice", "ask once"),
        ("attack(esp: 1)", "`eps`, `steps`, `step`, `restarts`", "did you mean `eps`?"),
        ("attack(1)", "takes `eps`", "write `name: value`"),
        ("attack(eps: 1, eps: 2)", "each once", ""),
        ("tail(share: 0)", "`tail(share: 0)`", "at most 1"),
        ("attack(eps: x)", "`attack(eps: x)`", "a number of at least 0"),
        ("attack(eps: inf)", "`attack(eps: inf)`", "a number"),
        ("attack(eps: 0/0)", "`attack(eps: 0 / 0)`", "a number"),
        ("attack(steps: 1.5)", "`attack(steps: 1.5)`", "a whole number"),
        ("classes(severity: 1)", "takes no values", ""),
        ("corruptions(severity: 1)", "takes `kinds`", ""),
        ("corruptions(kinds: some)", "`corruptions(kinds: some)`", "expected `native` or `all`"),
        ("corruptions(kinds: 1)", "`corruptions(kinds: 1)`", "expected `native` or `all`"),
        ("attack(", "`--evaluate` cannot be `attack(`", "a word such as `tail`"),
        ("tail+attack", "`--evaluate` cannot be `tail+attack`", "a word such as `tail`"),
        ("", "`--evaluate` cannot be ``", "a word such as `tail`"),
    ],
)
def test_what_is_no_question_is_refused(text: str, message: str, help: str):
    found = refused(text)
    assert message in found[0]
    assert help in found[1]


def test_questions_are_asked_of_what_can_answer():
    noisy = change(sensible("digits"), {"noise": "pair:10%"})
    assert [question.name for question in fitting(noisy)] == list(KINDS)
    assert [question.name for question in fitting(sensible("digits"))] == [
        name for name in KINDS if name != "memorisation"
    ]
    assert "corruptions" not in [question.name for question in fitting(sensible("wine"))]
    with pytest.raises(TaxoError, match="`wine` has none"):
        refuse_unfit(questions("corruptions", "--evaluate"), sensible("wine"))
    for settings in (sensible("diabetes"), change(sensible("iris"), {"model": "centres"})):
        with pytest.raises(TaxoError, match="answers no question about classes"):
            refuse_unfit(questions("tail", "--evaluate"), settings)
        refuse_unfit((), settings)


def test_columns_come_in_the_order_of_the_questions():
    asked = questions("tail, attack", "--evaluate")
    assert [column.name for column in columns(asked)] == ["tail", "rest", "FGSM", "PGD"]
