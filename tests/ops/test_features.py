"""Warps, clipped steps, dimensions and cosines, against their definitions."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from taxo.ops.features import cosine, lid, reach, warp

DTYPES = [torch.float64, torch.float32, torch.bfloat16]


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


# Warps.


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [(5, 7), (1, 4), (224, 3)])
def test_no_motion_changes_no_bit(dtype: torch.dtype, size: tuple[int, int]):
    x = uniform(2, 3, *size).to(dtype)
    assert torch.equal(warp(x, torch.zeros(2, 2, *size, dtype=dtype)), x)


def pixelwise(x: Tensor, motion: Tensor) -> Tensor:
    """Z(r - y', c - x') with the coordinates clamped to the picture, a pixel at a time."""
    out = torch.empty_like(x)
    height, width = x.shape[-2:]
    for i in range(len(x)):
        for r in range(height):
            for c in range(width):
                down = min(max(r - motion[i, 0, r, c].item(), 0), height - 1)
                right = min(max(c - motion[i, 1, r, c].item(), 0), width - 1)
                a, b = min(int(down), max(height - 2, 0)), min(int(right), max(width - 2, 0))
                s, t = down - a, right - b
                a1, b1 = min(a + 1, height - 1), min(b + 1, width - 1)
                out[i, :, r, c] = (1 - s) * ((1 - t) * x[i, :, a, b] + t * x[i, :, a, b1]) + s * (
                    (1 - t) * x[i, :, a1, b] + t * x[i, :, a1, b1]
                )
    return out


@pytest.mark.parametrize("size", [(5, 6), (1, 4), (3, 1)])
@pytest.mark.parametrize("length", [0.4, 3, 30])
def test_a_warp_reads_before_each_pixel(size: tuple[int, int], length: float):
    x, motion = uniform(2, 3, *size), length * (2 * uniform(2, 2, *size, seed=1) - 1)
    torch.testing.assert_close(warp(x, motion), pixelwise(x, motion))


def test_a_warp_is_torchs_grid_sample():
    x, motion = uniform(2, 3, 6, 5), 2 * uniform(2, 2, 6, 5, seed=1) - 1
    rows = torch.arange(6)[:, None] - motion[:, 0]
    columns = torch.arange(5) - motion[:, 1]
    grid = torch.stack([2 * columns / 4 - 1, 2 * rows / 5 - 1], -1)
    expected = functional.grid_sample(x, grid, padding_mode="border", align_corners=True)
    torch.testing.assert_close(warp(x, motion), expected)


def test_a_motion_of_whole_pixels_moves_down_and_right():
    x = uniform(1, 1, 4, 4)
    motion = torch.zeros(1, 2, 4, 4, dtype=torch.float64)
    motion[:, 0] = 1
    assert torch.equal(warp(x, motion)[..., 1:, :], x[..., :-1, :])
    motion[:, 0], motion[:, 1] = 0, 2
    assert torch.equal(warp(x, motion)[..., 2:], x[..., :-2])


def test_one_motion_for_all():
    x, motion = uniform(3, 2, 4, 4), uniform(1, 2, 4, 4, seed=1)
    expected = warp(x, motion.expand(3, -1, -1, -1))
    assert torch.equal(warp(x, motion), expected)
    assert torch.equal(warp(x, motion[0]), expected)


@pytest.mark.parametrize("whole", [0, 2])
@pytest.mark.parametrize("axis", [0, 1])
def test_the_slope_at_whole_motions_is_that_of_both_sides(whole: int, axis: int):
    x, weights = uniform(2, 3, 5, 6), uniform(2, 3, 5, 6, seed=1)
    way = torch.zeros(2, 2, 5, 6, dtype=torch.float64)
    way[:, axis] = uniform(2, 5, 6, seed=2) - 0.5
    rest = torch.full_like(way, whole).requires_grad_()

    def value(motion: Tensor) -> Tensor:
        return (weights * warp(x, motion)).sum()

    (slope,) = torch.autograd.grad(value(rest), rest)
    torch.testing.assert_close((slope * way).sum(), (value(rest + way) - value(rest - way)) / 2)


def test_slopes_of_a_warp():
    x, motion = (
        uniform(1, 2, 3, 3).requires_grad_(),
        (0.2 + 0.6 * uniform(1, 2, 3, 3, seed=1)).requires_grad_(),
    )
    assert gradcheck(warp, (x, motion))
    assert gradgradcheck(warp, (x, motion))


# Steps that are long after clipping.


def bisected(x: Tensor, v: Tensor, length: float) -> Tensor:
    """The step of one sample, by halving."""
    low, high = 0.0, 1e6
    for _ in range(200):
        middle = (low + high) / 2
        step = (x + middle * v).clamp(0, 1) - x
        low, high = (middle, high) if step.norm() < length else (low, middle)
    return (x + high * v).clamp(0, 1) - x


@given(seed=st.integers(0, 1000), share=st.floats(0.01, 0.99))
def test_a_step_is_as_long_as_asked(seed: int, share: float):
    x, v = uniform(1, 6, seed=seed), uniform(1, 6, seed=seed + 1) - 0.5
    most = torch.where(v > 0, 1 - x, x).norm().item()
    step = reach(x, v, share * most)
    assert step.norm().item() == pytest.approx(share * most, rel=1e-9)
    torch.testing.assert_close(step[0], bisected(x[0], v[0], share * most), atol=1e-8, rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_steps_of_pictures(dtype: torch.dtype):
    x, v = uniform(4, 3, 8, 8).to(dtype), (uniform(4, 3, 8, 8, seed=1) - 0.5).to(dtype)
    lengths = torch.tensor([0.0, 1.0, 3.0, 1e9], dtype=dtype)
    step = reach(x, v, lengths)
    rows = step.double().flatten(1)
    assert step.dtype == dtype
    assert torch.equal(step[0], torch.zeros_like(step[0]))
    torch.testing.assert_close(rows[1:3].norm(dim=1), torch.tensor([1, 3.0]).double(), rtol=8e-3, atol=0)
    room = torch.where(v > 0, 1 - x, x).double().flatten(1)
    torch.testing.assert_close(rows[3].norm(), room[3].norm(), rtol=1e-2, atol=0)
    assert (x + step).min() >= 0
    assert (x + step).max() <= 1


def test_single_precision_keeps_the_length():
    x, v = uniform(2, 100_000).float(), (uniform(2, 100_000, seed=1) - 0.5).float()
    torch.testing.assert_close(
        reach(x, v, 40.0).double().norm(dim=1), torch.full((2,), 40.0).double(), rtol=1e-5, atol=0
    )


def test_steps_that_cannot_move():
    x = torch.tensor([[0.0, 1.0, 0.5], [0.2, 0.3, 0.4], [0.0, 1.0, 1.0]], dtype=torch.float64)
    v = torch.tensor([[-1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [-1.0, 1.0, 1.0]], dtype=torch.float64)
    assert torch.equal(reach(x, v, 2.0), torch.zeros(3, 3, dtype=torch.float64))


def test_an_entry_of_no_direction_stays():
    x, v = torch.tensor([[0.5, 0.5]]), torch.tensor([[0.0, 2.0]])
    assert torch.equal(reach(x, v, 0.25), torch.tensor([[0.0, 0.25]]))
    assert torch.equal(reach(x, v, 10), torch.tensor([[0.0, 0.5]]))
    assert torch.equal(reach(x, torch.tensor([[1e-30, 1.0]]), 0.25), torch.tensor([[0.0, 0.25]]))
    assert torch.equal(reach(x, torch.tensor([[0.0, 1e-22]]), 1000), torch.tensor([[0.0, 0.5]]))


def test_slopes_of_a_step():
    x, v = 0.2 + 0.6 * uniform(2, 5), uniform(2, 5, seed=1) - 0.5
    k = torch.tensor([0.3, 0.5], dtype=torch.float64)
    leaves = [one.requires_grad_() for one in (x, v, k)]
    assert gradcheck(reach, leaves)
    (slope,) = torch.autograd.grad(reach(x, v, 0 * k).sum(), k)
    assert slope.isfinite().all()


# Dimensions.


def likeliest(z: Tensor, k: int) -> float:
    """Ma et al. 2018: the mean of -(1/k sum_i log(r_i / r_k))^-1 over the samples."""
    found = []
    for i, own in enumerate(z):
        r = sorted(math.dist(own.tolist(), other.tolist()) for j, other in enumerate(z) if j != i)[:k]
        found.append(-k / sum(math.log(one / r[-1]) for one in r))
    return sum(found) / len(found)


@pytest.mark.parametrize("k", [2, 5, 11])
def test_the_dimension_is_the_likeliest(k: int):
    z = uniform(12, 4)
    assert lid(z, k).item() == pytest.approx(likeliest(z, k), abs=1e-8)
    assert lid(z.unflatten(1, (2, 2)), k).item() == pytest.approx(lid(z, k).item())
    assert lid(z, 100).item() == pytest.approx(likeliest(z, 11), abs=1e-8)


@pytest.mark.parametrize("dimension", [1, 2, 6])
def test_the_dimension_of_a_plane(dimension: int):
    z = uniform(1500, dimension) @ uniform(dimension, 20, seed=1)
    assert lid(z, 20).item() == pytest.approx(dimension, rel=0.2)


def test_points_that_say_nothing_of_a_dimension():
    assert lid(uniform(0, 3), 5) == 0
    assert lid(uniform(1, 3), 5) == 0
    assert lid(uniform(2, 3), 5) == 0
    assert lid(torch.ones(6, 3), 3) == 0
    assert lid(torch.eye(5), 3) == 0


@pytest.mark.parametrize("dtype", DTYPES)
def test_points_that_coincide_are_near(dtype: torch.dtype):
    found = lid(torch.tensor([[0.0], [0.0], [1.0]], dtype=dtype, requires_grad=True), 2)
    wide = torch.promote_types(dtype, torch.float32)
    # Two see one at no distance, which counts as a rounding error, and one at 1; the third sees both at 1.
    assert found.item() == pytest.approx(2 / -math.log(torch.finfo(wide).eps))
    assert found.dtype == wide
    assert not found.requires_grad


# Cosines.


def test_cosines_are_torchs():
    z, one, several = uniform(4, 5) - 0.5, uniform(3, 5, seed=1) - 0.5, uniform(3, 2, 5, seed=2) - 0.5
    expected = functional.cosine_similarity(z[:, None], one, dim=-1)
    torch.testing.assert_close(cosine(z, one), expected)
    expected = functional.cosine_similarity(z[:, None, None], several, dim=-1).mean(-1)
    torch.testing.assert_close(cosine(z, several), expected)


def test_slopes_of_cosines():
    z, several = uniform(2, 3).requires_grad_(), uniform(2, 2, 3, seed=2).requires_grad_()
    assert gradcheck(cosine, (z, several))
    assert gradgradcheck(cosine, (z, several))


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_cosine_of_zero_is_zero(dtype: torch.dtype):
    z = torch.zeros(2, 3, dtype=dtype, requires_grad=True)
    V = torch.zeros(4, 3, dtype=dtype, requires_grad=True)
    found = cosine(z, V)
    assert torch.equal(found, torch.zeros(2, 4, dtype=dtype))
    assert all(slope.isfinite().all() for slope in torch.autograd.grad(found.sum(), (z, V)))
