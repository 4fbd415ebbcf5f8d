"""A spec is untrusted: whatever its text, it ends in an error of taxo's own, within a second."""

import time
from pathlib import Path

import pytest

from taxo.catalog import load, parse
from taxo.language.errors import TaxoError
from taxo.language.lexer import LONGEST_TEXT
from taxo.language.method import Method
from taxo.language.parser import parse_expression

FORM = "method m perturb logits by {} {{ direction mixed infer prior granularity sample }}"
SOLVED = (
    "method m perturb logits by v {{ direction negative infer adversarial maximize loss within linf(1)"
    " via pgd(steps: {}, step: 1) granularity sample }}"
)
TEXTS = {
    "ten megabytes": "a" * 10_000_000,
    "ten megabytes of items": "method m\n" + "let a = 1\n" * 1_000_000,
    "deep brackets": FORM.format("(" * 100_000 + "u" + ")" * 100_000),
    "deep brackets within the limit": FORM.format("(" * 6_000 + "u" + ")" * 6_000),
    "deep signs": FORM.format("-" * 8_000 + "u"),
    "deep powers": FORM.format("^".join("2" * 7_500)),
    "long sum": FORM.format("+".join("u" * 7_500)),
    "deep conditionals": FORM.format("1 if correct else " * 850 + "0"),
    "deep index": FORM.format("p" + "[y]" * 5_000),
    "open blocks": "method m\n" + "branch weight 1 {\n" * 850,
    "closed blocks": "method m\n" + "}" * 16_000,
    "only quotes": '"' * 16_000,
    "only keywords": "param " * 2_700,
    "only names": "method m " + "nam " * 4_000,
    "a long name": f"method {'m' * 14_000} param {'a' * 2_000} = 1",
    "a long line": "method m " + " " * 16_000 + "$",
    "many steps": SOLVED.format("1e12"),
    "infinite steps": SOLVED.format("inf"),
    "a tower of powers": SOLVED.format("9^9^9^9"),
    "a tower in a form": FORM.format("9^9^9^9 * u"),
    "a huge number": FORM.format("9" * 16_000 + " * u"),
    "many parameters": "method m\n" + "".join(f"param p{i} = {i}\n" for i in range(800)),
    "many unknown names": FORM.format(" + ".join(f"q{i}" for i in range(90)))
    + "".join(f" param r{i} = 1" for i in range(700)),
    "lets that double": "method m let a0 = u "
    + "".join(f"let a{i + 1} = a{i} + a{i} " for i in range(90))
    + FORM.format("a90")[8:],
    "lets in a chain": "method m let a0 = u "
    + "".join(f"let a{i + 1} = a{i} " for i in range(800))
    + FORM.format("a800")[8:],
    "lets in a circle": "method m let a = b let b = a " + FORM.format("a")[8:],
    "parameters in a circle": "method m param a = b param b = a " + FORM.format("a * u")[8:],
    "a parameter that is itself": "method m param a = a " + FORM.format("a * u")[8:],
    "a dunder": FORM.format("__class__"),
    "a dunder attribute": FORM.format("clean.__class__"),
    "an import": FORM.format("__import__(u)"),
    "no end of quote": 'method m "no end',
    "no end of quote in a long line": 'method m "' + "a" * 16_000,
    "null bytes": "method m\0param a = 1\0",
    "only a null byte": "\0",
    "a surrogate": "method \ud800",
    "a byte order mark": "\ufeffmethod m",
    "right to left": "method \u202em\u202c",
    "combining": "method m\u0301\u0302",
    "wide": "method 方法 param 𝔭 = 1",
    "digits of other scripts": FORM.format("٣ * u"),
    "line separators": "method m\u2028param a = 1\u2029",
    "carriage returns": "method m\r\rparam a = 1 $\r\n",
    "an escape": "method m \x1b[31m",
    "nothing": "",
}


def test_most_texts_are_not_refused_for_their_length_alone():
    assert [name for name in TEXTS if len(TEXTS[name]) > LONGEST_TEXT] == [
        "ten megabytes",
        "ten megabytes of items",
        "deep brackets",
    ]


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_text_is_an_error(name: str):
    start = time.process_time()
    with pytest.raises(TaxoError) as raised:
        parse(TEXTS[name])
    assert time.process_time() - start < 1
    assert len(str(raised.value)) < 20_000


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_message_can_be_printed(name: str):
    with pytest.raises(TaxoError) as raised:
        parse(TEXTS[name])
    shown = str(raised.value).replace("\n", "").replace("\t", "")
    assert shown.isprintable()
    shown.encode()


@pytest.mark.parametrize(
    "text", ["\0", "(" * 100_000, "a" * 1_000_000, "\ud800", "9^9^9^9 and", "not " * 9_000]
)
def test_a_hostile_expression_is_an_error(text: str):
    with pytest.raises(TaxoError):
        parse_expression(text)


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
        '{"name": "m; import os"}',
        '{"name": "__class__"}',
        '{"name": "param"}',
        '{"name": "m", "params": [{"name": "a", "default": NaN}]}',
        '{"name": "m", "params": [{"name": "a", "default": {"a": 1}}]}',
        '{"name": "m", "lets": [{"name": "in", "value": "1"}]}',
        '{"name": "m", "split": "9^9^9^9"}',
        '{"name": "m", "extra": 1}',
        '{"name": "m", "params": ' + "[" * 100_000,
        "[" * 1_000_000,
    ],
)
def test_a_hostile_json_is_an_error(text: str):
    with pytest.raises(TaxoError):
        Method.from_json(text)


def test_a_hostile_file_is_an_error(tmp_path: Path):
    for data in (b"\xff\xfe", b"a" * 10_000_000, b"method m \0"):
        path = tmp_path / "m.taxo"
        path.write_bytes(data)
        with pytest.raises(TaxoError):
            load(path)
    for name in ("missing.taxo", "nul\0.taxo", "folder.taxo", "x" * 5_000 + ".taxo"):
        (tmp_path / "folder.taxo").mkdir(exist_ok=True)
        with pytest.raises(TaxoError):
            load(tmp_path / name)
