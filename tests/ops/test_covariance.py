"""The running covariance, against numpy's of everything that was fed."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from taxo.ops import covariance
from taxo.ops.covariance import Covariance

C, D = 5, 3
Fed = list[tuple[Tensor, Tensor, Tensor]]


def batches(count: int, seed: int, classes: int = C, offset: float = 0.0, width: int = D) -> Fed:
    """Features, classes, and which of them count; of sizes 0 to 8."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(classes, width, width))
    found: Fed = []
    for _ in range(count):
        size = int(rng.integers(0, 9))
        y = rng.integers(0, classes, size)
        values = np.einsum("bij,bj->bi", mix[y], rng.normal(size=(size, width))) + offset * (y[:, None] + 1)
        found.append((torch.tensor(values), torch.tensor(y), torch.tensor(rng.random(size) < 0.8)))
    return found


def expected(fed: Fed, diagonal: bool, one: int | None = None) -> np.ndarray:
    """The population covariance of a class or of all; zero where there is nothing."""
    rows = torch.cat([values[where & ((y == one) | (one is None))] for values, y, where in fed]).numpy()
    found = np.cov(rows.T, bias=True) if len(rows) else np.zeros((D, D))
    return np.diag(found) if diagonal else found


def per_class(fed: Fed, diagonal: bool) -> np.ndarray:
    return np.stack([expected(fed, diagonal, one) for one in range(C)])


def close(found: Tensor, wanted: np.ndarray, near: float = 1e-10) -> None:
    np.testing.assert_allclose(found.numpy(), wanted, rtol=near, atol=near)


@pytest.fixture(params=["_pool_classes", "_pool_masked", "_pool_outer"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ways to pool: a CPU can ask how many samples a class has, other devices must not be asked."""
    monkeypatch.setattr(covariance, "_pool_classes", getattr(covariance, request.param))
    monkeypatch.setattr(covariance, "ENTRIES", 3 * D * D)
    return request.param


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("offset", [0.0, 10.0])
def test_per_category_over_everything(diagonal: bool, offset: float):
    state, fed = Covariance("category", C, diagonal=diagonal), batches(9, 4, offset=offset)
    for number, (values, y, where) in enumerate(fed):
        state.update(values, y, where=where)
        close(state.value, per_class(fed[: number + 1], diagonal))


@given(st.integers(0, 10**6), st.integers(1, 5), st.booleans())
def test_per_corpus_over_everything(seed: int, count: int, diagonal: bool):
    state, fed = Covariance("corpus", 1, diagonal=diagonal), batches(count, seed)
    for values, y, where in fed:
        state.update(values, y, where=where)
    if any(len(values[where]) for values, _, where in fed):
        close(state.value, expected(fed, diagonal))


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("granule", ["category", "corpus"])
@pytest.mark.parametrize("diagonal", [False, True])
def test_over_an_epoch(granule: str, diagonal: bool):
    """A class that the epoch lacks keeps its matrix."""
    state, epochs = (
        Covariance(granule, C, every="epoch", diagonal=diagonal),
        [batches(5, 1), batches(2, 2, 2)],
    )
    known: list[Fed] = [[] for _ in range(C)]
    for fed in epochs:
        before = state.value
        for values, y, where in fed:
            state.update(values, y, where=where)
        assert torch.equal(state.value, before.expand_as(state.value))
        state.turn()
        present = {int(one) for _, y, where in fed for one in y[where]}
        known = [fed if one in present else known[one] for one in range(C)]
        wanted = [
            expected(known[one], diagonal, one) if known[one] else 0 * expected(fed, diagonal)
            for one in range(C)
        ]
        close(state.value, np.stack(wanted) if granule == "category" else expected(fed, diagonal))


@pytest.mark.parametrize("diagonal", [False, True])
def test_soft_labels_weigh(diagonal: bool):
    state, rng = Covariance("category", 3, diagonal=diagonal), np.random.default_rng(0)
    values, shares = rng.normal(5, 2, (4, 6, D)), rng.random((4, 6, 3))
    for part, share in zip(values, shares, strict=True):
        state.update(torch.tensor(part), torch.tensor(share))
    flat, weight = values.reshape(-1, D), shares.reshape(-1, 3)
    wanted = [np.cov(flat.T, bias=True, aweights=weight[:, one]) for one in range(3)]
    close(state.value, np.stack([np.diag(one) for one in wanted] if diagonal else wanted))


@pytest.mark.parametrize("diagonal", [False, True])
def test_single_precision_survives_a_large_mean(diagonal: bool):
    """Around 10^4 a float32 has three decimals; the mean of squares would lose all of them."""
    fed = [(values.float(), y, where) for values, y, where in batches(300, 7, offset=1e4)]
    state = Covariance("category", C, diagonal=diagonal)
    for values, y, where in fed:
        state.update(values, y, where=where)
    exact = [(values.double(), y, where) for values, y, where in fed]
    assert state.value.dtype == torch.float32
    close(state.value, per_class(exact, diagonal), 1e-5)


def test_it_starts_somewhere_and_forgets_that_with_the_first_sample():
    state = Covariance("category", 2, start=torch.eye(D, dtype=torch.float64))
    state.update(torch.ones(2, D, dtype=torch.float64), torch.tensor([1, 1]))
    assert torch.equal(state.value[0], torch.eye(D, dtype=torch.float64))
    assert bool((state.value[1] == 0).all())


@pytest.mark.usefixtures("way")
def test_what_does_not_count_may_be_anything():
    state, values = Covariance("category", C), torch.randn(6, D, dtype=torch.float64)
    y, where = torch.tensor([0, 0, 0, 1, 1, 4]), torch.tensor([True, True, False, True, True, False])
    values[~where] = torch.nan
    state.update(values, y, where=where)
    close(state.value[0], np.cov(values[:2].numpy().T, bias=True))
    close(state.value[4], np.zeros((D, D)))


def test_matrices_are_symmetric_and_features_may_be_images():
    state, values = Covariance("category", 2), torch.randn(64, 2, 3, 4)
    for part in values.split(10):
        state.update(part, torch.zeros(len(part), dtype=torch.long))
    assert state.value.shape == (2, 24, 24)
    torch.testing.assert_close(state.value[0], state.value[0].T, rtol=1e-6, atol=1e-6)
    close(state.value[0], np.cov(values.reshape(64, 24).numpy().T, bias=True), 1e-5)


def test_only_the_classes_of_a_batch_are_written():
    state = Covariance("category", C)
    state.update(torch.randn(8, D), torch.arange(8) % C)
    before = state.value
    state.update(torch.randn(2, D), torch.tensor([3, 3]))
    assert torch.equal(state.value[[0, 1, 2, 4]], before[[0, 1, 2, 4]])


def test_a_value_may_be_given():
    state = Covariance("corpus", 1)
    state.turn(torch.eye(D))
    assert torch.equal(state.value, torch.eye(D))
