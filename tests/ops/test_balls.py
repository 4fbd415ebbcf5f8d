"""The balls, against the definition of a projection and of a furthest point."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from taxo.ops.balls import L1, L2, Each, Linf

Kind = type[Linf] | type[L2] | type[L1]
ORDERS: dict[Kind, float] = {Linf: torch.inf, L2: 2.0, L1: 1.0}
each_ball = pytest.mark.parametrize("ball", [Linf, L2, L1])
each_way = pytest.mark.parametrize("each", ["row", "all", "tensor"])
seeds = st.integers(0, 10_000)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=dice(seed), dtype=torch.float64)


def groups(parts: list[Tensor], each: Each) -> list[Tensor]:
    """The vectors that the norm is taken of."""
    if each == "row":
        return [row.flatten() for part in parts for row in part]
    flat = [part.flatten() for part in parts]
    return flat if each == "tensor" else [torch.cat(flat)]


def norms(parts: list[Tensor], each: Each, order: float) -> Tensor:
    return torch.stack([torch.linalg.vector_norm(group, order) for group in groups(parts, each)])


def parts_for(each: Each, seed: int = 0) -> list[Tensor]:
    one = 2 * noise(4, 3, 2, seed=seed)
    return [one] if each == "row" else [one, noise(5, seed=seed + 1), noise(seed=seed + 2)]


@each_ball
@each_way
@given(seed=seeds, radius=st.floats(0.01, 20))
def test_projection_is_the_nearest_point(ball: Kind, each: Each, seed: int, radius: float):
    """It is inside, and the way back makes no sharp angle with the way to any other point inside."""
    parts = parts_for(each, seed)
    region = ball(radius, each)
    found = region.project(parts)
    assert norms(found, each, ORDERS[ball]).max() <= radius * (1 + 1e-9)
    others = [
        region.uniform(parts, dice(seed)),
        region.furthest([a - b for a, b in zip(parts, found, strict=True)]),
    ]
    for other in others:
        back = groups([a - b for a, b in zip(parts, found, strict=True)], each)
        away = groups([a - b for a, b in zip(other, found, strict=True)], each)
        for one, two in zip(back, away, strict=True):
            assert torch.dot(one, two) <= 1e-8 * (1 + one.norm() * two.norm())


@each_ball
@each_way
def test_points_inside_stay(ball: Kind, each: Each):
    parts = parts_for(each)
    for found, part in zip(ball(1e3, each).project(parts), parts, strict=True):
        assert torch.equal(found, part)


@each_ball
@each_way
@given(seed=seeds)
def test_furthest_gains_most(ball: Kind, each: Each, seed: int):
    """No point of the ball has a larger product with the gradient than radius · dual norm."""
    gradient = parts_for(each, seed)
    dual = {1.0: torch.inf, 2.0: 2.0, torch.inf: 1.0}[ORDERS[ball]]
    found = ball(0.7, each).furthest(gradient)
    gains = torch.stack(
        [torch.dot(a, b) for a, b in zip(groups(found, each), groups(gradient, each), strict=True)]
    )
    torch.testing.assert_close(gains, 0.7 * norms(gradient, each, dual))
    assert norms(found, each, ORDERS[ball]).max() <= 0.7 * (1 + 1e-9)


@each_ball
@each_way
def test_steepest_is_the_furthest_of_the_unit_ball(ball: Kind, each: Each):
    gradient = parts_for(each)
    for way, corner in zip(
        ball(3.0, each).steepest(gradient), ball(1.0, each).furthest(gradient), strict=True
    ):
        torch.testing.assert_close(way, corner)


@each_ball
@each_way
def test_uniform_fills_the_ball(ball: Kind, each: Each):
    """The share of points within a smaller ball is the ratio of the volumes."""
    like = [torch.zeros(20_000, 1, 2, dtype=torch.float64)] if each == "row" else [torch.zeros(2)]
    region, order = ball(3.0, each), ORDERS[ball]
    draws = 1 if each == "row" else 3000
    generator = dice()
    sizes = torch.cat([norms(region.uniform(like, generator), each, order) for _ in range(draws)])
    assert sizes.max() <= 3.0 * (1 + 1e-6)
    assert (sizes <= 1.5).double().mean().item() == pytest.approx(0.25, abs=0.03)


@each_way
def test_uniform_l2_has_no_preferred_tensor(each: Each):
    """A share of the radius of its own for every row or tensor, one for all of them together."""
    parts = [torch.zeros(50, 4, dtype=torch.float64), torch.zeros(50, 4, dtype=torch.float64)]
    sizes = norms(L2(2.0, each).uniform(parts, dice()), each, 2.0)
    assert len(sizes.unique()) == {"row": 100, "tensor": 2, "all": 1}[each]
    assert sizes.max() <= 2.0


@each_ball
@pytest.mark.parametrize(
    "radius", [0.0, -2.0, float("nan"), torch.tensor(0.0), torch.tensor(-1.0), torch.tensor(torch.nan)]
)
def test_no_radius_no_perturbation(ball: Kind, radius: float | Tensor):
    part = noise(3, 4)
    region = ball(radius)
    found = [
        region.project([part]),
        region.furthest([part]),
        region.uniform([part], dice()),
        region.shrink([part]),
    ]
    for (one,) in found:
        assert torch.equal(one, torch.zeros_like(part))


@each_ball
def test_one_radius_per_granule(ball: Kind):
    part, radii = 5 * noise(3, 4, 2), torch.tensor([0.0, 0.5, 2.0], dtype=torch.float64)
    whole = ball(radii)
    for name in ("project", "furthest"):
        (found,) = getattr(whole, name)([part])
        for row in range(3):
            (alone,) = getattr(ball(float(radii[row])), name)([part[row : row + 1]])
            torch.testing.assert_close(found[row : row + 1], alone)
    assert (norms(whole.uniform([part], dice()), "row", ORDERS[ball]) <= radii).all()


@each_ball
def test_one_radius_per_tensor(ball: Kind):
    parts = [noise(3, 4), noise(5, seed=1)]
    radii = [0.5, torch.tensor(0.1, dtype=torch.float64)]
    for name in ("project", "furthest"):
        found = getattr(ball(radii, "tensor"), name)(parts)
        for one, part, radius in zip(found, parts, radii, strict=True):
            (alone,) = getattr(ball(float(radius), "tensor"), name)([part])
            torch.testing.assert_close(one, alone)


def test_the_whole_in_one_word():
    parts = parts_for("all")
    for one, two in zip(
        L2(0.3, each_sample=False).project(parts), L2(0.3, "all").project(parts), strict=True
    ):
        assert torch.equal(one, two)


def test_ties_share():
    (found,) = L1(2.0).furthest([torch.tensor([[1.0, -3.0, 3.0], [0.0, 0.0, 0.0]])])
    assert found.tolist() == [[0.0, -1.0, 1.0], [0.0, 0.0, 0.0]]


@each_ball
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_types_stay_and_radii_hold(ball: Kind, dtype: torch.dtype):
    part = 4 * noise(3, 40).to(dtype)
    radius = torch.tensor([0.5, 1.0, 2.0])
    region = ball(radius)
    for (found,) in (region.project([part]), region.furthest([part]), region.uniform([part], dice())):
        assert found.dtype == dtype
        sizes = norms([found.double()], "row", ORDERS[ball])
        assert (sizes <= radius * (1 + 2 * torch.finfo(dtype).eps)).all()


@each_ball
def test_shrinking_keeps_the_direction(ball: Kind):
    part = 4 * noise(3, 4)
    (found,) = ball(0.5).shrink([part])
    sizes = norms([found], "row", ORDERS[ball])
    torch.testing.assert_close(sizes, torch.full((3,), 0.5, dtype=torch.float64))
    torch.testing.assert_close(torch.cosine_similarity(found, part), torch.ones(3, dtype=torch.float64))


@each_ball
def test_a_batch_of_no_rows(ball: Kind):
    part = torch.zeros(0, 4)
    region = ball(0.5)
    for (found,) in (region.project([part]), region.furthest([part]), region.uniform([part], dice())):
        assert found.shape == (0, 4)
