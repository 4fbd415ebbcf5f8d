"""Samples that are in a batch more than once."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from taxo.ops.repeats import groups_of, last_of_repeats, over_repeats

PLACES = st.lists(st.integers(0, 9), max_size=12)


@given(PLACES)
def test_rows_of_a_sample_share_a_number_below_the_size(places: list[int]):
    groups = groups_of(torch.tensor(places, dtype=torch.long)).tolist()
    assert all(0 <= group < len(places) for group in groups)
    pairs = [(one, two) for one in range(len(places)) for two in range(len(places))]
    assert all((groups[i] == groups[j]) == (places[i] == places[j]) for i, j in pairs)


@given(PLACES)
def test_every_row_gets_the_sum_of_its_sample(places: list[int]):
    index = torch.tensor(places, dtype=torch.long)
    rows = torch.arange(len(places), dtype=torch.float64) + 1
    expected = [float(rows[index == place].sum()) for place in places]
    assert over_repeats(groups_of(index), rows).tolist() == expected


@given(PLACES)
def test_the_last_row_of_each_sample(places: list[int]):
    last = {place: number for number, place in enumerate(places)}
    found = last_of_repeats(torch.tensor(places, dtype=torch.long)).tolist()
    assert found == [last[place] for place in places]
