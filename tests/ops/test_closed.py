"""The known minimisers: no other point has a lower value, and the conditions of a minimum hold."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from taxo.ops.closed import (
    cross_entropy_l1,
    cross_entropy_linf,
    group_threshold,
    prox_of_squares,
    soft_threshold,
)
from taxo.ops.sets import Simplex

seeds = st.integers(0, 10_000)
Value = Callable[[Tensor], Tensor]


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=dice(seed), dtype=torch.float64)


def soft_labels(rows: int, classes: int, seed: int) -> Tensor:
    """Distributions, some of whose classes have no mass."""
    y = (noise(rows, classes, seed=seed + 1) * 2).softmax(1)
    y = torch.where(y < 0.05, 0.0, y)
    return y / y.sum(1, keepdim=True)


def ce(u: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(u, y, reduction="none")


def assert_lowest(value: Value, point: Tensor, inside: Value = lambda m: m, atol: float = 1e-10):
    """No random change, large or small, lowers the value of a row; enough for a convex one."""
    best = value(point)
    for size in (1e-4, 1e-3, 1e-2, 0.1, 1.0):
        changes = size * noise(64, *point.shape, seed=int(size * 1e4))
        for change in (*changes, *(changes * (noise(*changes.shape, seed=9) > 1))):
            assert (value(inside(point + change)) >= best - atol).all()


@given(seed=seeds, t=st.floats(0, 2))
def test_soft_threshold(seed: int, t: float):
    """Zero where |r| ≤ t, else r less t towards zero: where r − m is t times the sign of m."""
    r = noise(4, 3, seed=seed)
    m = soft_threshold(r, t)
    torch.testing.assert_close((r - m)[m != 0], t * m.sign()[m != 0])
    assert (r.abs()[m == 0] <= t + 1e-12).all()
    torch.testing.assert_close(soft_threshold(r, t, nonnegative=True), torch.where(m > 0, m, 0.0))


def test_soft_threshold_without_end():
    assert torch.equal(soft_threshold(noise(4, 3), torch.inf).abs(), torch.zeros(4, 3, dtype=torch.float64))


@pytest.mark.parametrize("nonnegative", [True, False])
@given(seed=seeds, t=st.floats(0, 3))
def test_group_threshold(nonnegative: bool, seed: int, t: float):
    r = noise(4, 3, seed=seed)
    m = group_threshold(r, t, nonnegative)
    kept = r.clamp(min=0) if nonnegative else r
    norms = m.norm(dim=1, keepdim=True)
    here = (norms > 0)[:, 0]
    torch.testing.assert_close((kept - m)[here], (t * m / norms)[here])
    assert (kept.norm(dim=1)[~here] <= t + 1e-12).all()


@pytest.mark.parametrize("nonnegative", [True, False])
def test_group_threshold_is_lowest(nonnegative: bool):
    r, t = noise(5, 3), torch.tensor([0.0, 0.3, 0.7, 1.5, 3.0], dtype=torch.float64)
    inside: Value = (lambda m: m.clamp(min=0)) if nonnegative else (lambda m: m)
    assert_lowest(
        lambda m: (r - m).pow(2).sum(1) / 2 + t * m.norm(dim=1), group_threshold(r, t, nonnegative), inside
    )


@pytest.mark.parametrize("t", [0.0, 0.5, torch.inf])
def test_thresholds_have_gradients(t: float):
    r = torch.cat([noise(3, 3), torch.zeros(1, 3, dtype=torch.float64)]).requires_grad_()
    for threshold in (soft_threshold, group_threshold):
        (found,) = torch.autograd.grad(threshold(r, t).sum(), r)
        assert found.isfinite().all()
    assert torch.autograd.gradcheck(lambda e: group_threshold(e, 0.5), (3 * noise(3, 3)).requires_grad_())


PENALTIES: dict[str, Value] = {
    "none": lambda m: 0 * m.sum(1),
    "l1": lambda m: m.abs().sum(1),
    "l2": lambda m: m.norm(dim=1),
}


SCALES = [1.0, -1.0, 2.5, torch.tensor(-0.3, dtype=torch.float64)]
ALL_SCALES = {"none": [*SCALES, noise(1, 3, seed=5)], "l1": [*SCALES, noise(1, 3, seed=5)], "l2": SCALES}


@pytest.mark.parametrize("nonnegative", [True, False])
@pytest.mark.parametrize(("penalty", "scale"), [(p, scale) for p in PENALTIES for scale in ALL_SCALES[p]])
def test_prox_of_squares(penalty: str, scale: float | Tensor, nonnegative: bool):
    residual, lam = 2 * noise(4, 3), 0.8
    found = prox_of_squares(scale, residual, lam, penalty, nonnegative)
    inside: Value = (lambda m: m.clamp(min=0)) if nonnegative else (lambda m: m)
    assert torch.equal(inside(found), found)
    assert_lowest(lambda m: (residual - scale * m).pow(2).sum(1) + lam * PENALTIES[penalty](m), found, inside)


def test_prox_at_scale_one_is_a_threshold_at_half_the_price():
    residual = noise(4, 3)
    torch.testing.assert_close(prox_of_squares(1.0, residual, 0.6, "l1"), soft_threshold(residual, 0.3))
    torch.testing.assert_close(prox_of_squares(1.0, residual, 0.6, "l2"), group_threshold(residual, 0.3))


def test_prox_where_the_scale_is_zero():
    scale = torch.tensor([[0.0, 1.0]], dtype=torch.float64)
    assert prox_of_squares(scale, torch.ones(2, 2, dtype=torch.float64), 0.0).tolist() == [[0.0, 1.0]] * 2
    assert prox_of_squares(0.0, torch.ones(2, 2), 0.5, "l2").tolist() == [[0.0, 0.0]] * 2


def test_prox_of_a_group_needs_one_scale():
    with pytest.raises(ValueError, match="one scale"):
        prox_of_squares(torch.ones(3), torch.ones(2, 3), 0.5, "l2")


@pytest.mark.parametrize("lam", [0.05, 0.3, 0.5, 0.9, 1.0, 4.0])
def test_ce_and_l1_of_classes(lam: float):
    u, y = 2 * noise(40, 4), torch.arange(40) % 4
    v = cross_entropy_l1(u, y, lam)
    others = u.scatter(1, y[:, None], -torch.inf).logsumexp(1)
    room = torch.log(torch.tensor(max(1 - lam, 0) / lam, dtype=torch.float64))
    expected = torch.relu(room - (u.gather(1, y[:, None])[:, 0] - others))
    torch.testing.assert_close(v, functional.one_hot(y, 4) * expected[:, None])
    assert_lowest(lambda m: ce(u + m, y) + lam * m.abs().sum(1), v)


@given(seed=seeds, lam=st.floats(0.01, 1.2), soft=st.booleans())
def test_ce_and_l1_of_distributions(seed: int, lam: float, soft: bool):
    """The slope p − y is −lam where v > 0, lam where v < 0 and between the two where v is zero."""
    u = 3 * noise(8, 5, seed=seed)
    y = soft_labels(8, 5, seed) if soft else functional.one_hot(torch.arange(8) % 5, 5).double()
    v = cross_entropy_l1(u, y, lam)
    slope = (u + v).softmax(1) - y
    torch.testing.assert_close(slope[v != 0], -lam * v[v != 0].sign(), atol=1e-9, rtol=0)
    assert slope.abs().max() <= lam + 1e-9


def test_ce_and_l1_of_distributions_is_lowest():
    u, y = 2 * noise(6, 4), soft_labels(6, 4, 0)
    lam = torch.linspace(0.02, 0.6, 6, dtype=torch.float64)
    assert_lowest(lambda m: ce(u + m, y) + lam * m.abs().sum(1), cross_entropy_l1(u, y, lam))


def test_one_hot_distributions_are_classes():
    u, y = 2 * noise(40, 4), torch.arange(40) % 4
    sure = functional.one_hot(y, 4).double()
    torch.testing.assert_close(cross_entropy_l1(u, sure, 0.3), cross_entropy_l1(u, y, 0.3))
    for maximize in (True, False):
        found = cross_entropy_linf(u, sure, 0.7, maximize)
        torch.testing.assert_close(found, cross_entropy_linf(u, y, 0.7, maximize))


@pytest.mark.parametrize("lam", [1.0, torch.inf])
def test_a_high_price_buys_nothing(lam: float):
    u, y = noise(6, 4), torch.arange(6) % 4
    for labels in (y, soft_labels(6, 4, 1)):
        assert torch.equal(cross_entropy_l1(u, labels, lam), torch.zeros_like(u))


def test_two_classes_and_a_price():
    """Both entries lie at their limit; any s between would do."""
    u, y = noise(6, 2), torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(6, 2)
    v = cross_entropy_l1(u, y, 0.2)
    slope = (u + v).softmax(1) - y
    assert slope.abs().max() <= 0.2 + 1e-9
    assert_lowest(lambda m: ce(u + m, y) + 0.2 * m.abs().sum(1), v)


@pytest.mark.parametrize("maximize", [True, False])
def test_ce_in_a_cube_for_classes(maximize: bool):
    u, y = noise(6, 4), torch.arange(6) % 4
    radius = torch.linspace(0, 2, 6, dtype=torch.float64)
    v = cross_entropy_linf(u, y, radius, maximize)
    inside: Value = lambda m: torch.minimum(torch.maximum(m, -radius[:, None]), radius[:, None])
    assert_lowest(lambda m: (-1 if maximize else 1) * ce(u + m, y), v, inside)
    assert torch.equal(v.abs(), radius[:, None].expand(6, 4))


@given(seed=seeds, radius=st.floats(0, 6))
def test_ce_in_a_cube_for_distributions(seed: int, radius: float):
    """p = y where the entry is inside; p ≤ y at the upper limit and p ≥ y at the lower."""
    u, y = 2 * noise(8, 5, seed=seed), soft_labels(8, 5, seed)
    v = cross_entropy_linf(u, y, radius, maximize=False)
    slope = (u + v).softmax(1) - y
    assert v.abs().max() <= radius
    assert (slope[v < radius] >= -1e-9).all()
    assert (slope[v > -radius] <= 1e-9).all()


def test_a_wide_cube_matches_the_labels():
    y = noise(6, 4).softmax(1)
    v = cross_entropy_linf(noise(6, 4, seed=2), y, 50.0, maximize=False)
    torch.testing.assert_close((noise(6, 4, seed=2) + v).softmax(1), y)


def corners(classes: int) -> Tensor:
    return torch.cartesian_prod(*[torch.tensor([-1.0, 1.0], dtype=torch.float64)] * classes)


@pytest.mark.parametrize("lam", [0.0, 0.1, 0.6])
@pytest.mark.parametrize("radius", [0.1, 0.7, 3.0])
def test_the_worst_corner_for_smoothed_labels(lam: float, radius: float):
    u, y = 2 * noise(50, 5), torch.arange(50) % 5
    smooth = (1 - lam) * functional.one_hot(y, 5).double() + lam / 5
    v = cross_entropy_linf(u, smooth, radius, maximize=True)
    tried = torch.stack([ce(u + radius * corner, smooth) for corner in corners(5)])
    torch.testing.assert_close(ce(u + v, smooth), tried.amax(0))


def test_a_bad_corner_for_any_labels():
    """Never better for the loss than all entries up or down, or the reverse of the label's corner."""
    u, y = 2 * noise(200, 5), soft_labels(200, 5, 3)
    found = ce(u + cross_entropy_linf(u, y, 0.7, maximize=True), y)
    tried = torch.stack([ce(u + 0.7 * corner, y) for corner in corners(5)])
    assert (found >= ce(u, y)).all()
    assert ((tried.amax(0) - found) <= 0.05 * (tried.amax(0) - tried.amin(0))).all()


@pytest.mark.parametrize("soft", [True, False])
@pytest.mark.parametrize("maximize", [True, False])
@pytest.mark.parametrize("radius", [0.0, -1.0, float("nan")])
def test_no_radius_no_perturbation(radius: float, maximize: bool, soft: bool):
    y = soft_labels(6, 4, 1) if soft else torch.arange(6) % 4
    assert torch.equal(cross_entropy_linf(noise(6, 4), y, radius, maximize).abs(), torch.zeros(6, 4).double())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_logits_far_apart(dtype: torch.dtype):
    u = (100 * noise(40, 6)).to(dtype)
    for y in (torch.arange(40) % 6, soft_labels(40, 6, 2).float()):
        for v in (
            cross_entropy_l1(u, y, 0.3),
            cross_entropy_linf(u, y, 2.0, True),
            cross_entropy_linf(u, y, 300.0, False),
        ):
            assert v.dtype == dtype
            assert v.isfinite().all()


def test_solutions_are_live():
    """Its gradient is that of differences, also where half of the entries rise and the others fall."""
    u, y = noise(40, 4).requires_grad_(), soft_labels(40, 4, 2)
    lam, radius = (torch.tensor(e, dtype=torch.float64, requires_grad=True) for e in (0.07, 0.3))
    label = torch.arange(40) % 4
    assert torch.autograd.gradcheck(lambda e, t: cross_entropy_l1(e, label, t), (u, lam))
    assert torch.autograd.gradcheck(lambda e, t: cross_entropy_l1(e, y, t), (u, lam))
    assert torch.autograd.gradcheck(lambda e, t: cross_entropy_linf(e, y, t, False), (u, radius))


@pytest.mark.parametrize("price", [0.3, 1.5])
def test_labels_and_prices_may_be_learned(price: float):
    u, y = noise(8, 4), soft_labels(8, 4, 2).requires_grad_()
    lam = torch.tensor(price, dtype=torch.float64, requires_grad=True)
    total = cross_entropy_l1(u, y, lam).sum() + cross_entropy_l1(u, torch.arange(8) % 4, lam).sum()
    total = total + cross_entropy_linf(u, y, lam, False).sum()
    assert all(found.isfinite().all() for found in torch.autograd.grad(total, (y, lam)))


def test_the_simplex_has_its_best_at_a_corner():
    slope = torch.tensor([[1.0, 3.0, 3.0], [2.0, 0.0, 1.0]])
    assert Simplex().furthest([slope])[0].tolist() == [[0.0, 0.5, 0.5], [1.0, 0.0, 0.0]]
    assert Simplex().furthest([-slope])[0].tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
