"""The TextMate grammar, applied as an editor applies it: by its regular expressions alone."""

import json
import re
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from taxo.catalog import shipped, source_of
from taxo.editor.document import Document
from taxo.editor.textmate import SCOPES, main, text, textmate
from taxo.editor.tokens import is_word, start, tokens
from taxo.editor.words import tables
from taxo.language.lexer import keywords
from taxo.language.vocabulary import VALUES
from tests.editor.words import OPTION_WORDS

ROOT = Path(__file__).parents[2]
COPIES = ["editors/taxo.tmLanguage.json", "editors/vscode/syntaxes/taxo.tmLanguage.json"]
PATTERNS: Any = textmate()["patterns"]

compiled = cache(re.compile)


def scopes(line: str, patterns: Any = PATTERNS, place: int = 0, end: int | None = None) -> Iterator[tuple]:
    """The stretches of a line that have a scope: the first pattern of those that match first counts."""
    end = len(line) if end is None else end
    while place < end:
        found = [(compiled(one["match"]).search(line, place, end), one) for one in patterns]
        matches = [(match, one) for match, one in found if match is not None]
        if not matches:
            return
        match, one = min(matches, key=lambda pair: pair[0].start())
        assert match.end() > match.start(), one
        if "name" in one:
            yield match.start(), match.end(), one["name"]
        for group, inner in one.get("captures", {}).items():
            first, last = match.span(int(group))
            if "name" in inner:
                yield first, last, inner["name"]
            else:
                yield from scopes(line, inner["patterns"], first, last)
        place = match.end()


def scope(line: str, word: str) -> str:
    """The scope of a word, at its last place in a line."""
    first = line.rindex(word)
    found = [name for start, end, name in scopes(line) if (start, end) == (first, first + len(word))]
    assert len(found) == 1, (line, word, found)
    return found[0].removesuffix(".taxo")


@pytest.mark.parametrize(
    ("line", "word", "expected"),
    [
        ("method mine", "method", "keyword.control.item"),
        ("method mine", "mine", "entity.name.type.method"),
        ("param eps = 15% in [0, 1]", "param", "keyword.control.item"),
        ("param eps = 15% in [0, 1]", "eps", "variable.other.definition"),
        ("param eps = 15% in [0, 1]", "15", "constant.numeric"),
        ("param eps = 15% in [0, 1]", "%", "keyword.other.unit.percent"),
        ("param eps = 15% in [0, 1]", "in", "keyword.operator.word"),
        ("param eps = 1.5e-3", "1.5e-3", "constant.numeric"),
        ("branch weight 0.5 {", "weight", "keyword.other.clause"),
        ("param a = 1 in [0.1, log(9)] log", "log", "constant.language"),
        ("param a = 1 in [0.1, log(9)]", "log", "support.function"),
        ("param bn = auxiliary in {update, batch}", "auxiliary", "constant.language"),
        ("param bn = auxiliary in {update, batch}", "batch", "constant.language"),
        ("param a = 1 in {log(2), 15%}", "log", "support.function"),
        ("param a = 1 in {log(2), 15%}", "15", "constant.numeric"),
        ("perturb loss by loss * l2(d) {", "loss", "variable.language"),
        ("perturb loss by 3 {", "loss", "support.class.target"),
        ("loss mse + loss", "loss", "variable.language"),
        ("  loss mse + l1(w)", "loss", "keyword.control.item"),
        ("  loss mse + l1(w)", "mse", "constant.language"),
        ("needs teacher, views(3)", "views", "constant.language"),
        ("state a per category = mean(p, where: correct) every epoch from 1", "where", "variable.parameter"),
        ("state a per category = mean(p, where: correct) every epoch from 1", "epoch", "constant.language"),
        ("state a per category = covariance(z) before", "before", "constant.language"),
        ("every round append", "append", "constant.language"),
        (
            "infer meta over net minimize loss on guide(5%) via influence(hessian: cg)",
            "guide",
            "constant.language",
        ),
        (
            "infer meta over net minimize loss on guide(5%) via influence(hessian: cg)",
            "cg",
            "constant.language",
        ),
        (
            "infer meta over net minimize loss on guide(5%) via influence(hessian: cg)",
            "meta",
            "constant.language.manner",
        ),
        ("perturb loss by loss * l2(d) {", "l2", "support.function"),
        (
            "  infer adversarial maximize loss within box, l2(exp(2)) via pgd(1)",
            "box",
            "support.function.set",
        ),
        ("  infer adversarial maximize loss within box, l2(exp(2)) via pgd(1)", "l2", "support.function.set"),
        ("  infer adversarial maximize loss within box, l2(exp(2)) via pgd(1)", "exp", "support.function"),
        ("  infer adversarial maximize loss within box, l2(exp(2)) via pgd(1)", "2", "constant.numeric"),
        (
            "  infer adversarial maximize loss within box, l2(exp(2)) via pgd(1)",
            "via",
            "keyword.other.clause",
        ),
        ("  infer adversarial maximize loss within box via pgd(1)", "pgd", "support.function.solver"),
        (
            "  infer adversarial maximize loss within box via linearized",
            "linearized",
            "support.function.solver",
        ),
        ("  infer adversarial maximize loss within box via linearized", "maximize", "keyword.other.clause"),
        ("via pgd(steps: 2, start: zero)", "steps", "variable.parameter"),
        ("via pgd(steps: 2, start: zero)", "zero", "constant.language"),
        ("draw xi ~ uniform(0, 1) per sample", "uniform", "support.function.distribution"),
        ("draw xi ~ uniform(0, 1) per sample", "sample", "constant.language.granularity"),
        ("granularity sample + corpus", "corpus", "constant.language.granularity"),
        ("where not clean.loss in top(25%)", "top", "support.function.group"),
        ("where not clean.loss in top(25%)", "not", "keyword.operator.word"),
        ("where not clean.loss in top(25%)", "clean", "variable.language"),
        ('cite "by # the" # "of"', '"by # the"', "string.quoted.double"),
        ('cite "by # the" # "of"', '# "of"', "comment.line.number-sign"),
        ('cite "no end', '"no end', "invalid.illegal.string"),
    ],
)
def test_the_scope_of(line: str, word: str, expected: str):
    assert scope(line, word) == expected


@pytest.mark.parametrize("line", ["a_loss", "let in_top = inner", "layer3", "x2"])
def test_a_word_inside_a_name_has_no_scope(line: str):
    assert not [
        one for one in scopes(line) if one[2].startswith(("variable.language", "constant", "support"))
    ]


CONTEXTS = {
    "target": "perturb {}",
    "site": "at {}",
    "direction": "direction {}",
    "manner": "infer {}",
    "granularity": "granularity {}",
    "scope of a draw": "per {}",
    "group": "in {}",
    "held-out set": "on {}",
    "batch": "on {}",
    "phase": "during {}",
    "period": "every {}",
    "round": "every {}",
    "order": "every epoch {}",
    "amendment": "every round {}",
    "norm": "norm {}",
    "scale": "[0, 1] {}",
    "need": "needs {}",
    "objective": "loss {}",
    "function": "{}(x)",
    "form of a state": "{}(x)",
    "distribution": "~ {}",
    "solver": "via {}",
    "set": "within {}",
    "optimizer": "optimizer: {}(x)",
    "hessian": "hessian: {}(x)",
}


@pytest.mark.parametrize(
    ("kind", "word"), [(kind, word) for kind, words in tables().items() for word in words]
)
def test_every_word_of_the_vocabulary_has_its_scope(kind: str, word: str):
    found = scope(CONTEXTS.get(kind, "{}").format(word), word)
    is_keyword = word in keywords() and found.startswith("keyword.")
    assert found == SCOPES.get(kind, "constant.language") or is_keyword


@pytest.mark.parametrize("word", sorted(keywords()))
def test_every_word_of_the_grammar_is_a_keyword(word: str):
    assert scope(word, word).startswith("keyword.")


@pytest.mark.parametrize("name", shipped())
def test_the_scopes_of_a_shipped_method(name: str):
    """What the lexer says of a token, its scope says too."""
    source = source_of(name).text
    written = tokens(source)
    places = {start(token): token for token in written}
    behind = {start(token): other.type for token, other in pairwise(written)}
    known = {word for words in tables().values() for word in words} - OPTION_WORDS
    declared = Document(source).declared
    shift = 0
    for line in source.splitlines(keepends=True):
        found = {first + shift: (line[first:last], one) for first, last, one in scopes(line.rstrip("\n"))}
        for place in range(shift, shift + len(line)):
            token = places.get(place)
            if token is None or (token.type != "NUMBER" and token.type != "STRING" and not is_word(token)):
                continue
            text, one = found.get(place, ("", ""))
            if is_word(token) and behind.get(place) == "COLON":
                assert (text, one) == (str(token), "variable.parameter.taxo"), token
                continue
            named = str(token) in declared and behind.get(place) != "LPAR"
            if token.type == "NAME" and (named or str(token) not in known):
                assert str(token) in OPTION_WORDS or not one.startswith(("keyword", "support")), token
                continue
            kinds = {"NUMBER": "constant.numeric", "STRING": "string"}
            open_word = token.type == "NAME" or str(token) in VALUES
            expected = kinds.get(token.type, "" if open_word else "keyword")
            assert text == str(token), token
            assert one.startswith(expected), token
        shift += len(line)


@pytest.mark.parametrize("path", COPIES)
def test_the_files_are_fresh(path: str):
    assert (ROOT / path).read_text(encoding="utf-8") == text(), "run `make editors`"


def test_it_is_written_to_files(tmp_path: Path):
    assert main([str(tmp_path / "one.json"), str(tmp_path / "two.json")]) == 0
    assert json.loads((tmp_path / "two.json").read_text(encoding="utf-8")) == textmate()


def test_the_extension_names_files_that_are_there():
    folder = ROOT / "editors" / "vscode"
    package = json.loads((folder / "package.json").read_text(encoding="utf-8"))
    (language,), (grammar,) = package["contributes"]["languages"], package["contributes"]["grammars"]
    assert (folder / package["main"]).is_file()
    assert json.loads((folder / language["configuration"]).read_text(encoding="utf-8"))
    assert (folder / grammar["path"]).samefile(ROOT / COPIES[1])
    assert grammar["scopeName"] == textmate()["scopeName"]
    assert package["contributes"]["configuration"]["properties"]["taxo.command"]["default"] == ["taxo", "lsp"]
