"""The order of the samples."""

from __future__ import annotations

import torch

from taxo.training.order import Order


def test_every_epoch_is_a_permutation_of_its_own():
    order = Order(100, seed=0)
    first, second = order.draw(), order.draw()
    assert torch.equal(first.sort().values, torch.arange(100))
    assert not torch.equal(first, second)


def test_the_state_draws_the_current_epoch_again():
    order, resumed = Order(100, seed=0), Order(100, seed=9)
    order.draw()
    current = order.draw()
    resumed.rewind(order.state)
    assert torch.equal(resumed.draw(), current)
    assert torch.equal(resumed.draw(), order.draw())


def test_torchs_own_generator_is_not_touched():
    before = torch.get_rng_state()
    Order(100, seed=0).draw()
    assert torch.equal(torch.get_rng_state(), before)
