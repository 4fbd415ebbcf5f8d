"""What is legal, and what the checker says where a file of `tests/errors` would be too much."""

import pytest

from taxo.catalog import examine, parse
from taxo.language.constants import constant
from taxo.language.errors import CODES, Diagnostic, TaxoError
from taxo.language.findings import MOST_FINDINGS
from taxo.language.parser import parse_expression
from taxo.language.scope import Scope
from taxo.language.source import Source

PRIOR = "perturb {} by {} {{ {} direction mixed infer prior granularity sample }}"
SOLVED = "perturb {} by v {{ direction negative infer adversarial maximize loss {} via {} granularity {} }}"


def prior(target: str, form: str, where: str = "", above: str = "") -> str:
    return f"method m {above} " + PRIOR.format(target, form, where and f"where {where}")


@pytest.mark.parametrize(
    "text",
    [
        "method m",
        prior("logits", "log(class_prior) * u", "correct and not margin > 0"),
        prior("logits", "1 if progress > 0.5 else 0"),
        prior("logits", "(u if correct else p) / epochs"),
        prior("logits", "u[0] + u[argmax(p)] + class_count[2]"),
        prior("features", "stop(x) * clean.margin", "clean.loss in top(25%)"),
        prior("features", "xi", above="draw xi ~ uniform(-1, 1) per sample like x"),
        prior("weights", "w * xi", above="draw xi ~ normal(0, 1) per batch like w").replace(
            "granularity sample", "granularity corpus"
        ),
        prior("weights", "0.1 * w", "epoch >= 5"),
        prior("loss", "ce(u, y) - loss + entropy(p)"),
        prior("loss", "a", above="let a = b + l2(u) let b = loss / 2"),
        prior("loss", "net(clean.loss)", above="needs validation param net = mlp(1, 4, 1)").replace(
            "infer prior", ""
        )
        + " infer meta over net minimize net(clean.loss) on validation via lookahead(lr: lr)",
        "method m " + SOLVED.format("features", "within linf(8/255), box", "pgd(5, 2/255)", "sample"),
        "method m " + SOLVED.format("weights", "within l2(0.05)", "linearized", "corpus"),
        "method m " + SOLVED.format("logits", "within linf(3 * progress)", "gradient(step: 1)", "sample"),
    ],
)
def test_a_legal_method(text: str):
    method = parse(text)
    assert parse(str(method)) == method


@pytest.mark.parametrize("value", ["0", "0.1", "3", "1"])
def test_the_null_point_may_lie_outside_the_domain(value: str):
    parse(prior("logits", "t * u", above=f"null t = 0 param t = {value} in [0.1, 3]"))


@pytest.mark.parametrize("value", ["-1", "0.05", "3.1", "inf"])
def test_other_values_may_not(value: str):
    with pytest.raises(TaxoError, match="outside"):
        parse(prior("logits", "t * u", above=f"null t = 0 param t = {value} in [0.1, 3]"))


def test_choices_are_worth_trying_and_no_bounds():
    parse(prior("logits", "t * u", above="param t = 7 in {1, 2}"))


def test_words_are_checked_where_they_are_declared():
    with pytest.raises(TaxoError) as raised:
        parse(
            "method m param s = zerro in {zero, unform} "
            + SOLVED.format("logits", "within linf(1)", "pgd(1, 1, start: s)", "sample")
        )
    assert [(one.code, one.span and one.span.text) for one in raised.value.diagnostics] == [
        ("T206", "zerro"),
        ("T205", "unform"),
    ]


def test_a_misspelt_unknown_beside_a_parameter_is_the_parameter():
    with pytest.raises(TaxoError) as raised:
        parse(
            "method m param tau = 1 "
            + SOLVED.format("logits", "within linf(1)", "pgd(1, 1)", "sample").replace("by v", "by tua * v")
        )
    assert "did you mean `tau`?" in [one.help for one in raised.value.diagnostics]


def test_a_part_that_cannot_be_read_causes_no_other_error():
    text = prior("logits", "lam * u", above="param lam 0.5") + " param tau = * 1 let a = tau"
    with pytest.raises(TaxoError) as raised:
        parse(text)
    assert [(one.code, one.span and one.span.text) for one in raised.value.diagnostics] == [
        ("T101", "0.5"),
        ("T101", "*"),
        ("T202", "a"),
    ]


def test_two_errors_of_one_let_are_one():
    with pytest.raises(TaxoError) as raised:
        parse(
            "method m let a = nothing " + PRIOR.format("logits", "a + a", "") + PRIOR.format("loss", "a", "")
        )
    assert len(raised.value.diagnostics) == 1


def test_there_are_not_endlessly_many():
    with pytest.raises(TaxoError) as raised:
        parse("method m " + "".join(f"param p{number} = 1 " for number in range(500)))
    assert len(raised.value.diagnostics) == MOST_FINDINGS


def test_findings_come_in_the_order_of_the_text():
    text = (
        "method m let b = lam param c = 3 perturb logit by q { direction up infer prior granularity sample }"
    )
    with pytest.raises(TaxoError) as raised:
        parse(text)
    starts = [one.span.start for one in raised.value.diagnostics if one.span]
    assert starts == sorted(starts)
    assert len(starts) > 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 + 3 * 4 ^ 2 / 8 - 1", 7),
        ("-2 ^ 2", -4),
        ("15%", 0.15),
        ("1 if 2 > 1 and not 3 < 2 else 0", 1),
        ("0 if 2 >= 1 or 1 <= 0 else 1", 0),
        ("a * pi", 6.283185307179586),
        ("exp(0) + log(1) + sqrt(4) + abs(-1) + sign(-3) + relu(-1) + sigmoid(0) + stop(1)", 4.5),
        ("1 == 1", 1),
        ("1 != 1", 0),
        ("-inf", float("-inf")),
        ("sigmoid(-1000)", 0),
    ],
)
def test_the_value_of_a_constant(text: str, value: float):
    assert constant(parse_expression(text), {"a": 2}) == value


@pytest.mark.parametrize(
    "text", ["1 / 0", "log(-1)", "(-8) ^ 0.5", "9^9^9^9", "exp(1e5)", "sqrt(-1)", "inf - inf"]
)
def test_what_has_no_value(text: str):
    value = constant(parse_expression(text), {})
    assert value is not None
    assert value != value


@pytest.mark.parametrize(
    "text", ["u", "b + 1", "u[0]", "clean.loss", '"a"', "l1(2)", "1 if u else 2", "exp(u)"]
)
def test_what_is_no_constant(text: str):
    assert constant(parse_expression(text), {}) is None


def test_what_an_expression_reads():
    scope = Scope(parse(prior("logits", "a", above="let a = b * p let b = u + u")))
    assert list(scope.reads(parse_expression("a + a * y"))) == ["u", "p", "y"]


def test_messages_for_editors():
    findings = examine(Source("m.taxo", prior("logits", "class_prior[y]")))[1]
    assert [one.to_json() for one in findings] == [
        {
            "code": "T305",
            "page": "docs/errors/T305.md",
            "severity": "note",
            "message": "`sample` is finer than the form, which is per category",
            "help": "`granularity category` says the same",
            "file": "m.taxo",
            "line": 1,
            "column": 87,
            "length": 6,
        }
    ]
    assert Diagnostic("T401", "no data").to_json()["line"] is None


def test_codes_are_grouped():
    assert all(code[0] == "T" and code[1:].isdigit() and len(code) == 4 for code in CODES)
