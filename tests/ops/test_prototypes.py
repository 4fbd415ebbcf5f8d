"""Prototypes, against their description written out class by class."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from taxo.ops.prototypes import Prototypes, prototypes


def chosen(rows: np.ndarray, count: int) -> list[int]:
    """The places of the typical vectors of one class."""
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    similar = unit @ unit.T
    ranked = np.sort(similar.flatten())
    density = (similar > ranked[int(0.4 * (len(ranked) - 1))]).sum(1)
    order = sorted(range(len(rows)), key=lambda one: (-density[one], one))
    alike = [any(similar[one, other] >= 0.95 for other in order[:place]) for place, one in enumerate(order)]
    best = [one for one, close in zip(order, alike, strict=True) if not close]
    best += [one for one, close in zip(order, alike, strict=True) if close]
    return [best[turn % len(best)] for turn in range(count)]


def features(size: int, seed: int, noise: float = 0.08) -> Tensor:
    """Three heaps of vectors, of very different sizes."""
    rng = np.random.default_rng(seed)
    heap = rng.choice(3, size, p=[0.6, 0.3, 0.1])
    return torch.tensor(np.eye(5)[heap] + rng.normal(0, noise, (size, 5)))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1, 2, 5, 40])
def test_those_that_most_are_near_to_and_that_differ(seed: int, size: int):
    rows = features(size, seed)
    padded = torch.cat([rows, torch.full((4, 5), 9.0, dtype=torch.float64)])
    found = prototypes(padded[None], torch.tensor([size]), 3)[0]
    assert torch.equal(found, rows[chosen(rows.numpy(), 3)])


def test_three_heaps_have_a_prototype_each():
    found = prototypes(features(60, 1, 0.03)[None], torch.tensor([60]), 3)[0]
    assert sorted(found.argmax(1).tolist()) == [0, 1, 2]


def test_an_epoch_of_batches():
    state, rows, y = Prototypes("category", 3, count=2), features(30, 2), torch.arange(30) % 2
    for part, labels in zip(rows.split(7), y.split(7), strict=True):
        state.update(part, labels)
        assert bool((state.value == 0).all())
    state.turn()
    for one in (0, 1):
        mine = rows[y == one]
        assert torch.equal(state.value[one], mine[chosen(mine.numpy(), 2)])
    assert bool((state.value[2] == 0).all())
    before = state.value.clone()
    state.update(rows[:4] + 1, torch.tensor([2, 2, 2, 0]))
    state.turn()
    assert torch.equal(state.value[1], before[1])
    assert torch.equal(state.value[0], (rows[3] + 1).expand(2, 5))


@pytest.mark.parametrize("size", [1, 3, 7, 20])
def test_of_many_vectors_the_last_are_kept(size: int):
    state, rows, y = Prototypes("category", 2, count=3, most=4), features(20, 3), torch.arange(20) % 3 % 2
    for part, labels in zip(rows.split(size), y.split(size), strict=True):
        state.update(part, labels)
    state.turn()
    for one in (0, 1):
        kept = {tuple(row) for row in rows[y == one][-4:].tolist()}
        assert {tuple(row) for row in state.value[one].tolist()} <= kept
    recent = {tuple(row) for row in state.recent[0, :4].tolist()}
    assert recent == {tuple(row) for row in rows[y == 0][-4:].tolist()}


def test_only_what_counts_is_kept():
    state, rows = Prototypes("category", 2, every="step", count=2), features(3, 4)
    rows[1] = torch.nan
    state.update(
        rows, torch.tensor([[0.9, 0.1], [0.1, 0.9], [0.6, 0.4]]), where=torch.tensor([True, False, True])
    )
    assert {tuple(row) for row in state.value[0].tolist()} == {tuple(row) for row in rows[[0, 2]].tolist()}
    assert bool((state.value[1] == 0).all())
    assert state.seen.tolist() == [2, 0]


def test_many_classes_go_in_parts():
    state, rows, y = Prototypes("category", 150, count=1), features(150, 5), torch.arange(150)
    state.update(rows, y)
    state.turn()
    assert torch.equal(state.value[:, 0], rows)


def test_a_value_may_be_given():
    state = Prototypes("category", 3, count=2)
    state.turn(torch.ones(3, 2, 5))
    assert torch.equal(state.value, torch.ones(3, 2, 5))
