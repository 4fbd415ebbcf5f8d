"""The pages that are made: up to date, and every example of an error is what it says."""

import ast
import re
from pathlib import Path

import pytest

from taxo.catalog import parse
from taxo.cli.error_pages import EXAMPLES, example
from taxo.cli.examples import TROUBLES, said
from taxo.cli.pages import pages, stale, write
from taxo.cli.word_examples import whole
from taxo.compiler import simplify
from taxo.language.codes import FAMILIES, SPEC_CODES
from taxo.language.errors import CODES
from taxo.language.layout import formatted
from tests.language.fragments import not_canonical

ROOT = Path(__file__).parents[1]
TUTORIAL = (ROOT / "docs" / "language.md").read_text(encoding="utf-8")
FOUND = re.compile(r"(error|warning|note)\[(T\d{3})\]")
each_code = pytest.mark.parametrize("code", CODES)
each_spec_code = pytest.mark.parametrize(
    "code", [code for code in SPEC_CODES if example(code, "wrong").suffix == ".taxo"]
)
# What it shows cannot be said in a few lines.
LONG = {"T104"}


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    return pages()


def raised() -> set[str]:
    """The codes that some function of the package gives a message."""
    return {
        str(constant.value)
        for path in (ROOT / "taxo").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef)
        for constant in ast.walk(node)
        if isinstance(constant, ast.Constant) and re.fullmatch(r"T\d{3}", str(constant.value))
    }


def test_the_table_has_the_codes_that_are_raised():
    assert raised() == set(CODES)
    assert {code[:2] for code in CODES} == set(FAMILIES)
    assert list(CODES) == sorted(CODES)


@each_code
def test_a_code_is_explained_in_sentences(code: str):
    row = CODES[code]
    sentences = re.findall(r"[.?!](?= |$)", row.why)
    assert row.why.endswith(".")
    assert 2 <= len(sentences) <= 4
    assert row.title[0] == row.title[0].lower()


def test_pages_are_up_to_date_and_nothing_else_is_there(made: dict[str, str]):
    """`make docs` writes them."""
    old = {path for path, text in made.items() if (ROOT / path).read_text(encoding="utf-8") != text}
    assert old == set()
    assert stale(ROOT, made) == set()


def test_writing_replaces_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: dict[str, str]
):
    monkeypatch.setattr("taxo.cli.pages.GENERATORS", (lambda: made,))
    folder = tmp_path / "docs" / "errors"
    folder.mkdir(parents=True)
    (folder / "T000.md").write_text("of a code that is no more")
    write(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.md")} == set(made)
    assert (folder / "README.md").read_text(encoding="utf-8") == made["docs/errors/README.md"]


def anchors(page: Path) -> set[str]:
    """What links call the headings of a page: those of one name are numbered."""
    found: list[str] = []
    for heading in re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE):
        plain = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        found.append(plain)
        found[-1] += f"-{found.count(plain) - 1}" if plain in found[:-1] else ""
    return set(found)


def test_every_link_of_a_page_leads_somewhere(made: dict[str, str]):
    for path, text in {**made, "docs/language.md": TUTORIAL}.items():
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            file, _, anchor = target.partition("#")
            page = (ROOT / path).parent / file
            assert page.exists(), f"{path}: {target}"
            assert not anchor or anchor in anchors(page), f"{path}: {target}"


@pytest.mark.parametrize("text", re.findall(r"```taxo\n(.*?)```", TUTORIAL, re.DOTALL))
def test_the_methods_of_the_tutorial_are_right(text: str):
    parse(whole(text))
    assert not_canonical(text) == []


def test_every_example_is_one_of_a_code():
    expected = {example(code, kind) for code in CODES for kind in ("wrong", "right")}
    assert set(EXAMPLES.iterdir()) == expected
    assert {path.name for path in expected} >= set(TROUBLES)


@each_code
def test_the_wrong_example_gets_the_code_and_no_other(code: str):
    assert FOUND.findall(said(example(code, "wrong"), code)) == [(CODES[code].severity, code)]


@each_code
def test_nothing_is_said_of_the_right_example(code: str):
    assert said(example(code, "right"), code) == ""


@each_spec_code
def test_examples_are_methods_as_people_write_them(code: str):
    text = example(code, "right").read_text(encoding="utf-8")
    method = parse(text)
    assert formatted(method, text) == text
    assert simplify(method)
    assert method.summary
    for kind in ("wrong", "right"):
        lines = example(code, kind).read_text(encoding="utf-8").splitlines()
        assert 5 <= sum(map(bool, lines)) <= 12 or code in LONG
