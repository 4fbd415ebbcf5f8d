"""The TextMate grammar of the language, made from its own grammar and vocabulary.

`python -m taxo.editor.textmate FILE...` writes it to files.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path

from lark import Token

from taxo.editor.document import SUFFIX
from taxo.editor.recogniser import Recogniser, item_types
from taxo.editor.statements import DECLARING
from taxo.editor.tokens import keyword_types
from taxo.editor.words import options_of, table_name_after, tables
from taxo.language.lexer import grammar, keywords

SCOPE = "source.taxo"
# The scope of each table's words; those of others are `support.type`.
SCOPES = {
    "TARGETS": "support.class.target",
    "DIRECTIONS": "constant.language.direction",
    "MANNERS": "constant.language.manner",
    "GRAINS": "constant.language.granularity",
    "GOALS": "keyword.other.clause",
    "SCOPES": "constant.language.granularity",
    "VALUES": "variable.language",
    "FUNCTIONS": "support.function",
    "SOLVERS": "support.function.solver",
    "REGIONS": "support.function.set",
    "DISTRIBUTIONS": "support.function.distribution",
    "GROUPS": "support.function.group",
}
CALLED = ("SOLVERS", "REGIONS", "DISTRIBUTIONS", "GROUPS", "FUNCTIONS")
ITEM, CLAUSE, WORDY = "keyword.control.item", "keyword.other.clause", "keyword.operator.word"
OPTION = "constant.language.option"
Json = str | list["Json"] | dict[str, "Json"]
Pattern = dict[str, Json]


def textmate() -> dict[str, Json]:
    """The grammar; of the patterns that match first in a line, the first counts."""
    around = [*_literals(), *_calls(), *_rest()]
    patterns = [*_literals(), *_declarations(), *_words_after(), *_sets(around), *_calls(), *_rest()]
    return {"name": "taxo", "scopeName": SCOPE, "fileTypes": [SUFFIX[1:]], "patterns": list[Json](patterns)}


def text() -> str:
    """The grammar as it is written to files."""
    return json.dumps(textmate(), indent=2, ensure_ascii=False) + "\n"


def _rule(scope: str, match: str) -> Pattern:
    return {"name": f"{scope}.taxo", "match": match}


def _captured(match: str, *captures: str | Pattern) -> Pattern:
    """A pattern whose groups have scopes, or patterns, of their own."""
    held: Pattern = {
        str(group): {"name": f"{one}.taxo"} if isinstance(one, str) else one
        for group, one in enumerate(captures, 1)
    }
    return {"match": match, "captures": held}


def _any(words: Iterable[str]) -> str:
    """A regular expression for one of some words."""
    return rf"\b(?:{'|'.join(map(re.escape, sorted(set(words))))})\b"


def _terminal(name: str) -> str:
    """The regular expression of a terminal; none of its groups count."""
    written = next(str(one.pattern.value) for one in grammar().terminals if one.name == name)
    return re.sub(r"(?<!\\)\((?!\?)", "(?:", written)


def _literals() -> Iterator[Pattern]:
    yield _rule("comment.line.number-sign", "#.*$")
    yield _rule("string.quoted.double", r'"[^"\\]*"')
    yield _rule("invalid.illegal.string", '".*$')
    number = rf"(?<![\w.])({_terminal('NUMBER')})\s*(%)?"
    yield _captured(number, "constant.numeric", "keyword.other.unit.percent")


def _declarations() -> Iterator[Pattern]:
    """`param NAME` and its like."""
    declaring = [word for word, terminal in keywords().items() if terminal in DECLARING]
    named = rf"\s+(?!{_any(keywords())})({_terminal('NAME')})\b"
    yield _captured(f"({_any(declaring)}){named}", ITEM, "variable.other.definition")
    yield _captured(rf"\b(method){named}", ITEM, "entity.name.type.method")


def _words_after() -> Iterator[Pattern]:
    """Words that mean something behind one of the grammar's only, such as `direction positive`."""
    for word, terminal in keywords().items():
        table = table_name_after(terminal)
        if table not in tables() or table in CALLED:
            continue
        one = _any(tables()[table])
        inner: Pattern = {"patterns": [_rule(_scope(table), one), _rule("keyword.operator", r"\+")]}
        yield _captured(rf"\b({word})\s+({one}(?:\s*\+\s*{one})*)", _keyword_scope(terminal), inner)


def _scope(table: str) -> str:
    return SCOPES.get(table, "support.type")


def _keyword_scope(terminal: str) -> str:
    if terminal in item_types():
        return ITEM
    return WORDY if terminal in _operators() else CLAUSE


@cache
def _operators() -> frozenset[str]:
    """The grammar's own words inside expressions: those that may follow one, or start one."""
    method, let, name = Token("METHOD", "method"), Token("LET", "let"), Token("NAME", "a")
    start = [method, name, let, name, Token("EQUAL", "=")]
    places = [start, [*start, name], [*start, name, Token("IF", "if"), name]]
    accepted = frozenset[str]().union(*(Recogniser(place).accepted() for place in places))
    return accepted & keyword_types() - item_types()


def _sets(around: list[Pattern]) -> Iterator[Pattern]:
    """The sets behind `within`: some are functions too."""
    sets: Pattern = {"patterns": [_rule(_scope("REGIONS"), _any(tables()["REGIONS"])), *around]}
    yield _captured(r"\b(within)\s+(.*?)(?=\bvia\b|#|$)", CLAUSE, sets)


def _calls() -> Iterator[Pattern]:
    """Solvers and their like, behind their own word or with brackets, and what they are given."""
    marks = {"SOLVERS": r"\bvia\b", "GROUPS": r"\bin\b", "DISTRIBUTIONS": "~"}
    for table, mark in marks.items():
        scope = {"SOLVERS": CLAUSE, "GROUPS": WORDY}.get(table, "keyword.operator")
        yield _captured(rf"({mark})\s*({_any(tables()[table])})", scope, _scope(table))
    for table in reversed(CALLED):
        yield _rule(_scope(table), _any(tables()[table]) + r"(?=\s*\()")
    for name, words in _worded():
        yield _captured(
            rf"\b({name})\s*(:)\s*({_any(words)})", "variable.parameter", "punctuation.separator", OPTION
        )
    yield _captured(rf"\b({_terminal('NAME')})\s*(:)", "variable.parameter", "punctuation.separator")


def _worded() -> Iterator[tuple[str, set[str]]]:
    """The options that take words, with all the words of their name."""
    found: dict[str, set[str]] = {}
    for row in (row for table in CALLED for row in tables()[table].values()):
        for name, option in options_of(row).items():
            found.setdefault(name, set()).update(option.words)
    yield from ((name, words) for name, words in sorted(found.items()) if words)


def _rest() -> Iterator[Pattern]:
    """Words that are the same everywhere."""
    scopes = {word: _keyword_scope(terminal) for word, terminal in keywords().items()}
    for scope in (ITEM, CLAUSE, WORDY):
        yield _rule(scope, _any(word for word, one in scopes.items() if one == scope))
    yield _rule(_scope("VALUES"), _any(tables()["VALUES"]))
    for name in sorted(set(tables()) - set(SCOPES)):
        yield _rule(_scope(name), _any(tables()[name]))
    yield _rule("keyword.operator", r"[-+*/^~]|[<>=!]=?")


def main(paths: Sequence[str]) -> int:
    """Write the grammar to files."""
    for path in paths:
        Path(path).write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
