"""Smooth motions against dense matrices, and their limits: pixels by themselves, and one shift."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from taxo.ops import pictures
from taxo.ops.cosines import roughness, smoothest, waves
from taxo.ops.features import warp
from taxo.ops.flow import SmoothFlow
from taxo.ops.pictures import motionless
from taxo.ops.solvers import inside, linearized, pgd, slope
from tests.fidelity.structured_references import neighbours
from tests.ops.test_features import uniform

SIZES = [(8, 8), (7, 5), (1, 9), (13, 1), (1, 1)]
each_size = pytest.mark.parametrize("size", SIZES)
seeds = st.integers(0, 10_000)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def plain(height: int, width: int) -> Tensor:
    """The matrix of the sum of squared differences between neighbours."""
    return neighbours(height, width, lambda i, j: 1)


def counted(field: Tensor, gamma: float) -> Tensor:
    """The root of mean(|m|^2 + gamma |slope of m|^2) of each field."""
    height, width = field.shape[-2:]
    matrix = torch.eye(height * width).double() + gamma * plain(height, width)
    rows = field.flatten(2)
    return torch.einsum("bci,ij,bcj->b", rows, matrix, rows).div(height * width).sqrt()


@each_size
def test_waves_are_the_eigenvectors(size: tuple[int, int]):
    height, width = size
    pixels = torch.eye(height * width).double().view(-1, 1, *size)
    both = waves(pixels)
    transform = both.of(pixels).flatten(1).T
    torch.testing.assert_close(transform @ transform.T, torch.eye(height * width).double())
    found = transform @ plain(*size) @ transform.T
    torch.testing.assert_close(found, roughness(pixels).flatten().diag(), atol=1e-12, rtol=0)
    torch.testing.assert_close(both.back(both.of(pixels)), pixels)


def test_the_smoothest_waves_come_first():
    found = smoothest(7, torch.empty(4, 6, dtype=torch.float64)).flatten(1)
    slopes = torch.einsum("ki,ij,kj->k", found, plain(4, 6), found)
    expected = torch.linalg.eigvalsh(plain(4, 6))[:7]
    torch.testing.assert_close(slopes, expected, atol=1e-12, rtol=0)


@each_size
@pytest.mark.parametrize("gamma", [0, 0.5, 10, 1e4])
def test_the_best_motion_is_that_of_the_dense_system(size: tuple[int, int], gamma: float):
    g = noise(3, 2, *size)
    (found,) = SmoothFlow(gamma, 1.5).furthest([g])
    matrix = torch.eye(size[0] * size[1]).double() + gamma * plain(*size)
    dense = torch.linalg.solve(matrix, g.flatten(2).mT).mT.view_as(g)
    expected = 1.5 * dense / counted(dense, gamma)[:, None, None, None]
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)


@settings(max_examples=25)
@given(seed=seeds, gamma=st.sampled_from([0.0, 1.0, 50.0]))
def test_no_point_of_the_set_gains_more(seed: int, gamma: float):
    g, flow = noise(4, 2, 5, 6, seed=seed), SmoothFlow(gamma, 0.7)
    best = (flow.furthest([g])[0] * g).flatten(1).sum(1)
    (other,) = flow.uniform([g], torch.Generator().manual_seed(seed))
    assert (counted(other, gamma) <= 0.7 + 1e-9).all()
    assert ((other * g).flatten(1).sum(1) <= best).all()
    assert (counted(flow.steepest([g])[0], gamma) - 1).abs().max() < 1e-9


@settings(max_examples=25)
@given(seed=seeds, gamma=st.sampled_from([0.0, 1.0, 50.0, 1e4]), size=st.sampled_from([1e-3, 0.5, 3.0]))
def test_the_nearest_motion(seed: int, gamma: float, size: float):
    """Inside, nothing moves; else it is at the edge, and the way out is up the slope of what is counted."""
    v, flow = noise(4, 2, 5, 6, seed=seed), SmoothFlow(gamma, size)
    (found,) = flow.project([v])
    within = counted(v, gamma) <= size
    torch.testing.assert_close(found[within], v[within], atol=1e-12, rtol=0)
    assert ((counted(found, gamma) - size).abs()[~within] < 1e-8 * size).all()
    matrix = torch.eye(30).double() + gamma * plain(5, 6)
    way, up = (v - found).flatten(1)[~within], (found.flatten(2) @ matrix).flatten(1)[~within]
    cosine = (way * up).sum(1) / (way.norm(dim=1) * up.norm(dim=1))
    assert (cosine > 1 - 1e-8).all()


def test_a_size_of_nothing_and_sizes_of_their_own():
    v = noise(2, 2, 4, 4)
    assert SmoothFlow(1, 0).project([v])[0].abs().max() < 1e-9
    own = SmoothFlow(1, torch.tensor([0.2, 0.4], dtype=torch.float64))
    for found in (own.project([v])[0], own.furthest([v])[0]):
        torch.testing.assert_close(counted(found, 1), torch.tensor([0.2, 0.4]).double(), atol=1e-7, rtol=0)


@pytest.mark.parametrize("find", ["project", "furthest", "steepest"])
def test_it_is_the_same_by_few_fields_at_a_time(find: str, monkeypatch: pytest.MonkeyPatch):
    v, sizes = noise(5, 2, 4, 6), torch.linspace(0.1, 2, 5, dtype=torch.float64)
    for flow in (SmoothFlow(3, 0.3), SmoothFlow(3, sizes)):
        (expected,) = getattr(flow, find)([v])
        with monkeypatch.context() as patch:
            patch.setattr(pictures, "AT_ONCE", 2 * v[0].numel() // torch.get_num_threads())
            (found,) = getattr(flow, find)([v])
        torch.testing.assert_close(found, expected, atol=1e-12, rtol=0)


def test_the_stiffest_motion_is_a_shift_of_the_whole_picture():
    (found,) = SmoothFlow(1e12, 2).furthest([noise(3, 2, 6, 7)])
    torch.testing.assert_close(found, found[..., :1, :1].expand_as(found), atol=1e-9, rtol=0)
    torch.testing.assert_close(found[..., 0, 0].norm(dim=1), torch.full((3,), 2).double())


def test_no_gradient_moves_nothing():
    assert not SmoothFlow(3, 1).furthest([torch.zeros(2, 2, 4, 4)])[0].any()


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_less_precise_motions(kind: torch.dtype):
    g = noise(2, 2, 32, 30)
    (found,) = SmoothFlow(10, 1).furthest([g.to(kind)])
    assert found.dtype == kind
    (expected,) = SmoothFlow(10, 1).furthest([g.to(kind).double()])
    bound = 1e-5 if kind == torch.float32 else 0.02
    assert (found.double() - expected).abs().max() < bound


@pytest.mark.parametrize("gamma", [1, 10, 100])
def test_none_of_two_opposite_motions_is_preferred(gamma: float):
    """Noise, read at random weights, has a kink at rest; along the mean slope one side gains more."""
    x, weights = uniform(16, 3, 12, 11), noise(16, 3, 12, 11)

    def value(m: Tensor) -> Tensor:
        return (weights * warp(x, m)).flatten(1).sum(1)

    flow, rest = SmoothFlow(gamma, 0.1), motionless(x)
    m = pgd(lambda m: value(m).sum(), rest, [flow], 1, 0.1, True)
    assert (value(m) > value(-m)).all()
    here = rest.requires_grad_()
    slopes = slope(value(here).sum(), here)
    torch.testing.assert_close(linearized(slopes, [flow], True), m)


def test_steps_stay_in_the_set():
    x = uniform(4, 1, 6, 6)
    flow = SmoothFlow(2, 0.5)
    m = pgd(lambda m: warp(x, m).square().sum(), motionless(x), [flow], 5, 0.3, False)
    assert (counted(m, 2) <= 0.5 + 1e-9).all()
    assert (counted(inside(9 * m, [flow]), 2) - 0.5).abs().max() < 1e-9


@pytest.mark.gpu
def test_a_gpu_finds_the_same_motion():
    g, flow = noise(4, 2, 33, 48), SmoothFlow(10, 1)
    for way in (flow.furthest, flow.project):
        torch.testing.assert_close(way([g.cuda()])[0].cpu(), way([g])[0], atol=1e-9, rtol=0)
