"""Running statistics, against numpy on everything that was fed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from taxo.ops.forms import top
from taxo.ops.running import Deviation, Ema, Mean

C = 4
STATISTICS = {Mean: np.mean, Deviation: np.std}
each_statistic = pytest.mark.parametrize("form", STATISTICS)


def batches(count: int, seed: int = 0, classes: int = C) -> list[tuple[Tensor, Tensor, Tensor]]:
    """Values [B, 2], classes, and which of them count; of sizes 0 to 6."""
    rng = np.random.default_rng(seed)
    found = []
    for _ in range(count):
        size = int(rng.integers(0, 7))
        values, y = torch.tensor(rng.normal(3, 2, (size, 2))), torch.tensor(rng.integers(0, classes, size))
        found.append((values, y, torch.tensor(rng.random(size) < 0.7)))
    return found


def close(found: Tensor, expected: np.ndarray | np.floating) -> None:
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-10, atol=1e-10)


def per_class(form: type[Mean], fed: list[tuple[Tensor, Tensor, Tensor]], start: float) -> np.ndarray:
    """The statistic of each class, and the start where it has no value."""
    rows = [torch.cat([values[(y == one) & where] for values, y, where in fed]).numpy() for one in range(C)]
    return np.stack([STATISTICS[form](mine, 0) if len(mine) else np.full(2, start) for mine in rows])


@each_statistic
@given(st.integers(0, 10**6), st.integers(1, 6))
def test_per_category_over_everything(form: type[Mean], seed: int, count: int):
    state, fed = form("category", C, start=0.5), batches(count, seed)
    for number, (values, y, where) in enumerate(fed):
        state.update(values, y, where=where)
        close(state.value, per_class(form, fed[: number + 1], 0.5))


@each_statistic
def test_many_classes_of_which_few_are_in_a_batch(form: type[Mean]):
    state, fed = form("category", 50, start=0.5), batches(5, 3)
    for values, y, where in fed:
        state.update(values, y, where=where)
    close(state.value[:C], per_class(form, fed, 0.5))
    assert bool((state.value[C:] == 0.5).all())


@each_statistic
def test_per_corpus_over_an_epoch(form: type[Mean]):
    state = form("corpus", 1, start=0.5, every="epoch")
    for epoch in range(3):
        before, fed = state.value, batches(4, seed=epoch)
        for values, _, where in fed:
            state.update(values, where=where)
            assert torch.equal(state.value, before.expand(2))
        state.turn()
        kept = torch.cat([values[where] for values, _, where in fed]).numpy()
        close(state.value, STATISTICS[form](kept, 0))


@each_statistic
def test_classes_that_an_epoch_lacks_keep_their_value(form: type[Mean]):
    state = form("category", 3, start=torch.tensor([0.25, 0.75]), every="epoch")
    values = torch.tensor([[1.0, 2.0], [3.0, 8.0], [5.0, 0.0]], dtype=torch.float64)
    state.update(values, torch.tensor([0, 0, 2]))
    state.turn()
    first = state.value.clone()
    state.update(values[:2] + 1, torch.tensor([2, 2]))
    state.turn()
    assert torch.equal(state.value[0], first[0])
    assert state.value[1].tolist() == [0.25, 0.75]
    assert not torch.equal(state.value[2], first[2])
    state.turn()
    assert torch.equal(state.value[0], first[0])


@each_statistic
@pytest.mark.parametrize("last", [None, 1, 3, 20])
def test_values_given_at_turns(form: type[Mean], last: int | None):
    """As `mean(dimension, last: 5) every epoch` of a number that an epoch ends with."""
    state, given_ = form("corpus", 1, start=7.0, every="epoch", last=last), [3.0, -1.0, 4.0, 1.5, 9.0, 2.0]
    assert float(state.value) == 7
    for number in range(len(given_)):
        state.turn(torch.tensor(given_[number], dtype=torch.float64))
        so_far = np.array(given_[: number + 1])
        close(state.value, STATISTICS[form](so_far[-(last or 99) :]))
    assert state.value.shape == ()


@each_statistic
def test_a_window_of_updates_per_class(form: type[Mean]):
    """Each class has its own last two values, those of the batches that it was in."""
    state, fed = form("category", C, start=0.5, last=2), batches(7, seed=5)
    means: list[list[np.ndarray]] = [[] for _ in range(C)]
    for values, y, where in fed:
        state.update(values, y, where=where)
        for one in range(C):
            mine = values[(y == one) & where].numpy()
            means[one] += [mine.mean(0)] if len(mine) else []
    expected = [STATISTICS[form](mine[-2:], axis=0) if mine else np.full(2, 0.5) for mine in means]
    close(state.value, np.stack(expected))


def test_a_window_of_epochs():
    state = Mean("corpus", 1, every="epoch", last=2)
    for epoch in ([1.0, 3.0], [5.0], [7.0, 9.0]):
        state.update(torch.tensor(epoch[:1]))
        state.update(torch.tensor(epoch[1:]))
        state.turn()
    assert float(state.value) == (5 + 8) / 2


@each_statistic
def test_soft_labels_share_a_sample(form: type[Mean]):
    state = form("category", 3)
    values, shares = torch.randn(2, 5, 2, dtype=torch.float64), torch.rand(2, 5, 3, dtype=torch.float64)
    for part, share in zip(values, shares, strict=True):
        state.update(part, share)
    flat, weight = values.reshape(10, 2).numpy(), shares.reshape(10, 3).numpy()
    mean = np.stack([np.average(flat, 0, weight[:, one]) for one in range(3)])
    spread = [np.average((flat - mean[one]) ** 2, 0, weight[:, one]) for one in range(3)]
    close(state.value, mean if form is Mean else np.sqrt(spread))
    hard = form("category", 3)
    hard.update(values[0], torch.tensor([0, 1, 2, 1, 0]))
    soft = form("category", 3)
    soft.update(values[0], torch.nn.functional.one_hot(torch.tensor([0, 1, 2, 1, 0])).double())
    torch.testing.assert_close(soft.value, hard.value)


@each_statistic
def test_per_sample_over_epochs(form: type[Mean]):
    """A sample that is in a batch twice counts twice; what was not seen stays at the start."""
    state = form("sample", 5, start=0.5, every="epoch")
    for values, index in (([1.0, 2.0, 4.0], [3, 0, 3]), ([6.0], [3])):
        state.update(torch.tensor(values, dtype=torch.float64), index=torch.tensor(index))
    state.turn()
    expected = [STATISTICS[form]([2.0]), 0.5, 0.5, STATISTICS[form]([1.0, 4.0, 6.0]), 0.5]
    close(state.value, np.array(expected))
    assert state.rows(torch.tensor([3, 1])).tolist() == state.value[[3, 1]].tolist()


def test_a_moving_average_of_batch_means():
    state, value = Ema("category", C, start=1.0, decay=0.9), np.full((C, 2), 1.0)
    for values, y, where in batches(8, seed=2):
        state.update(values, y, where=where)
        for one in range(C):
            mine = values[(y == one) & where].numpy()
            if len(mine):
                value[one] = 0.9 * value[one] + 0.1 * mine.mean(0)
        close(state.value, value)


def test_a_moving_average_per_sample():
    state = Ema("sample", 4, decay=0.5)
    state.update(torch.tensor([2.0, 4.0]), index=torch.tensor([1, 2]))
    state.update(torch.tensor([6.0, 10.0]), index=torch.tensor([1, 1]))
    assert state.value.tolist() == [0, 0.5 * 1 + 0.5 * 8, 2, 0]


@pytest.mark.parametrize("value", [None, torch.tensor(3.0)])
def test_a_moving_average_of_epochs(value: Tensor | None):
    state = Ema("corpus", 1, start=1.0, every="epoch", decay=0.5)
    state.update(torch.tensor([2.0, 4.0]))
    state.update(torch.tensor([3.0]))
    assert float(state.value) == 1
    state.turn(value)
    assert float(state.value) == 2


def test_one_number_of_a_batch():
    state = Mean("corpus", 1)
    state.update(torch.tensor(2.0))
    state.update(torch.tensor(4.0))
    assert state.value.tolist() == 3


def test_what_does_not_count_may_be_anything():
    for form in (Mean("corpus", 1), Deviation("category", 2), Ema("category", 2, decay=0.5)):
        values, where = torch.tensor([1.0, torch.nan, torch.inf]), torch.tensor([True, False, False])
        form.update(values, torch.tensor([0, 0, 1]), where=where)
        assert bool(form.value.isfinite().all())


def test_a_selection_of_the_largest():
    state, values = Mean("corpus", 1), torch.tensor([1.0, 5.0, 3.0, 9.0])
    state.update(values, where=top(values, 0.5))
    assert float(state.value) == 7


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_sums_are_kept_wide(dtype: torch.dtype):
    """In bfloat16 itself, 300 ones add up to 256."""
    state = Mean("corpus", 1)
    for _ in range(300):
        state.update(torch.tensor([1.0, 1.0, 1.0, 2.0], dtype=dtype))
    assert state.value.dtype == torch.float32
    assert float(state.value) == 1.25


def test_deviations_survive_a_large_mean():
    state, values = Deviation("corpus", 1), torch.randn(400, dtype=torch.float64) + 1e6
    for part in values.split(7):
        state.update(part)
    np.testing.assert_allclose(float(state.value), values.numpy().std(), rtol=1e-8)
