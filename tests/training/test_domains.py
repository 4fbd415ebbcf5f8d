"""What of a method is tuned."""

from __future__ import annotations

import pytest

from taxo.language.errors import TaxoError
from taxo.training.domains import Domain, domains, shown


def test_parameters_that_have_a_domain():
    lam, eta = domains("logpert", [])
    assert lam == Domain("lam", "0.3", ("0.175", "0.3", "0.35"))
    assert (eta.name, str(eta)) == ("eta", "{1.5, 3, 6, 12}")
    (smoothing,) = domains("label_smoothing", [])
    assert smoothing == Domain("lam", "0.1", (), 0.0, 1.0)


def test_what_is_set_is_left_alone():
    assert [one.name for one in domains("logpert(lam: 0.2)", [])] == ["eta"]
    assert [one.name for one in domains("logpert", ["eta"])] == ["lam"]


def test_those_of_a_composition_have_their_owners_name():
    names = [one.name for one in domains("polyloss+damp(parts: 2)", [])]
    assert names == ["polyloss.eps", "damp.sigma"]


def test_what_is_learned_is_not_tuned():
    with pytest.raises(TaxoError, match=r"T503.*leaves no parameter that has a domain"):
        domains("metamixup", ["share", "alpha"])


def test_numbers_are_tried_as_they_are_written():
    assert [shown(value) for value in (0.123456789, 1e-7, 3.0)] == ["0.123457", "1e-07", "3"]
