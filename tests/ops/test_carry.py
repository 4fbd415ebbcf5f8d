"""The previous batch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor

from taxo.ops.carry import Carry


def views(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    return torch.arange(6).reshape(2, 3).to(dtype), torch.ones(2, 1, dtype=dtype)


def same(one: object, two: object) -> bool:
    if isinstance(one, tuple) and isinstance(two, tuple):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, Tensor) and isinstance(two, Tensor):
        return one.dtype == two.dtype and torch.equal(one, two)
    return one is two is None


def test_before_the_first_batch_there_is_none():
    assert Carry().get() is None


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16, torch.int32])
@pytest.mark.parametrize("several", [True, False])
@pytest.mark.parametrize("index", [torch.tensor([4, 2]), None])
def test_a_batch_comes_back_also_after_saving(dtype: torch.dtype, several: bool, index: Tensor | None):
    x = views(dtype) if several else views(dtype)[0]
    carry, y = Carry(), torch.tensor([1, 0])
    carry.put(x, y, index)
    assert same(carry.get(), (x, y, index))
    for twin in (Carry(), Carry()):
        twin.load_state_dict(carry.state_dict())
        assert same(twin.get(), (x, y, index))
        twin.load_state_dict(Carry().state_dict())
        assert twin.get() is None
    assert same(copy.deepcopy(carry).get(), (x, y, index))


def test_a_smaller_batch_of_fewer_views_takes_the_place_of_a_larger():
    carry = Carry()
    carry.put(views(), torch.tensor([1, 0]), torch.tensor([4, 2]))
    carry.put(views()[0][:1], torch.tensor([[0.5, 0.5]]))
    assert same(carry.get(), (views()[0][:1], torch.tensor([[0.5, 0.5]]), None))
    assert set(carry.state_dict()) == {"form", "x0", "y"}


def test_what_was_got_or_put_is_not_changed_by_the_next_batch():
    carry, x, y = Carry(), torch.zeros(2, 3), torch.tensor([1, 0])
    carry.put(x, y)
    got = carry.get()
    assert got is not None
    x.fill_(7)
    carry.put(torch.ones(2, 3), torch.tensor([0, 1]))
    assert same(got, (torch.zeros(2, 3), torch.tensor([1, 0]), None))


def test_a_loader_may_give_views_as_a_list():
    carry = Carry()
    carry.put(list(views()), torch.tensor([1, 0]))
    assert same(carry.get(), (views(), torch.tensor([1, 0]), None))
