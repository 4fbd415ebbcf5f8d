"""A spec is untrusted: whatever it holds, through whatever door, it ends in taxo's error in a second."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import taxo
from taxo.catalog import load, parse
from taxo.language.errors import TaxoError
from taxo.language.lexer import LONGEST_TEXT, keywords
from taxo.language.method import Method
from taxo.language.parser import parse_expression
from tests.language.answers import in_time
from tests.language.doors import loaded, refused

FORM = "method m perturb logits by {} {{ direction mixed infer prior granularity sample }}"
SOLVED = "adversarial maximize loss within linf(1) via pgd(steps: {}, step: 1)"


# Texts --------------------------------------------------------------------------------------------------


TEXTS = {
    "ten megabytes": "a" * 10_000_000,
    "ten megabytes of items": "method m\n" + "let a = 1\n" * 1_000_000,
    "open blocks": "method m\n" + "branch weight 1 {\n" * 850,
    "closed blocks": "method m\n" + "}" * 16_000,
    "only quotes": '"' * 16_000,
    "only keywords": "param " * 2_700,
    "only names": "method m " + "nam " * 4_000,
    "a long name": f"method {'m' * 14_000} param {'a' * 2_000} = 1",
    "a long line": "method m " + " " * 16_000 + "$",
    "many parameters": "method m\n" + "".join(f"param p{i} = {i}\n" for i in range(800)),
    "many unknown names": FORM.format(" + ".join(f"q{i}" for i in range(90)))
    + "".join(f" param r{i} = 1" for i in range(700)),
    "no end of quote": 'method m "no end',
    "no end of quote in a long line": 'method m "' + "a" * 16_000,
    "null bytes": "method m\0param a = 1\0",
    "only a null byte": "\0",
    "a surrogate": "method \ud800",
    "a surrogate in quotes": 'method m "\ud800" param a = 1',
    "a byte order mark": "\ufeffmethod m \ufeff",
    "right to left": "method \u202em\u202c",
    "right to left in a comment": "method m # \u202e\nparam a = 1 \u2066",
    "combining": "method m\u0301\u0302",
    "no width": "method m\u200b param a\u200d = 1",
    "wide": "method 方法 param 𝔭 = 1",
    "line separators": "method m\u2028param a = 1\u2029",
    "carriage returns": "method m\r\rparam a = 1 $\r\n",
    "an escape": "method m \x1b[31m",
    "nothing": "",
}


def test_most_texts_are_not_refused_for_their_length_alone():
    assert [name for name in TEXTS if len(TEXTS[name]) > LONGEST_TEXT] == list(TEXTS)[:2]


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text_is_an_error(name: str, tmp_path: Path):
    refused(lambda: parse(TEXTS[name]))
    refused(lambda: loaded(TEXTS[name], tmp_path))


@pytest.mark.parametrize(
    "data",
    [b"\xff\xfe", b"a" * 10_000_000, b"method m \0", b"method m \xed\xa0\x80", "method m".encode("utf-16")],
    ids=["no text", "ten megabytes", "null", "a surrogate", "utf-16"],
)
def test_a_hostile_file_is_an_error(data: bytes, tmp_path: Path):
    path = tmp_path / "m.taxo"
    path.write_bytes(data)
    refused(lambda: load(path))


PATHS = ["missing.taxo", "nul\0.taxo", "folder.taxo", "x" * 5_000 + ".taxo", "\ud800.taxo"]


@pytest.mark.parametrize("name", PATHS)
def test_a_hostile_path_is_an_error(name: str, tmp_path: Path):
    (tmp_path / "folder.taxo").mkdir()
    refused(lambda: load(tmp_path / name))


# Expressions --------------------------------------------------------------------------------------------


EXPRESSIONS = {
    "ten megabytes": "a" * 10_000_000,
    "a sum of ten megabytes": "u" + "+u" * 5_000_000,
    "deep brackets": "(" * 100_000 + "u" + ")" * 100_000,
    "deep brackets within the limit": "(" * 6_000 + "u" + ")" * 6_000,
    "deep signs": "-" * 8_000 + "u",
    "deep nots": "not " * 3_000 + "correct",
    "deep powers": "^".join("2" * 7_500),
    "deep calls": "exp(" * 3_000 + "u" + ")" * 3_000,
    "deep conditionals": "1 if correct else " * 850 + "0",
    "deep index": "p" + "[y]" * 5_000,
    "long sum": "+".join("u" * 7_500),
    "a tower of powers": "9^9^9^9",
    "a tower in a form": "9^9^9^9 * u",
    "a tower behind a sign": "u / -(9^9^9^9)",
    "a huge number": "9" * 16_000 + " * u",
    "a huge exponent": "1e400 * u",
    "digits of other scripts": "٣ * u",
    "a dunder": "__class__",
    "a dunder attribute": "clean.__class__",
    "an import": "__import__(u)",
    "code": "u; import os",
    "a format": "{u}",
    "no end of quote": '"no end',
    "a null byte": "u\0",
    "a surrogate": "\ud800",
    "a surrogate in quotes": '"\ud800"',
    "right to left": "u\u202e + p",
    "combining": "u\u0301",
    "letters of mathematics": "𝔭",
    "nothing": "",
    "a comment": "u # ) }",
    "more than one": "u) + (u",
}


def by_json(form: str) -> Method:
    """A method of one perturbation, as a document."""
    item = {"target": "logits", "by": form, "direction": "mixed", "infer": {"manner": "prior"}}
    return Method.from_json(json.dumps({"name": "m", "clauses": [item | {"granularity": ["sample"]}]}))


def by_builder(form: str) -> Method:
    """A method of one perturbation, as calls."""
    return taxo.method("m").perturb("logits", by=form, direction="mixed", infer="prior").build()


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_hostile_expression_is_an_error(name: str, tmp_path: Path):
    form = EXPRESSIONS[name]
    refused(lambda: parse(FORM.format(form)))
    refused(lambda: loaded(FORM.format(form), tmp_path))
    if name != "a comment":  # it hides what follows in a text, and nothing in a field of its own
        refused(lambda: by_json(form))
        refused(lambda: by_builder(form))


@pytest.mark.parametrize(
    "text", ["\0", "(" * 100_000, "a" * 1_000_000, "\ud800", "9^9^9^9 and", "not " * 9_000]
)
def test_a_text_that_is_no_expression_is_an_error(text: str):
    with pytest.raises(TaxoError):
        parse_expression(text)


STEPS = ["1e12", "inf", "9^9^9^9", "-1", "0", "1.5", "1/0", "progress", "1e400", "steps", "loss", "10001"]


@pytest.mark.parametrize("steps", STEPS)
def test_a_hostile_number_of_steps_is_an_error(steps: str, tmp_path: Path):
    infer = SOLVED.format(steps)
    text = FORM.replace("mixed infer prior", f"negative infer {infer}").format("v")
    item: dict[str, object] = {"target": "logits", "by": "v", "direction": "negative"}
    item["granularity"] = ["sample"]
    parts = {"goal": {"kind": "maximize", "objective": "loss"}, "within": ["linf(1)"]}
    item["infer"] = {"manner": "adversarial", **parts, "via": f"pgd(steps: {steps}, step: 1)"}
    refused(lambda: parse(text))
    refused(lambda: loaded(text, tmp_path))
    refused(lambda: Method.from_json(json.dumps({"name": "m", "clauses": [item]})))
    refused(lambda: taxo.method("m").perturb("logits", by="v", direction="negative", infer=infer).build())


PROBED = [
    "quantile(loss, 3)",
    "quantile(loss, -1)",
    "quantile(loss, class_prior[1])",
    "mean(0.5)",
    "lp(u, 0)",
    "lp(u, -1)",
    "1 / (loss - loss)",
    "log(-loss)",
    "exp(exp(exp(loss)))",
    "inf * loss - inf * loss",
    "p[C]",
    "p[99]",
]


@pytest.mark.parametrize("form", PROBED)
@pytest.mark.parametrize("direction", ["positive", "negative"])
def test_a_form_that_has_no_value_is_answered(form: str, direction: str):
    text = "method m perturb loss by {} {{ direction {} infer prior granularity sample }}"
    in_time(lambda: parse(text.format(f"1 + 0 * {form}", direction)))


# Names --------------------------------------------------------------------------------------------------


NAMES = {
    "a dunder": "__class__",
    "an underscore": "_",
    "two underscores": "a__b",
    "an underscore at the end": "a_",
    "a digit first": "1a",
    "nothing": "",
    "a blank": " ",
    "two words": "a b",
    "a keyword": "param",
    "a path": "../m",
    "a line": "a\nb",
    "a quote": 'a"',
    "a null byte": "a\0",
    "a surrogate": "a\ud800",
    "combining": "a\u0301",
    "right to left": "a\u202e",
    "another script": "方法",
    "a full-width letter": "ａ",
    "a long one": "a" * 10_000_000,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_is_an_error(name: str, tmp_path: Path):
    word = NAMES[name]
    for text in (f"method {word} let", f"method m let {word} = = u", f"method m param {word} = u param"):
        refused(lambda text=text: parse(text))
        refused(lambda text=text: loaded(text, tmp_path))
    shapes = ({"name": word}, {"name": "m", "lets": [{"name": word, "value": "u"}]})
    for shape in shapes:
        if name != "a long one" or shape["name"] == "m":
            refused(lambda shape=shape: Method.from_json(json.dumps(shape)))
    refused(lambda: taxo.method("m").let(word, "u").build())
    refused(lambda: taxo.method("m").param(word, 1).build())
    refused(lambda: taxo.method("m").perturb(word, by="u", direction="mixed", infer="prior").build())


# The words of the grammar that are names somewhere: a document or call may still use them everywhere.


@pytest.mark.parametrize("word", keywords())
def test_a_word_of_the_grammar_is_a_name_through_every_door_or_none(word: str):
    acting = {"target": "loss", "by": f"{word} * loss", "direction": "mixed", "infer": {"manner": "prior"}}
    item: dict[str, object] = {"clauses": [acting | {"granularity": ["sample"]}], "name": "m"}
    form = f"perturb loss by {word} * loss {{ direction mixed infer prior granularity sample }}"
    pairs: list[tuple[str, dict[str, object]]] = [
        (f"method {word}", {"name": word}),
        (f"method m branch {word} weight 1 {{ }}", {"name": "m", "clauses": [{"name": word, "weight": "1"}]}),
        (f"method m let {word} = lr {form}", item | {"lets": [{"name": word, "value": "lr"}]}),
        (f"method m param {word} = 1 {form}", item | {"params": [{"name": word, "default": "1"}]}),
        (
            f"method m state {word} per corpus = lr {form}",
            item | {"states": [{"name": word, "per": "corpus", "value": "lr"}]},
        ),
    ]
    for text, document in pairs:
        by_text = in_time(lambda text=text: parse(text))
        by_document = in_time(lambda document=document: Method.from_json(json.dumps(document)))
        assert isinstance(by_text, Method) == isinstance(by_document, Method)


# Documents and calls ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        '{"name": 3}',
        '{"name": "m", "summary": 7}',
        '{"name": "m", "title": "a \\" b"}',
        '{"name": "m", "cite": ["\\u0000"]}',
        '{"name": "m", "cite": ["\\ud800"]}',
        '{"name": "m; import os"}',
        '{"name": "m", "params": [{"name": "a", "default": NaN}]}',
        '{"name": "m", "params": [{"name": "a", "default": {"a": 1}}]}',
        '{"name": "m", "lets": [{"name": "in", "value": "1"}]}',
        '{"name": "m", "split": "9^9^9^9"}',
        '{"name": "m", "split": 1' + "0" * 5_000 + "}",
        '{"name": "m", "extra": 1}',
        '{"name": "m", "clauses": [' + ",".join(["{}"] * 5_000) + "]}",
        '{"name": "m", "cite": [' + ",".join(["1"] * 30_000) + "]}",
        '{"name": "m", "needs": [' + ",".join(['"a(b(c"'] * 6_000) + "]}",
        '{"name": "m", "params": ' + "[" * 100_000,
        '{"name": "m", "summary": "' + "a" * 10_000_000 + '"}',
        "[" * 1_000_000,
    ],
    ids=lambda text: text[:40] + text[-20:],
)
def test_a_hostile_json_is_an_error(text: str):
    refused(lambda: Method.from_json(text))


def item(**changes: object) -> str:
    """A document of one perturbation with something odd in it."""
    sound = {"target": "logits", "by": "u", "direction": "mixed", "infer": {"manner": "prior"}}
    return json.dumps({"name": "m", "clauses": [sound | {"granularity": ["sample"]} | changes]})


@pytest.mark.parametrize(
    "text",
    [
        item(granularity=[]),
        item(granularity=[""]),
        item(direction=""),
        item(target=""),
        item(infer={"manner": ""}),
        item(infer={"manner": "prior", "over": ["a"]}),
        item(amend="append"),
        item(during=""),
        item(norm=""),
        item(by=""),
        json.dumps({"name": "m", "infers": [{"manner": ""}]}),
        json.dumps({"name": "m", "params": [{"name": "a", "default": "1", "domain": {"choices": []}}]}),
    ],
)
def test_an_empty_part_of_a_document_is_an_error(text: str):
    refused(lambda: Method.from_json(text))


CALLS: dict[str, Callable[[], object]] = {
    "a number too large": lambda: taxo.method("m").param("a", 10**400).build(),
    "no number": lambda: taxo.method("m").param("a", float("nan")).build(),
    "a truth": lambda: taxo.method("m").param("a", True).build(),
    "no value": lambda: taxo.method("m").param("a", None).build(),  # type: ignore[arg-type]
    "bytes": lambda: taxo.method(b"m").build(),  # type: ignore[arg-type]
    "no direction": lambda: by_words(direction=""),
    "no granularity": lambda: by_words(granularity=""),
    "no period": lambda: by_words(every=""),
    "too many words": lambda: by_words(every="round append x y"),
    "no manner": lambda: by_words(infer=""),
    "a summary of ten megabytes": lambda: taxo.method("m", summary="a" * 10_000_000).build(),
    "a surrogate": lambda: taxo.method("m", title="\ud800", summary="b").build(),
    "many sources": lambda: taxo.method("m", cite=["a"] * 100_000).build(),
    "no choices": lambda: taxo.method("m").param("a", 1, choices=[]).let("b", "a * u").build(),
    "no such branch": lambda: by_words(branch="b"),
}


def by_words(**changes: object) -> Method:
    """A built method of one perturbation with something odd in it."""
    words: dict[str, object] = {"by": "0 * u", "direction": "mixed", "infer": "prior"} | changes
    return taxo.method("m").perturb("logits", **words).build()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CALLS)
def test_a_hostile_call_is_an_error(name: str):
    refused(CALLS[name])  # type: ignore[arg-type]


def test_a_builder_with_thousands_of_lets_is_an_error():
    builder = taxo.method("m").let("a0", "u")
    for number in range(3_000):
        builder = builder.let(f"a{number + 1}", f"a{number} + a{number}")
    refused(builder.perturb("logits", by="a3000", direction="mixed", infer="prior").build)
