"""Text, Method and JSON say the same, and shipped methods are written as the formatter writes them."""

import pytest

from taxo.catalog import load, parse, shipped, source_of
from taxo.language.errors import TaxoError
from taxo.language.fields import as_expression
from taxo.language.layout import formatted
from taxo.language.method import Method, Param
from taxo.language.parser import parse_expression, parse_method
from taxo.language.printer import expression_text
from taxo.language.source import Source
from taxo.language.syntax import Name, Number, Unary, Word
from tests.language.trips import survives

each = pytest.mark.parametrize("stem", shipped())


@each
def test_a_shipped_method_is_in_canonical_form(stem: str):
    text = source_of(stem).text
    assert formatted(load(stem), text) == text


@each
def test_a_shipped_method_survives_text_json_and_builder(stem: str):
    survives(load(stem))


@each
def test_every_method_has_a_title_a_summary_and_a_source(stem: str):
    method = load(stem)
    assert method.title
    assert method.summary.endswith(".")
    assert method.cite


def test_layout_does_not_matter():
    text = source_of("pgd_at").text
    assert parse(" ".join(text.split("\n"))) == parse(text)
    assert parse(text.replace("\n", "\r\n")) == parse(text)


def test_different_methods_differ():
    assert load("polyloss") != load("polyloss(eps: 2)")
    assert load("polyloss") != "polyloss"


def test_texts_survive():
    method = Method(name=Word("m"), title="A title", summary="", cite=("One", "Two"))
    assert parse(str(method)) == method
    method = Method(name=Word("m"), summary="Only a summary.")
    assert parse(str(method)) == method


@pytest.mark.parametrize(
    ("value", "text"), [(2, "2"), (-0.5, "-0.5"), (float("inf"), "inf"), (1e-7, "1e-07"), (1e22, "1e+22")]
)
def test_numbers_survive(value: float, text: str):
    param = Param(name=Word("a"), default=as_expression(value))
    assert expression_text(param.default) == text
    assert parse_expression(text) == param.default


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("(1/C-y)*lam", "(1 / C - y) * lam"),
        ("a-(b-c)", "a - (b - c)"),
        ("(a-b)-c", "a - b - c"),
        ("a/(b*c)", "a / (b * c)"),
        ("(a^b)^c", "(a^b)^c"),
        ("a^(b^c)", "a^b^c"),
        ("-(a^2)", "-a^2"),
        ("(-a)^2", "(-a)^2"),
        ("2^-1", "2^-1"),
        ("a*(-b)", "a * -b"),
        ("not (a in top(15 %))", "not a in top(15%)"),
        ("(not a) and b or c", "not a and b or c"),
        ("(a if b else c) if d else e", "(a if b else c) if d else e"),
        ("a if b else (c if d else e)", "a if b else c if d else e"),
        ("(p)[y]", "p[y]"),
        ("softmax( u )[argmax(p)]", "softmax(u)[argmax(p)]"),
        ("1.0", "1"),
        (".5", "0.5"),
    ],
)
def test_the_canonical_text_of_expressions(text: str, canonical: str):
    assert expression_text(parse_expression(text)) == canonical


def test_where_it_stands_takes_no_part_in_comparisons():
    assert parse_expression("a +  1") == parse_expression("a + 1")
    assert parse_expression("-1") == Unary("-", Number(1.0))
    assert parse_expression("(a)") == Name("a")


def test_json_says_what_is_wrong_with_it():
    with pytest.raises(TaxoError, match=r"name: field required"):
        Method.from_json("{}")
    text = load("polyloss").to_json().replace('"loss",', '"no",', 1)
    with pytest.raises(TaxoError, match=r"`no` is no target"):
        Method.from_json(text)


COMMENTED = """# top
method commented
  "c"

# before param
param eps = 1  # beside

# above use
use label_smoothing  # beside use

# lonely
branch one weight 1 { }

branch two weight 1 {
  perturb features by d {
    # in perturb
    direction   negative  # neg
    infer       adversarial maximize loss within linf(eps), box  # long
                via pgd(steps: 10, step: 0.01, start: uniform, simultaneous: false)
    granularity sample
    # last in perturb
  }
  # last in branch
}
# end
"""


def test_comments_stay_beside_and_above_what_they_are_about():
    assert formatted(parse_method(Source("m", COMMENTED)).method, COMMENTED) == COMMENTED
    within = COMMENTED.replace("# lonely\nbranch one weight 1 { }", "branch one weight 1 { # lonely\n}")
    assert "# lonely" in formatted(parse_method(Source("m", within)).method, within).split("branch two")[0]
