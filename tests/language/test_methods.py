"""Every method of the design, said in the language: what it declares, and what its form shows."""

import pytest

from taxo.catalog import library_of, load, look, parse, shipped
from taxo.language.compose import expanded
from taxo.language.coordinates import probed
from taxo.language.errors import TaxoError
from taxo.language.layout import formatted
from taxo.language.method import Method
from taxo.language.probe import probe
from taxo.language.simplex import stays
from tests.language.coordinates import (
    declared,
    derived,
    method_of,
    path_of,
    scenes,
    text_of,
    verdicts,
)
from tests.language.table_of_methods import DERIVED, LEARNED, PROBED, SHOWN

each = pytest.mark.parametrize("stem", SHOWN)


def test_the_table_has_shipped_methods_only():
    assert set(SHOWN) <= set(shipped())


@each
def test_a_method_has_no_errors(stem: str):
    _, findings = look(str(path_of(stem)))
    assert [str(one) for one in findings if one.severity == "error"] == []


@each
def test_a_method_is_in_canonical_form(stem: str):
    assert formatted(method_of(stem), text_of(stem)) == text_of(stem)


@each
def test_text_and_json_read_back_as_the_same_method(stem: str):
    method = method_of(stem)
    assert parse(str(method), str(path_of(stem))) == method
    again = Method.from_json(method.to_json())
    assert again == method
    assert str(again) == str(method)


@each
def test_a_method_has_a_title_a_summary_and_a_source(stem: str):
    method = method_of(stem)
    assert method.title
    assert method.summary.endswith(".")
    assert method.cite


@each
def test_a_method_declares_its_coordinates(stem: str):
    assert [str(one) for one in declared(stem)] == list(SHOWN[stem])


@each
def test_a_method_finds_what_the_table_says(stem: str):
    found = [
        f"{infer.manner} over {', '.join(map(str, infer.over))}"
        + (f" on {infer.on.name}" if infer.on else "")
        for infer in method_of(stem).infers
    ]
    assert found == ([LEARNED[stem]] if stem in LEARNED else [])


@each
def test_derived_coordinates_differ_where_the_table_says_why(stem: str):
    found = {}
    for place, (said, shown) in enumerate(zip(declared(stem), derived(stem), strict=True)):
        for name in ("direction", "manner", "granularity"):
            claim, form = getattr(said, name), getattr(shown, name)
            if form not in ("?", claim):
                found[(place, name)] = form
    assert found == {(place, name): form for place, name, form, _ in DERIVED.get(stem, ())}


def test_every_listed_difference_has_a_method_and_a_reason():
    assert set(DERIVED) <= set(SHOWN)
    assert all(reason for rows in DERIVED.values() for *_, reason in rows)


@each
def test_the_probe_agrees_with_the_direction(stem: str):
    said = [item.direction.text for item, scope in scenes(stem) if probed(item, scope)]
    assert verdicts(stem) == (list(PROBED[stem][0]) if stem in PROBED else said)


@each
def test_what_is_proved_of_labels_is_true(stem: str):
    for item, scope in scenes(stem):
        if item.target.text == "labels" and stays(item, scope) and probed(item, scope):
            assert probe(item, scope).off_simplex < 1e-9


@pytest.mark.parametrize(
    "stems",
    ["esp+mixup", "mixpert+sam", "isda+damp", "augmix+esp", "dpl+cutmix", "ldam+deferred_reweighting"],
)
def test_methods_that_go_together(stems: str):
    shown = [one for stem in stems.split("+") for one in declared(stem)]
    both = expanded(load(stems), library_of(None))
    assert sorted(item.target.text for item in both.perturbations()) == sorted(one.target for one in shown)


@pytest.mark.parametrize(
    ("stems", "thing"),
    [
        ("dpl+dpl_replace", "round loop"),
        ("advprop+interpolated_at", "branches"),
        ("robust_regression+adversarial_label_smoothing", "labels"),
        ("damp+daap", "split"),
        ("arcface+ldam", "head"),
        ("svm+robust_clustering", "base objective"),
        ("augmix+multiview_robust", "views"),
    ],
)
def test_methods_that_want_the_same_thing(stems: str, thing: str):
    with pytest.raises(TaxoError, match=f"both claim the {thing}"):
        load(stems)
