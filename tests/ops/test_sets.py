"""Sets that are no balls, and several sets at once."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from taxo.ops.sets import L1, L2, Box, Linf, Nonnegative, Region, Simplex, is_bounded, project_all

seeds = st.integers(0, 10_000)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=dice(seed), dtype=torch.float64)


@given(seed=seeds)
def test_the_nearest_distribution(seed: int):
    """p is the projection of v if v − p is one number where p > 0, and no more elsewhere."""
    v = 2 * noise(6, 5, seed=seed)
    (p,) = Simplex().project([v])
    torch.testing.assert_close(p.sum(1), torch.ones(6, dtype=torch.float64))
    assert (p >= 0).all()
    level = (v - p).amax(1, keepdim=True)
    assert torch.where(p > 0, (v - p - level).abs(), 0.0).max() < 1e-12


def test_a_distribution_stays():
    (p,) = Simplex().uniform([torch.zeros(6, 5, dtype=torch.float64)], dice())
    torch.testing.assert_close(p.sum(1), torch.ones(6, dtype=torch.float64))
    torch.testing.assert_close(Simplex().project([p])[0], p, atol=1e-14, rtol=0)


def test_vertices_and_tangents_of_the_simplex():
    gradient = torch.tensor([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]])
    assert Simplex().furthest([gradient])[0].tolist() == [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]
    (way,) = Simplex().steepest([gradient])
    torch.testing.assert_close(way.sum(1), torch.zeros(2))
    torch.testing.assert_close(way[1], torch.tensor([1.0, -1.0, 0.0]))


def test_box_of_numbers():
    x = torch.tensor([[0.2, 0.9], [0.0, 1.0]])
    (found,) = Box(x, 0.0, 1.0).project([torch.tensor([[-0.5, 0.5], [0.1, -0.1]])])
    torch.testing.assert_close(x + found, torch.tensor([[0.0, 1.0], [0.1, 0.9]]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_box_holds_to_the_last_digit(dtype: torch.dtype):
    x = torch.rand(100, 50, generator=dice()).to(dtype)
    (found,) = Box(x, 0.0, 1.0).project([4 * torch.randn(100, 50, generator=dice()).to(dtype)])
    assert found.dtype == dtype
    assert (x + found).min() == 0
    assert (x + found).max() == 1


def test_box_with_bounds_of_their_own():
    x, delta = torch.zeros(2, 3), torch.full((2, 3), 5.0)
    rows = Box(x, 0.0, torch.tensor([1.0, 2.0])).project([delta])
    entries = Box(x, -torch.ones(1, 3), torch.tensor([[1.0, 2.0, 3.0]])).project([delta])
    full = Box(x, torch.zeros(2, 3), torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).project([delta])
    assert rows[0].tolist() == [[1.0] * 3, [2.0] * 3]
    assert full[0].tolist() == [[1.0, 2.0, 3.0], [4.0, 5.0, 5.0]]
    assert entries[0].tolist() == [[1.0, 2.0, 3.0]] * 2


def test_box_around_weights():
    weights = {"a": torch.tensor([0.5]), "b": torch.tensor([[2.0]])}
    found = Box(weights, -1.0, 1.0).project([torch.tensor([1.0]), torch.tensor([[1.0]])])
    assert [part.item() for part in found] == [0.5, -1.0]


def test_nonnegative():
    assert Nonnegative().project([torch.tensor([-1.0, 2.0])])[0].tolist() == [0.0, 2.0]


def test_what_has_an_edge():
    bounded: list[Region] = [Linf(1.0), L2(1.0), L1(1.0), Simplex()]
    assert all(map(is_bounded, bounded))
    assert not any(map(is_bounded, [Nonnegative(), Box(torch.zeros(1), 0.0, 1.0)]))


def test_one_ball_and_a_box_are_passed_once():
    x, delta = torch.rand(4, 3, generator=dice(), dtype=torch.float64), noise(4, 3)
    (found,) = project_all([delta], [L2(0.5), Box(x, 0.0, 1.0)])
    length = delta.norm(dim=1, keepdim=True)
    expected = (x + delta * (0.5 / length).clamp(max=1)).clamp(0, 1) - x
    torch.testing.assert_close(found, expected)


PAIRS = [(L2(1.0), Linf(0.6)), (Linf(0.6), L1(1.0)), (L1(1.2), L2(1.0)), (L1(1.2), L2(1.0), Linf(0.7))]


@pytest.mark.parametrize("balls", PAIRS)
@given(seed=seeds)
def test_several_balls_hold_at_once(balls: tuple[Linf | L2 | L1, ...], seed: int):
    x = torch.rand(5, 6, generator=dice(seed), dtype=torch.float64)
    delta = 2 * noise(5, 6, seed=seed)
    (found,) = project_all([delta], [*balls, Box(x, 0.0, 1.0), Nonnegative()])
    for ball in balls:
        (again,) = ball.project([found])
        torch.testing.assert_close(again, found, atol=1e-12, rtol=0)
    assert (x + found).min() >= -1e-12
    assert (x + found).max() <= 1 + 1e-12
    assert found.min() >= 0
    # brought in once, it stays
    torch.testing.assert_close(project_all([found], [*balls])[0], found, atol=1e-12, rtol=0)


def test_several_balls_come_near_the_nearest_point():
    """In l2(1) and linf(0.6) the nearest point is a clipped multiple, whose multiple a search finds."""
    delta = 2 * noise(200, 4)
    (found,) = project_all([delta], [L2(1.0), Linf(0.6)])
    scales = torch.linspace(0, 1, 4001, dtype=torch.float64)[:, None, None]
    tried = (delta * scales).clamp(-0.6, 0.6)
    outside = tried.norm(dim=2) > 1 + 1e-12
    distance = (tried - delta).norm(dim=2).masked_fill(outside, torch.inf).amin(0)
    assert ((found - delta).norm(dim=1) <= distance * 1.02).all()


def test_two_balls_of_which_one_is_a_point():
    (found,) = project_all([noise(3, 4)], [L2(1.0), Linf(0.0)])
    assert torch.equal(found, torch.zeros(3, 4, dtype=torch.float64))


def test_with_other_sets_a_distribution_stays_one():
    delta = [noise(200, 4)]
    (found,) = project_all(delta, [Simplex(), Linf(0.4)])
    torch.testing.assert_close(found.sum(1), torch.ones(200, dtype=torch.float64))
    assert found.min() >= 0
    once = Simplex().project(Linf(0.4).project(delta))[0]
    assert (found - 0.4).clamp(min=0).sum() < 0.2 * (once - 0.4).clamp(min=0).sum()
