"""Tables: what they keep for whom, the steps they take, and where they lie."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from taxo.language.errors import TaxoError
from taxo.ops.sets import Linf, Region
from taxo.ops.tables import Table

DOUBLE = torch.zeros(1, dtype=torch.float64)
STORES = ("device", "host", "half")
GRANULES = ("sample", "category", "corpus", "slot")


def batch(size: int, *shape: int, seed: int = 0) -> Tensor:
    return torch.randn(size, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def descend(
    table: Table,
    target: Tensor,
    index: Tensor | None,
    momentum: float = 0.0,
    dense: bool = False,
    within: Sequence[Region] = (),
) -> Tensor:
    """One step with rate 0.5 down half the squared distance; returns the rows before it."""
    rows = table.rows(index, target)
    loss = ((rows - target) ** 2).sum() / 2
    table.descend(loss, rows, index, 0.5, momentum, dense, within)
    return rows.detach()


def test_a_sample_has_its_own_row():
    table = Table("sample", 9, (3,), DOUBLE)
    index, target = torch.tensor([2, 5]), batch(2, 3)
    descend(table, target, index)
    expected = torch.zeros(9, 3, dtype=torch.float64)
    expected[index] = 0.5 * target
    torch.testing.assert_close(table.value, expected)


def test_momentum_is_that_of_sgd():
    table = Table("corpus", 1, (4,), DOUBLE, momentum=True)
    twin = nn.Parameter(torch.zeros(1, 4, dtype=torch.float64))
    optimizer = torch.optim.SGD([twin], lr=0.5, momentum=0.9)
    for seed in range(4):
        target = batch(1, 4, seed=seed)
        descend(table, target, None, momentum=0.9)
        optimizer.zero_grad()
        (((twin - target) ** 2).sum() / 2).backward()
        optimizer.step()
        torch.testing.assert_close(table.value, twin.detach(), rtol=1e-12, atol=1e-12)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.floats(0, 0.95), st.integers(0, 99))
def test_rows_of_a_batch_step_once_however_often_they_are_in_it(
    places: list[int], momentum: float, seed: int
):
    """Written out sample by sample: v <- m v + sum of slopes, w <- w - lr v; the others rest."""
    table = Table("sample", 6, (2,), DOUBLE, momentum=True)
    value, velocity = batch(6, 2, seed=seed), batch(6, 2, seed=seed + 1)
    table.value.copy_(value)
    table.velocity.copy_(velocity)
    index, slopes = torch.tensor(places), batch(len(places), 2, seed=seed + 2)
    table.descend_by(slopes, table.rows(index), index, 0.3, momentum, dense=False)
    for row in set(places):
        mine = [slope for place, slope in zip(places, slopes, strict=True) if place == row]
        velocity[row] = momentum * velocity[row] + torch.stack(mine).sum(0)
        value[row] -= 0.3 * velocity[row]
    torch.testing.assert_close(table.value, value, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(table.velocity, velocity, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("store", STORES)
def test_dense_momentum_moves_every_row(store: str):
    table = Table("sample", 5, (2,), DOUBLE, momentum=True, store=store)
    twin = nn.Parameter(torch.zeros(5, 2, dtype=torch.float64))
    optimizer = torch.optim.SGD([twin], lr=0.5, momentum=0.75)
    for places in ([0, 3], [1, 1], [4, 2]):
        index, target = torch.tensor(places), batch(2, 2, seed=places[0])
        descend(table, target, index, momentum=0.75, dense=True)
        optimizer.zero_grad()
        (((twin[index] - target) ** 2).sum() / 2).backward()
        optimizer.step()
    near = 2e-2 if store == "half" else 1e-12
    torch.testing.assert_close(table.value.double(), twin.detach(), rtol=near, atol=near)


def test_classes_outside_the_batch_rest():
    table = Table("category", 4, (2,), DOUBLE, momentum=True)
    target = batch(4, 2)
    descend(table, target, torch.tensor([0, 2, 2]), momentum=0.9)
    assert bool((table.value[[0, 2]] != 0).all())
    assert bool((table.value[[1, 3]] == 0).all())
    assert bool((table.velocity[[1, 3]] == 0).all())
    descend(table, target, None, momentum=0.9)
    assert bool((table.value != 0).all())


def test_slots_grow_with_the_largest_batch():
    table = Table("slot", 0, None, DOUBLE, start=0.25)
    assert table.rows(like=batch(2, 3)).shape == (2, 3)
    table.keep(torch.ones(2, 3, dtype=torch.float64))
    rows = table.rows(like=batch(4, 3))
    assert rows.tolist() == [[1.0] * 3] * 2 + [[0.25] * 3] * 2
    assert table.rows(like=batch(1, 3)).shape == (1, 3)
    assert table.value.shape == (4, 3)


@pytest.mark.parametrize("granule", GRANULES)
def test_the_shape_is_that_of_the_first_batch(granule: str):
    table = Table(granule, 7, None, DOUBLE, start=torch.tensor([1.0, 2.0]))
    index = torch.tensor([3, 1, 6])
    rows = table.rows(index, batch(3, 4, 2))
    expected = {"sample": 3, "category": 7, "corpus": 1, "slot": 3}[granule]
    assert rows.shape == (expected, 4, 2)
    assert rows.is_leaf
    assert rows.requires_grad
    torch.testing.assert_close(rows.detach()[-1, -1], torch.tensor([1.0, 2.0], dtype=torch.float64))


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("granule", GRANULES)
def test_rows_do_not_share_memory_with_the_table(granule: str, store: str):
    """They may be in a graph whose backward comes after the step."""
    table = Table(granule, 4, None, DOUBLE, store=store)
    index = torch.tensor([0, 1])
    rows = table.rows(index, batch(2, 3))
    kept = (rows**2).sum()
    table.keep(torch.ones_like(rows), index)
    kept.backward()
    assert rows.grad is not None
    assert bool((rows.grad == 0).all())


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_rows_come_in_the_type_that_is_computed_in(store: str, dtype: torch.dtype):
    table = Table("sample", 6, (3,), torch.zeros(1), momentum=True, store=store)
    index, target = torch.tensor([1, 4]), batch(2, 3).to(dtype)
    before = descend(table, target, index, momentum=0.5)
    assert before.dtype == dtype
    near = 1e-2 if dtype == torch.bfloat16 or store == "half" else 1e-6
    torch.testing.assert_close(table.read(index).double(), 0.5 * target.double(), rtol=near, atol=near)


def test_low_precision_does_not_wear_a_table_out():
    """Steps too small for a bfloat16 value add up, since the table itself is float32."""
    table = Table("corpus", 1, (), torch.zeros(1, dtype=torch.bfloat16), start=1.0)
    like = torch.zeros(1, dtype=torch.bfloat16)
    for _ in range(100):
        rows = table.rows(like=like)
        table.descend_by(torch.ones_like(rows), rows, None, 1e-4, 0.0, dense=False)
    torch.testing.assert_close(table.value, torch.tensor([0.99]))


@pytest.mark.parametrize("granule", GRANULES)
def test_regions_bound_what_is_written(granule: str):
    table = Table(granule, 4, (2,), DOUBLE)
    target = 10 * batch({"category": 4, "corpus": 1}.get(granule, 2), 2)
    descend(table, target, torch.tensor([0, 1]), within=[Linf(0.125)])
    assert float(table.value.abs().max()) == 0.125


def test_a_negative_rate_climbs_and_no_gradient_teaches_nothing():
    table = Table("sample", 3, (), DOUBLE)
    index = torch.tensor([1])
    rows = table.rows(index)
    table.descend(rows.detach().sum(), rows, index, 1.0, 0.0, dense=False)
    assert table.value.tolist() == [0, 0, 0]
    table.descend(rows.sum(), rows, index, -2.0, 0.0, dense=False)
    assert table.value.tolist() == [0, 2, 0]


def test_momentum_needs_its_table():
    table = Table("corpus", 1, (), DOUBLE)
    with pytest.raises(ValueError, match="without momentum"):
        table.descend_by(torch.ones(1), table.rows(), None, 1.0, 0.9, dense=False)


def test_of_rows_written_twice_the_last_counts():
    table = Table("sample", 4, (), DOUBLE)
    table.keep(torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([2, 0, 2, 0]))
    assert table.value.tolist() == [4, 0, 3, 0]


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("granule", GRANULES)
@pytest.mark.parametrize("fed", [False, True])
def test_a_saved_table_loads_before_and_after_the_first_batch(granule: str, store: str, fed: bool):
    table, twin = (Table(granule, 4, None, DOUBLE, momentum=True, store=store) for _ in range(2))
    index, target = torch.tensor([0, 3]), batch(2, 3)
    rows = table.rows(index, target)
    table.descend_by(torch.ones_like(rows), rows, index, 0.5, 0.5, dense=False)
    if fed:
        twin.rows(index[:1], target[:1])
    twin.load_state_dict(table.state_dict())
    torch.testing.assert_close(twin.state_dict(), table.state_dict(), rtol=0, atol=0)
    assert twin.rows(index, target).tolist() == table.rows(index, target).tolist()


def test_a_table_without_a_shape_is_saved_as_such():
    table, twin = (Table("sample", 4, None, DOUBLE) for _ in range(2))
    twin.rows(torch.tensor([0]), batch(1, 2))
    twin.load_state_dict(table.state_dict())
    assert twin.rows(torch.tensor([0]), batch(1, 5)).shape == (1, 5)


@pytest.mark.parametrize("shape", [(3,), None])
def test_a_table_of_other_data_is_refused(shape: tuple[int, ...] | None):
    saved = Table("sample", 5, (3,), DOUBLE).state_dict()
    with pytest.raises(RuntimeError, match="size mismatch"):
        Table("sample", 4, shape, DOUBLE).load_state_dict(saved)


@pytest.mark.parametrize("shape", [(3,), None])
def test_a_table_may_be_loaded_into_another_store(shape: tuple[int, ...] | None):
    table, twin = (Table("sample", 4, shape, DOUBLE, store=store) for store in ("device", "half"))
    index, target = torch.tensor([0, 3]), batch(2, 3)
    table.keep(target, index)
    twin.load_state_dict(table.state_dict())
    assert twin.value.dtype == torch.float16
    torch.testing.assert_close(twin.read(index, target), target, rtol=1e-3, atol=1e-3)


def test_a_copy_is_apart():
    table = Table("sample", 4, None, DOUBLE, momentum=True)
    index, target = torch.tensor([2]), batch(1, 3)
    descend(table, target, index)
    twin = copy.deepcopy(table)
    descend(table, target, index)
    torch.testing.assert_close(twin.read(index), 0.5 * target)
    torch.testing.assert_close(table.read(index), 0.75 * target)


@pytest.mark.parametrize(("store", "device"), [("device", "meta"), ("half", "meta"), ("host", "cpu")])
def test_a_table_moves_with_its_module_unless_it_is_the_hosts(store: str, device: str):
    table = nn.Sequential(Table("sample", 4, (2,), DOUBLE, momentum=True, store=store)).to("meta")[0]
    assert isinstance(table, Table)
    assert [table.value.device.type, table.velocity.device.type] == [device] * 2
    assert table.home.device.type == "meta"
    assert set(table.state_dict()) == {"value", "velocity"}


def test_a_module_that_becomes_double_computes_in_double():
    table = Table("sample", 4, (2,), torch.zeros(1), momentum=True).double()
    index, target = torch.tensor([1]), batch(1, 2)
    descend(table, target, index, momentum=0.5, dense=True)
    torch.testing.assert_close(table.value[index], 0.5 * target, rtol=1e-15, atol=0)


def test_a_table_that_cannot_fit_is_refused_at_once():
    with pytest.raises(TaxoError, match=r"error\[T410\]: a table's 1000000000000 rows"):
        Table("sample", 10**12, (10,), torch.zeros(1))


def test_a_table_that_cannot_fit_is_refused_at_the_first_batch():
    table = Table("sample", 10**12, None, torch.zeros(1))
    with pytest.raises(TaxoError, match="T410"):
        table.rows(torch.tensor([0]), torch.zeros(1, 10))
