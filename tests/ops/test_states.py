"""States in general: held values, what a reader gets, saving and copying."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from taxo.ops.covariance import Covariance
from taxo.ops.prototypes import Prototypes
from taxo.ops.running import Deviation, Ema, Mean
from taxo.ops.states import Held, State

N = 6
MAKERS: dict[str, Callable[[str, str], State]] = {
    "held": lambda granule, every: Held(granule, N, every=every),
    "mean": lambda granule, every: Mean(granule, N, every=every),
    "window": lambda granule, every: Mean(granule, N, every=every, last=2),
    "deviation": lambda granule, every: Deviation(granule, N, every=every, last=3),
    "ema": lambda granule, every: Ema(granule, N, every=every, decay=0.5),
    "covariance": lambda granule, every: Covariance(granule, N, every=every),
    "variances": lambda granule, every: Covariance(granule, N, every=every, diagonal=True),
    "prototypes": lambda granule, every: Prototypes(granule, N, every=every, count=2, most=3),
}
GRANULES = {"held": ("sample", "corpus"), "covariance": ("category", "corpus")}
GRANULES |= {"variances": ("category", "corpus"), "prototypes": ("category",)}
CASES = [
    (name, granule, every)
    for name in MAKERS
    for granule in GRANULES.get(name, ("sample", "category", "corpus"))
    for every in ("step", "epoch")
]
each_case = pytest.mark.parametrize(("name", "granule", "every"), CASES)


def feed(state: State, seed: int, dtype: torch.dtype = torch.float64) -> None:
    """A batch of four, of which a state of one value per corpus holds the first."""
    generator = torch.Generator().manual_seed(seed)
    values = torch.randn(4, 3, dtype=torch.float64, generator=generator).to(dtype)
    places = torch.randint(0, N, (4,), generator=generator)
    if isinstance(state, Held) and state.granule == "corpus":
        state.set(values[0])
    else:
        state.update(values.requires_grad_(), places, places)


@each_case
def test_a_saved_state_goes_on_as_if_nothing_had_happened(name: str, granule: str, every: str):
    state, twin = MAKERS[name](granule, every), MAKERS[name](granule, every)
    feed(state, 1)
    state.turn()
    feed(state, 2)
    twin.load_state_dict(state.state_dict())
    assert torch.equal(twin.value, state.value)
    for one in (state, twin):
        feed(one, 3)
        one.turn()
    assert torch.equal(twin.value, state.value)
    torch.testing.assert_close(twin.state_dict(), state.state_dict(), rtol=0, atol=0)


@each_case
def test_a_state_loads_what_was_saved_before_the_first_batch(name: str, granule: str, every: str):
    state, fresh = MAKERS[name](granule, every), MAKERS[name](granule, every)
    feed(state, 1)
    state.load_state_dict(fresh.state_dict())
    assert state.value.dim() == 0
    for one in (state, fresh):
        feed(one, 2)
        one.turn()
    assert torch.equal(state.value, fresh.value)


@each_case
def test_a_copy_is_apart(name: str, granule: str, every: str):
    state = MAKERS[name](granule, every)
    feed(state, 1)
    state.turn()
    before, twin = state.value.clone(), copy.deepcopy(state)
    feed(twin, 2)
    twin.turn()
    assert torch.equal(state.value, before)
    assert not torch.equal(twin.value, before)


@each_case
def test_no_gradient_and_no_memory_is_shared_with_a_graph(name: str, granule: str, every: str):
    """A step reads a value, updates it, and only then does the user go backward."""
    state, factor = MAKERS[name](granule, every), torch.tensor(2.0, requires_grad=True)
    feed(state, 1)
    state.turn()
    value = state.value
    assert not value.requires_grad
    expected, total = float(value.sum()), (factor * value).sum()
    feed(state, 2)
    total.backward()
    assert float(factor.grad or 0) == pytest.approx(expected, abs=1e-6)


@each_case
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_values_are_kept_in_single_precision_at_least(
    name: str, granule: str, every: str, dtype: torch.dtype
):
    state, exact = MAKERS[name](granule, every), MAKERS[name](granule, every)
    for seed in range(3):
        feed(state, seed, dtype)
        feed(exact, seed)
    state.turn()
    exact.turn()
    assert state.value.dtype == torch.float32
    near = 0.05 if dtype == torch.bfloat16 else 1e-5
    torch.testing.assert_close(state.value.double(), exact.value, rtol=near, atol=near)


@pytest.mark.parametrize("start", [0.125, torch.tensor(0.125)])
def test_before_anything_is_known_the_value_is_the_start(start: float | Tensor):
    state = nn.Sequential(Mean("category", 3, start=start)).to("meta")[0]
    assert isinstance(state, Mean)
    assert state.value.device.type == "meta"
    state = Mean("category", 3, start=start)
    assert state.value.shape == ()
    assert float(state.value) == float(state.rows(torch.tensor([1, 2]))) == 0.125


def test_reading_by_class():
    state = Held("category", 3)
    state.set(torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
    assert state.rows(torch.tensor([2, 0])).tolist() == [[5, 6], [1, 2]]
    assert state.rows(torch.tensor([[0.5, 0.5, 0.0]])).tolist() == [[2, 3]]


def test_a_number_for_every_class():
    state = Held("category", 3)
    state.set(torch.tensor(2.0))
    assert state.value.tolist() == [2, 2, 2]


def test_the_minimum_so_far():
    """As `state least per corpus = min(least, e) every epoch from inf`."""
    state = Held("corpus", 1, start=float("inf"), every="epoch")
    for value, least in ((3.0, 3.0), (5.0, 3.0), (1.0, 1.0)):
        state.turn(torch.minimum(state.value, torch.tensor(value)))
        assert float(state.value) == least


def test_what_is_set_in_an_epoch_shows_at_its_end():
    state = Held("corpus", 1, start=4.0, every="epoch")
    state.turn()
    assert float(state.value) == 4
    state.update(torch.tensor(1.0))
    state.update(torch.tensor(2.0))
    assert float(state.value) == 4
    state.turn()
    assert float(state.value) == 2
    state.turn()
    assert float(state.value) == 2


@pytest.mark.parametrize("every", ["step", "epoch"])
def test_a_sample_that_has_no_value_yet_takes_what_is_fresh(every: str):
    """As `state table per sample = p from y`."""
    state = Held("sample", 4, every=every)
    index, y = torch.tensor([2, 0]), torch.tensor([[0.0, 1.0], [1.0, 0.0]])
    assert torch.equal(state.rows(index, y), y)
    state.update(
        torch.full((3, 2), 0.5), index=torch.tensor([2, 3, 1]), where=torch.tensor([True, False, True])
    )
    if every == "epoch":
        assert torch.equal(state.rows(index, y), y)
    state.turn()
    assert state.rows(index, y).tolist() == [[0.5, 0.5], [1, 0]]
    assert state.rows(index).tolist() == [[0.5, 0.5], [0, 0]]
    assert state.rows(torch.tensor([3, 1]), y).tolist() == [[0, 1], [0.5, 0.5]]


def test_of_a_sample_that_is_there_twice_the_last_is_held():
    state = Held("sample", 3)
    state.update(torch.tensor([1.0, 2.0, 3.0]), index=torch.tensor([1, 0, 1]))
    assert state.value.tolist() == [2, 3, 0]
