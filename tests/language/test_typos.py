"""A typo in any word of any shipped method gives a caret under it and the right suggestion."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from string import ascii_lowercase

import pytest

from taxo.catalog import examine, load, shipped, source_of
from taxo.language import vocabulary
from taxo.language.check import errors
from taxo.language.errors import Diagnostic, TaxoError
from taxo.language.lexer import keywords
from taxo.language.method import Branch
from taxo.language.scope import Scope
from taxo.language.source import Source

TEXT = re.compile(r'"[^"\n]*"|#[^\n]*|\d[\w.]*|(?P<word>[A-Za-z](?:_?[A-Za-z0-9])*)')
NAME = re.compile(r"[A-Za-z](_?[A-Za-z0-9])*")
TABLES = (
    vocabulary.TARGETS,
    vocabulary.DIRECTIONS,
    vocabulary.MANNERS,
    vocabulary.GRAINS,
    vocabulary.GOALS,
    vocabulary.SCOPES,
    vocabulary.VALUES,
    vocabulary.FUNCTIONS,
    vocabulary.DISTRIBUTIONS,
    vocabulary.GROUPS,
    vocabulary.SOLVERS,
    vocabulary.REGIONS,
)


@dataclass(frozen=True)
class Word:
    """A word of a method's text, with its place."""

    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def words(text: str) -> list[Word]:
    """Every word outside strings and comments."""
    found = ((match["word"], match.start()) for match in TEXT.finditer(text))
    return [Word(word, start) for word, start in found if word]


def mutations(word: str, seed: random.Random) -> Iterator[str]:
    """A letter dropped, doubled, swapped with its neighbour, replaced."""
    place = seed.randrange(len(word))
    yield word[:place] + word[place] + word[place:]
    if len(word) == 1:
        return
    yield word[:place] + word[place + 1 :]
    yield word[:place] + seed.choice(ascii_lowercase) + word[place + 1 :]
    place = seed.randrange(len(word) - 1)
    yield word[:place] + word[place + 1] + word[place] + word[place + 2 :]


@cache
def language_words() -> set[str]:
    """Every word that the language itself has, now or later."""
    solvers = [*vocabulary.SOLVERS.values(), *vocabulary.REGIONS.values()]
    options = {name: option for one in solvers for name, option in one.options.items()}
    given = {word for option in options.values() for word in option.words}
    return {*keywords(), *options, *given, *(word for table in TABLES for word in table), "log"}


def free_names(stem: str) -> set[str]:
    """Unknowns and branches that nothing else reads: another spelling means the same."""
    method = load(stem)
    scope = Scope(method)
    unknowns = {scope.unknown(item) for item in method.perturbations()}
    branches = {clause.name.text for clause in method.clauses if isinstance(clause, Branch) and clause.name}
    read = [word.text for word in words(source_of(stem).text)]
    return {name for name in unknowns | branches if name and read.count(name) == 1}


def cases(stem: str) -> Iterator[tuple[Word, str]]:
    """Every word of a method with some misspellings that are no other word it could have been."""
    text, seed = source_of(stem).text, random.Random(stem)
    known = language_words() | {word.text for word in words(text)}
    free = free_names(stem)
    for word in words(text):
        for typo in set(mutations(word.text, seed)) - known:
            if NAME.fullmatch(typo) and word.text not in free:
                yield word, typo


def found_in(source: Source, stem: str) -> list[Diagnostic]:
    """Every error of a text, raised or returned."""
    try:
        return errors(examine(source, stem)[1])
    except TaxoError as error:
        return list(error.diagnostics)


def hits(finding: Diagnostic, word: Word, typo: str) -> bool:
    """Whether a message has its caret under the typo, and names the word that was meant."""
    span = finding.span
    under = span is not None and (span.start, span.end) == (word.start, word.start + len(typo))
    return under and f"`{word.text}`" in (finding.help or "")


def asks_for(finding: Diagnostic, word: Word, typo: str) -> bool:
    """Whether a message has its caret under what a branch was meant to be called, and names what it is."""
    under = finding.span is not None and finding.span.text == word.text
    return under and f"`{typo}`" in (finding.help or "")


@pytest.mark.parametrize("stem", shipped())
def test_every_typo_is_found_where_it_is(stem: str):
    text = source_of(stem).text
    missed: list[str] = []
    for word, typo in cases(stem):
        changed = Source(f"{stem}.taxo", text[: word.start] + typo + text[word.end :])
        found = found_in(changed, stem)
        if not any(hits(one, word, typo) or asks_for(one, word, typo) for one in found):
            missed.append(f"{word.text} -> {typo}:\n" + "\n".join(map(str, found)))
    assert missed == [], "\n\n".join(missed)


@pytest.mark.parametrize("stem", [stem for stem in shipped() if free_names(stem)])
def test_another_spelling_of_a_free_name_means_the_same(stem: str):
    text, free = source_of(stem).text, free_names(stem)
    for word in words(text):
        if word.text in free:
            changed = text[: word.start] + word.text + "q" + text[word.end :]
            assert found_in(Source(f"{stem}.taxo", changed), stem) == [], word.text


def test_few_typos_are_left_out():
    everything = sum(len(words(source_of(stem).text)) for stem in shipped())
    tried = [case for stem in shipped() for case in cases(stem)]
    words_tried = {(stem, word.start) for stem in shipped() for word, _ in cases(stem)}
    assert len(words_tried) > 0.97 * everything
    assert len(tried) > 3 * everything
