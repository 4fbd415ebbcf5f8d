"""What the checker says of pairs is what loading them says."""

from pathlib import Path

import pytest

import taxo
from taxo.catalog import library_for, library_of, load
from taxo.language.check import check, errors
from taxo.language.errors import TaxoError
from taxo.laws.pairs import Pair, pair, pairs

HEAD = "perturb loss by 0.1 * loss { direction negative infer prior granularity sample }"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, scale in (("one", 30), ("other", 64)):
        (tmp_path / f"{name}.taxo").write_text(f"method {name}\nneeds cosine_head({scale})\n{HEAD}\n")
    return tmp_path


def test_every_pair_once():
    found = [one.name for one in pairs(taxo.methods())]
    count = len(taxo.methods())
    assert len(found) == len(set(found)) == count * (count - 1) // 2


@pytest.mark.parametrize("one", list(pairs(taxo.methods())), ids=lambda one: one.name)
def test_a_pair_is_what_loading_it_gives(one: Pair):
    try:
        method = load(one.name)
        found = check(method, library=library_for(method))
    except TaxoError as error:
        found = list(error.diagnostics)
    assert one.codes == sorted({finding.code for finding in found})
    assert one.refused == bool(errors(found))


def test_two_owners_of_the_head_are_refused_with_code_and_message(folder: Path):
    found = pair("one", "other", library_of(folder))
    assert found.refused
    assert found.codes == ["T212"]
    (said,) = [one.message for one in found.findings if one.severity == "error"]
    assert said == "`one` and `other` both claim the head"


def test_an_order_that_matters_is_noted():
    found = pair("damp", "sam", library_of(None))
    assert not found.refused
    assert found.codes == ["T307"]
