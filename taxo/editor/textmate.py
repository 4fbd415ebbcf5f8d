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
from taxo.editor.recogniser import Recogniser, clause_types, item_types, naming_types
from taxo.editor.statements import DECLARING
from taxo.editor.tokens import keyword_types
from taxo.editor.words import AFTER, SECOND, family, options_of, settable, table, tables
from taxo.language.lexer import grammar, keywords

SCOPE = "source.taxo"
# The scope of each kind of word; those of others are `constant.language`.
SCOPES = {
    "target": "support.class.target",
    "site": "support.class.target",
    "direction": "constant.language.direction",
    "manner": "constant.language.manner",
    "granularity": "constant.language.granularity",
    "scope of a draw": "constant.language.granularity",
    "value": "variable.language",
    "function": "support.function",
    "form of a state": "support.function",
    "solver": "support.function.solver",
    "set": "support.function.set",
    "distribution": "support.function.distribution",
    "group": "support.function.group",
}
# The kinds that are known by the brackets behind them, and those that stand in a list behind their word.
CALLED = ("function", "form of a state", "group", "distribution", "set", "solver", "optimizer", "hessian")
LISTED = {"within": "set", "needs": "need"}
MARKED = {"via": "solver", "in": "group"}
ITEM, CLAUSE, WORDY = "keyword.control.item", "keyword.other.clause", "keyword.operator.word"
COLON = "punctuation.separator"
Json = str | list["Json"] | dict[str, "Json"]
Pattern = dict[str, Json]


def textmate() -> dict[str, Json]:
    """The grammar; of the patterns that match first in a line, the first counts."""
    around = [*_literals(), *_calls(), *_rest()]
    patterns = [
        *_literals(),
        *_declarations(),
        *_words_after(),
        *_lists(around),
        *_choices(around),
        *_calls(),
        *_rest(),
    ]
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
        kinds = [kind for (_, one), kind in AFTER.items() if one == terminal]
        kinds += SECOND.values() if "period" in kinds else ()
        if not kinds or word in LISTED or word in MARKED:
            continue
        one = _any(name for kind in kinds for name in table(kind))
        inner: Pattern = {"patterns": [*_kinds(kinds), _rule("keyword.operator", r"\+")]}
        yield _captured(rf"\b({word})\s+({one}(?:(?:\s*\+\s*|\s+){one})*)", _keyword_scope(terminal), inner)
    yield _captured(rf"(?<=\])\s*({_any(table('scale'))})", _scope("scale"))
    yield _captured(rf"({_any(table('order'))})(?=\s*(?:from\b|#|$))", _scope("order"))


def _kinds(kinds: Iterable[str]) -> list[Json]:
    return [_rule(_scope(kind), _any(table(kind))) for kind in kinds]


def _scope(kind: str) -> str:
    return SCOPES.get(kind, "constant.language")


def _keyword_scope(terminal: str) -> str:
    if terminal in item_types() - clause_types():
        return ITEM
    return WORDY if terminal in _operators() else CLAUSE


@cache
def _operators() -> frozenset[str]:
    """The grammar's own words inside expressions: those that may follow one, or start one."""
    method, let, name = Token("METHOD", "method"), Token("LET", "let"), Token("NAME", "a")
    start = [method, name, let, name, Token("EQUAL", "=")]
    places = [start, [*start, name], [*start, name, Token("IF", "if"), name]]
    accepted = frozenset[str]().union(*(Recogniser(place).accepted() for place in places))
    return accepted & keyword_types() - item_types() - naming_types()


def _lists(around: list[Pattern]) -> Iterator[Pattern]:
    """The sets behind `within`, some of which are functions too, and their like."""
    for word, kind in LISTED.items():
        inner: Pattern = {"patterns": [*_kinds([kind]), *around]}
        yield _captured(rf"\b({word})\s+(.*?)(?=\b(?:via|on)\b|#|$)", _keyword_scope(keywords()[word]), inner)


def _choices(around: list[Pattern]) -> Iterator[Pattern]:
    """The words that a parameter may stand for, where it chooses between some."""
    words = _rule("constant.language", _any(settable()))
    domain: Pattern = {"patterns": [words, *around]}
    yield _captured(rf"(=)\s*({_any(settable())})(?=\s+in\b)", "keyword.operator", "constant.language")
    yield _captured(r"\b(in)\s*(\{[^}#]*\}?)", _keyword_scope(keywords()["in"]), domain)


def _calls() -> Iterator[Pattern]:
    """Solvers and their like, behind their own word or with brackets, and what they are given."""
    for word, kind in MARKED.items():
        yield _captured(
            rf"\b({word})\s+({_any(table(kind))})", _keyword_scope(keywords()[word]), _scope(kind)
        )
    yield _captured(rf"(~)\s*({_any(table('distribution'))})", "keyword.operator", _scope("distribution"))
    for kind in CALLED:
        yield _rule(_scope(kind), _any(table(kind)) + r"(?=\s*\()")
    for name, words in _worded():
        yield _captured(rf"\b({name})\s*(:)\s*({_any(words)})", "variable.parameter", COLON, _scope(name))
    yield _captured(rf"\b({_terminal('NAME')})\s*(:)", "variable.parameter", COLON)


def _worded() -> Iterator[tuple[str, set[str]]]:
    """The options that take words, with all the words of their name."""
    found: dict[str, set[str]] = {}
    for row in (row for rows in tables().values() for row in rows.values()):
        for name, option in options_of(row).items():
            found.setdefault(name, set()).update(option.words, family(option))
    yield from ((name, words) for name, words in sorted(found.items()) if words)


def _rest() -> Iterator[Pattern]:
    """Words that are the same everywhere."""
    both = [word for word in keywords() if word in table("value")]
    objectives = _any(table("objective"))
    yield _captured(rf"^\s*({_any(both)})(?:\s+({objectives}))?", ITEM, _scope("objective"))
    scopes = {word: _keyword_scope(terminal) for word, terminal in keywords().items() if word not in both}
    for scope in (ITEM, CLAUSE, WORDY):
        yield _rule(scope, _any(word for word, one in scopes.items() if one == scope))
    yield _rule(_scope("value"), _any(table("value")))
    yield _rule("keyword.operator", r"[-+*/^~]|[<>=!]=?")


def main(paths: Sequence[str]) -> int:
    """Write the grammar to files."""
    for path in paths:
        Path(path).write_text(text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
