"""Every word of every table: it has an example that is a method, and an entry in the reference."""

import re

import pytest

from taxo.catalog import examine, parse
from taxo.cli.reference_chapters import CHAPTERS
from taxo.cli.reference_pages import entry_on, reference_pages
from taxo.cli.word_examples import examples, whole
from taxo.language import vocabulary
from taxo.language.lexer import keywords
from taxo.language.parser import parse_expression
from taxo.language.source import Source
from taxo.language.syntax import Call
from taxo.language.vocabulary import TABLES, Option, Word
from tests.language.fragments import not_canonical
from tests.language.trips import survives

ROWS = [(table, word) for table, rows in TABLES.items() for word in rows]
each_row = pytest.mark.parametrize(("table", "word"), ROWS)


def test_every_word_has_an_example_and_nothing_else_has():
    assert list(examples()) == ROWS


@each_row
def test_a_word_stands_in_its_example(table: str, word: str):
    assert word in re.findall(r"\w+", examples()[table, word])


@each_row
def test_an_example_is_a_method_with_nothing_wrong_in_it(table: str, word: str):
    findings = examine(Source("example.taxo", whole(examples()[table, word])))[1]
    assert [str(one) for one in findings if one.severity != "note"] == []


@each_row
def test_an_example_is_as_the_formatter_writes_it(table: str, word: str):
    assert not_canonical(examples()[table, word]) == []


@each_row
def test_an_example_survives_text_json_and_builder(table: str, word: str):
    survives(parse(whole(examples()[table, word])))


def test_every_table_is_in_the_reference_once():
    assert sorted(one.table for chapter in CHAPTERS for one in chapter.sections) == sorted(TABLES)


@each_row
def test_a_word_is_in_the_reference(table: str, word: str):
    ((chapter, section),) = [
        (chapter, one) for chapter in CHAPTERS for one in chapter.sections if one.table == table
    ]
    pages = reference_pages()
    text = entry_on(pages[f"docs/language/{chapter.name}.md"], section, word)
    assert examples()[table, word] in text
    assert f"{chapter.name}.md#{word.lower()}" in pages["docs/language/README.md"]


def test_clauses_are_the_words_of_the_grammar():
    assert set(vocabulary.CLAUSES) == set(keywords())


def test_every_table_is_listed():
    named = {
        name: table
        for name, table in vars(vocabulary).items()
        if name.isupper() and isinstance(table, dict) and name not in ("TABLES", "BY_AXES", "FAMILIES")
    }
    others = {
        "CONSTANTS",
        "PASSES",
        "GRAINS",
    }  # the numbers, owners and ranks of words that other tables hold
    assert {name for name, table in named.items() if table not in TABLES.values()} == others
    assert {"CONSTANTS": set(vocabulary.CONSTANTS), "PASSES": set(vocabulary.PASSES)} == {
        name: set(named[name]) & set(vocabulary.VALUES) for name in ("CONSTANTS", "PASSES")
    }


def options() -> list[tuple[str, str, Option]]:
    """Every option with the word that has it."""
    found: list[tuple[str, str, Option]] = []
    for rows in TABLES.values():
        for word, row in rows.items():
            found += [(word, name, one) for name, one in row.options.items()] if isinstance(row, Word) else []
    return found


@pytest.mark.parametrize(("word", "name", "option"), options(), ids=lambda value: str(value)[:20])
def test_an_option_is_sound(word: str, name: str, option: Option):
    if option.words:
        assert option.default is None or option.default in option.words
    if option.family:
        assert option.default is None or option.default in vocabulary.FAMILIES[option.family]
    if isinstance(option.default, float):
        assert option.least <= option.default <= option.most
        assert not option.whole or option.default == int(option.default)


@pytest.mark.parametrize(("word", "name"), [(word, name) for word, name, _ in options()])
def test_an_option_can_be_said(word: str, name: str):
    assert isinstance(parse_expression(f"{word}({name}: 1)"), Call)


def test_meanings_are_of_one_style():
    meanings = {
        (table, word): row if isinstance(row, str) else str(getattr(row, "meaning", ""))
        for table, rows in TABLES.items()
        for word, row in rows.items()
    } | {(word, name): option.meaning for word, name, option in options()}
    wrong = {
        key
        for key, meaning in meanings.items()
        if not meaning or meaning.strip() != meaning or meaning.endswith(".") != meaning.endswith("...")
    }
    assert wrong == set()
