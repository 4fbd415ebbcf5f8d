"""Recolouring against dense matrices: products, coarser pictures, solutions, patterns; what stays flat."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from taxo.ops.recolor import Recolor
from taxo.ops.sets import Box
from taxo.ops.solvers import linearized
from taxo.ops.stencil import Stencil, levels, solved
from tests.fidelity.structured_references import neighbours
from tests.ops.test_features import uniform
from tests.ops.test_flow import SIZES, noise

each_size = pytest.mark.parametrize("size", SIZES)


def pictures(*size: int, seed: int = 0) -> Tensor:
    """Two pictures with flat regions and two of noise."""
    noisy = uniform(4, 3, *size, seed=seed)
    noisy[:2] = (4 * functional.avg_pool2d(noisy[:2], 3, 1, 1)).round() / 4
    return noisy


def dense(stencil: Stencil) -> Tensor:
    """The matrix of a stencil, from its products with single pixels."""
    size = stencil.mass.shape[-2:]
    pixels = torch.eye(size.numel()).double().view(1, -1, *size)
    return stencil.product(pixels.expand(len(stencil.mass), -1, -1, -1)).flatten(2).mT


@each_size
def test_the_matrix_of_a_picture(size: tuple[int, int]):
    x = pictures(*size)
    found = dense(Recolor(x, 2, 1, ridge=0.1, edge=0.3).counts())
    for matrix, picture in zip(found, x.flatten(2), strict=True):

        def bond(i: int, j: int, z: Tensor = picture) -> Tensor:
            return 20 / (1 + (z[:, i] - z[:, j]).square().mean() / 0.09)

        torch.testing.assert_close(matrix, torch.eye(len(matrix)).double() + neighbours(*size, bond))


@each_size
def test_the_diagonal_and_the_coarser_matrix(size: tuple[int, int]):
    stencil = Recolor(pictures(*size), 1, 1).counts()
    matrix = dense(stencil)
    torch.testing.assert_close(stencil.diagonal().flatten(1), matrix.diagonal(dim1=1, dim2=2))
    down, right = torch.arange(size[0]) // 2, torch.arange(size[1]) // 2
    block = (down[:, None] * (right[-1] + 1) + right).flatten()
    both = functional.one_hot(block).double()
    torch.testing.assert_close(dense(stencil.coarser()), both.T @ matrix @ both)
    assert levels(stencil)[-1].settling.shape[-2:].numel() == 1


@each_size
def test_solutions(size: tuple[int, int]):
    stencil, right = Recolor(pictures(*size), 1, 1).counts(), noise(4, 2, *size)
    expected = torch.linalg.solve(dense(stencil), right.flatten(2).mT).mT.view_as(right)
    torch.testing.assert_close(solved(stencil, right), expected, atol=1e-8, rtol=0)


@pytest.mark.parametrize("numbers", [1, 60, 100, 500])
def test_batches_are_solved_in_parts(numbers: int, monkeypatch: pytest.MonkeyPatch):
    stencil, right = Recolor(pictures(6, 5), 1, 1).counts(), noise(4, 3, 6, 5)
    whole = solved(stencil, right)
    monkeypatch.setattr("taxo.ops.stencil.AT_ONCE", numbers)
    torch.testing.assert_close(solved(stencil, right), whole)
    assert solved(stencil.rows(0, 0), right[:0]).shape == (0, 3, 6, 5)


def scenes(side: int) -> Tensor:
    """Pictures of shaded discs before each other, a little grainy."""
    dice = torch.Generator().manual_seed(0)
    down, right = torch.meshgrid(*[torch.linspace(0, 1, side)] * 2, indexing="ij")
    found = torch.rand(4, 3, 1, 1, generator=dice) + 0.2 * down - 0.1 * right
    for _ in range(12):
        place = torch.rand(4, 3, generator=dice)[:, :, None, None]
        inside = (down - place[:, 0]) ** 2 + (right - place[:, 1]) ** 2 < (place[:, 2] / 3) ** 2
        colour = torch.rand(4, 3, 1, 1, generator=dice) + 0.1 * right
        found = torch.where(inside[:, None], colour, found)
    return (found + 0.004 * torch.randn(found.shape, generator=dice)).clamp(0, 1)


def test_what_the_steps_leave():
    x, right = scenes(96), noise(4, 3, 96, 96).float()
    stencil = Recolor(x, 1, 1).counts()
    rest = right - stencil.product(solved(stencil, right))
    assert (rest.flatten(1).norm(dim=1) < 1e-3 * right.flatten(1).norm(dim=1)).all()


@settings(max_examples=20)
@given(seed=st.integers(0, 10_000), rank=st.sampled_from([0, 3]))
def test_no_change_in_the_set_gains_more(seed: int, rank: int):
    x, g = pictures(6, 5, seed=seed), noise(4, 3, 6, 5, seed=seed)
    recolor = Recolor(x, 1, 0.2, rank=rank)
    (best,) = recolor.furthest([g])
    matrix = dense(recolor.counts())

    def size(d: Tensor) -> Tensor:
        return torch.einsum("bci,bij,bcj->b", d.flatten(2), matrix, d.flatten(2)).div(90).sqrt()

    torch.testing.assert_close(size(best), torch.full((4,), 0.2).double())
    other = noise(4, 3, 6, 5, seed=seed + 1)
    if rank:
        patterns = recolor.patterns().flatten(2)
        other = (other.flatten(2) @ patterns.mT @ patterns).view_as(g)
    other = other + 5 * best / best.flatten(1).norm(dim=1)[:, None, None, None]
    other = 0.2 * other / size(other)[:, None, None, None]
    assert ((other * g).flatten(1).sum(1) <= (best * g).flatten(1).sum(1)).all()


@pytest.mark.parametrize("rank", [1, 3, 8])
def test_patterns_are_the_flattest_eigenvectors(rank: int):
    x = pictures(9, 8)
    found = Recolor(x, 1, 1, rank=rank).patterns().flatten(2)
    torch.testing.assert_close(found @ found.mT, torch.eye(rank).double().expand(4, -1, -1))
    slopes = dense(Recolor(x, 1, 1, ridge=1).counts())
    values, vectors = torch.linalg.eigh(slopes)
    shares = torch.linalg.svdvals(found @ vectors[:, :, : rank + 1])  # the last may be as flat as the next
    assert shares.min() > 0.99
    counted = torch.einsum("bki,bij,bkj->b", found, slopes, found)
    assert (counted < values[:, :rank].sum(1) * 1.001).all()


def test_as_many_patterns_as_pixels_are_all_changes():
    x, g = pictures(4, 4), noise(4, 3, 4, 4)
    every, few = (Recolor(x, 1, 1, rank=rank).furthest([g])[0] for rank in (0, 16))
    torch.testing.assert_close(few, every, atol=0, rtol=0)


@pytest.mark.parametrize("rank", [0, 24])
def test_flat_regions_stay_flat(rank: int):
    """Between neighbours that are alike, a change differs by a small part of what the gradient does."""
    x = scenes(64)
    g = noise(4, 3, 64, 64).float()
    (found,) = Recolor(x, 1, 0.1, rank=rank).furthest([g])
    raw = g * (found.flatten(1).norm(dim=1) / g.flatten(1).norm(dim=1))[:, None, None, None]
    flat = (x.diff(dim=-1).square().mean(1, keepdim=True).sqrt() < 0.02).expand(-1, 3, -1, -1)
    assert flat.sum() > 1000
    assert found.diff(dim=-1)[flat].abs().mean() < 0.2 * raw.diff(dim=-1)[flat].abs().mean()
    assert found.square().mean() <= 0.1**2


def test_the_change_stays_in_the_box():
    x, g = scenes(32), noise(4, 3, 32, 32).float()
    within = [Recolor(x, 1, 0.4), Box(x, 0.0, 1.0)]
    up, down = (linearized(g, within, maximize) for maximize in (True, False))
    for change in (up, down):
        assert float((x + change).min()) >= 0
        assert float((x + change).max()) <= 1
    assert (up * g).flatten(1).sum(1).min() > 0 > (down * g).flatten(1).sum(1).max()


def test_radii_of_their_own_and_no_gradient():
    x = pictures(5, 5)
    radii = torch.tensor([0.0, 0.1, 0.2, 0.4]).double()
    found, one = (Recolor(x, 1, radius).furthest([noise(4, 3, 5, 5)])[0] for radius in (radii, 1.0))
    torch.testing.assert_close(found, radii[:, None, None, None] * one)
    assert not Recolor(x, 1, 1).furthest([torch.zeros_like(x)])[0].any()


@pytest.mark.gpu
@pytest.mark.parametrize("rank", [0, 4])
def test_a_gpu_finds_the_same_change(rank: int):
    x, g = scenes(48).double(), noise(4, 3, 48, 48)
    (expected,) = Recolor(x, 1, 0.1, rank=rank).furthest([g])
    (found,) = Recolor(x.cuda(), 1, 0.1, rank=rank).furthest([g.cuda()])
    torch.testing.assert_close(found.cpu(), expected, atol=1e-8, rtol=0)
