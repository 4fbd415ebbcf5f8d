"""Every method of the design, said in the language: what it declares, and what its form shows."""

import pytest

from taxo.catalog import library_of, look, parse
from taxo.language.coordinates import probed
from taxo.language.layout import formatted
from taxo.language.method import Method
from tests.language.drafts import DRAFTS, FOLDER, declared, derived, method_of, scenes, text_of, verdicts
from tests.language.table_of_methods import DERIVED, PROBED, SHOWN

each = pytest.mark.parametrize("stem", DRAFTS)


def test_the_table_has_every_method():
    assert sorted(SHOWN) == DRAFTS


@each
def test_a_method_has_no_errors(stem: str):
    _, findings = look(str(FOLDER / f"{stem}.taxo"))
    assert [str(one) for one in findings if one.severity == "error"] == []


@each
def test_a_method_is_in_canonical_form(stem: str):
    assert formatted(method_of(stem), text_of(stem)) == text_of(stem)


@each
def test_text_and_json_read_back_as_the_same_method(stem: str):
    method = method_of(stem)
    assert parse(str(method), str(FOLDER / f"{stem}.taxo")) == method
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
def test_derived_coordinates_differ_where_the_table_says_why(stem: str):
    found = {}
    for place, (said, shown) in enumerate(zip(declared(stem), derived(stem), strict=True)):
        for name in ("direction", "manner", "granularity"):
            claim, form = getattr(said, name), getattr(shown, name)
            if form not in ("?", claim):
                found[(place, name)] = form
    assert found == {(place, name): form for place, name, form, _ in DERIVED.get(stem, ())}


def test_every_listed_difference_has_a_method_and_a_reason():
    assert set(DERIVED) <= set(DRAFTS)
    assert all(reason for rows in DERIVED.values() for *_, reason in rows)


@each
def test_the_probe_agrees_with_the_direction(stem: str):
    said = [item.direction.text for item, scope in scenes(stem) if probed(item, scope)]
    assert verdicts(stem) == (list(PROBED[stem][0]) if stem in PROBED else said)


def test_a_method_that_uses_others_finds_its_neighbours():
    assert "mixup" in library_of(FOLDER).names()
