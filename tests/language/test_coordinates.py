"""The coordinates that forms show, for the shipped methods and at the edges of the rules."""

import pytest

from taxo.catalog import load, parse, shipped
from taxo.language.check import check
from taxo.language.coordinates import derive
from taxo.language.errors import TaxoError
from taxo.language.probe import probe
from taxo.language.scope import Scope
from tests.language.table_of_methods import SHOWN

# target, declared direction, manner, declared granularity; derived granularity, derived direction
TABLE = {
    "plain": [],
    "damp": [("weights", "mixed", "prior", "corpus", "corpus", None)],
    "label_smoothing": [("labels", "mixed", "prior", "sample", "category", None)],
    "logit_adjustment": [("logits", "mixed", "prior", "corpus", "corpus", None)],
    "logpert": [("logits", "positive", "regularization", "sample", "sample", "positive")],
    "mixpert": [
        ("features", "negative", "adversarial", "sample", "sample", "negative"),
        ("logits", "positive", "adversarial", "sample", "sample", "positive"),
    ],
    "pgd_at": [("features", "negative", "adversarial", "sample", "sample", "negative")],
    "polyloss": [("loss", "negative", "tuning", "sample", "corpus", None)],
    "sam": [("weights", "negative", "adversarial", "corpus", "corpus", "negative")],
}
FORM = "perturb {} by {} {{ direction {} infer prior granularity {} }}"


def test_the_table_has_every_method():
    assert {*TABLE, *SHOWN} >= set(shipped())


@pytest.mark.parametrize("stem", TABLE)
def test_a_methods_coordinates(stem: str):
    method = load(stem)
    found = []
    for item in method.perturbations():
        derived = derive(item, Scope(method))
        (grain,) = [word.text for word in item.granularity]
        assert derived.manner == item.infer.manner.text
        found.append(
            (
                item.target.text,
                item.direction.text,
                item.infer.manner.text,
                grain,
                derived.granularity.name.lower(),
                derived.direction,
            )
        )
    assert found == TABLE[stem]


@pytest.mark.parametrize("stem", TABLE)
def test_a_shipped_method_has_no_error_and_only_notes_on_granularity(stem: str):
    finer = {"label_smoothing", "polyloss"}
    assert {one.code for one in check(load(stem))} == ({"T305"} if stem in finer else set())


@pytest.mark.parametrize(
    ("target", "form", "grain"),
    [
        ("logits", "1", "corpus"),
        ("logits", "class_prior", "corpus"),
        ("logits", "progress * class_prior", "corpus"),
        ("logits", "u", "corpus"),
        ("logits", "0.1 * u - u / 2 + 1", "corpus"),
        ("logits", "u * u", "sample"),
        ("logits", "exp(u)", "sample"),
        ("logits", "p", "sample"),
        ("logits", "margin * u", "sample"),
        ("logits", "class_prior[y]", "category"),
        ("logits", "clean.loss", "sample"),
        ("labels", "0.1 * (1 / C - y)", "category"),
        ("loss", "loss / 2", "corpus"),
        ("features", "-x / 2", "corpus"),
        ("features", "sign(x)", "sample"),
        ("weights", "0.1 * w", "corpus"),
        ("weights", "sign(w)", "corpus"),
    ],
)
def test_the_granularity_of_a_form(target: str, form: str, grain: str):
    method = parse("method m " + FORM.format(target, form, "mixed", "sample"))
    (item,) = method.perturbations()
    assert derive(item, Scope(method)).granularity.name.lower() == grain


@pytest.mark.parametrize(("per", "grain"), [("sample", "sample"), ("batch", "corpus")])
def test_the_granularity_of_a_draw(per: str, grain: str):
    text = f"method m draw r ~ normal(0, 1) per {per} let a = 2 * r "
    method = parse(text + FORM.format("logits", "a", "mixed", "sample"))
    (item,) = method.perturbations()
    assert derive(item, Scope(method)).granularity.name.lower() == grain


def test_a_let_hides_nothing_from_the_granularity():
    with pytest.raises(TaxoError, match="T301"):
        parse("method m let a = p " + FORM.format("logits", "a", "mixed", "corpus"))


@pytest.mark.parametrize(
    ("target", "form", "direction"),
    [
        ("loss", "abs(u[0])", "negative"),
        ("loss", "-loss / 2", "positive"),
        ("labels", "0.3 * (onehot(argmin(p)) - y)", "negative"),
        ("labels", "0.3 * (onehot(argmax(p)) - y)", "positive"),
        ("logits", "y", "positive"),
        ("logits", "-y", "negative"),
        ("logits", "3 * (y - p)", "positive"),
    ],
)
def test_a_direction_that_a_probe_confirms(target: str, form: str, direction: str):
    parse("method m " + FORM.format(target, form, direction, "sample"))
    parse("method m " + FORM.format(target, form, "mixed", "sample"))
    opposite = {"positive": "negative", "negative": "positive"}[direction]
    with pytest.raises(TaxoError, match=f"write `direction {direction}`"):
        parse("method m " + FORM.format(target, form, opposite, "sample"))


def test_a_probe_is_the_same_every_time():
    method = load("label_smoothing")
    (item,) = method.perturbations()
    assert probe(item, Scope(method)) == probe(item, Scope(method))


@pytest.mark.parametrize("form", ["0.4 * (p - y)", "0.4 * (softmax(2 * u) - y)", "onehot(argmax(u)) - y"])
def test_labels_that_stay_labels(form: str):
    parse("method m " + FORM.format("labels", form, "mixed", "sample"))


@pytest.mark.parametrize("form", ["0.4 * y", "1.4 * (p - y)", "-0.1 * (p - y)", "u", "1"])
def test_labels_that_leave_the_simplex(form: str):
    with pytest.raises(TaxoError, match="T304"):
        parse("method m " + FORM.format("labels", form, "mixed", "sample"))


@pytest.mark.parametrize(
    "form",
    [
        "relu(u) + sigmoid(u) + exp(-abs(u)) + sqrt(abs(u)) + sign(u) + stop(u)",
        "l1(u) * u + l2(p) * p + linf(y) + entropy(p) * u + ce(u, y) * y + gradnorm * u + margin * y",
        "log(class_prior[y]) * u if u[0] > 1 and not correct or p[y] < 0.5 else 0",
        "onehot(argmin(u)) * u^2 / epochs",
        "a * r",
        "u * k if clean.loss in top(25%) else b",
        "(1 if progress >= 0.5 else 2) * u",
    ],
)
def test_a_probe_reads_every_kind_of_form(form: str):
    above = "draw r ~ normal(0, 1) per sample draw k ~ uniform(1, 2) per batch let a = p + r let b = k + r "
    text = f"method m {above}" + FORM.format(
        "logits", f"0 * (a + b + k + r) + 0.1 * ({form})", "mixed", "sample"
    )
    method = parse(text)
    (item,) = method.perturbations()
    found = probe(item, Scope(method))
    assert 0 < found.raised + found.lowered <= 1


def test_a_probe_keeps_to_its_condition():
    method = parse(
        "method m perturb logits by y { where margin in top(25%)"
        " direction positive infer prior granularity category }"
    )
    (item,) = method.perturbations()
    assert probe(item, Scope(method)).lowered == 0.25
