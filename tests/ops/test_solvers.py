"""The solvers, against loops written out here, and what they do where there is nothing to go by."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from taxo.ops.sets import L1, L2, Box, Linf, Nonnegative, Simplex
from taxo.ops.solvers import (
    Direction,
    first_guess,
    gradient,
    inside,
    leaf,
    linearized,
    linearized_steps,
    pgd,
    sign,
    slope,
    stepped,
)


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=dice(seed), dtype=torch.float64)


WEIGHT = noise(3, 5, seed=7)
X = torch.rand(6, 5, generator=dice(3), dtype=torch.float64)


def objective(delta: Tensor) -> Tensor:
    return ((X + delta) @ WEIGHT.T).tanh().pow(2).sum()


def true_slope(delta: Tensor) -> Tensor:
    """The gradient of the objective, by hand."""
    t = ((X + delta) @ WEIGHT.T).tanh()
    return (2 * t * (1 - t**2)) @ WEIGHT


def row_norm(value: Tensor) -> Tensor:
    return value.norm(dim=1, keepdim=True)


def test_slope_adds_to_nobodys_gradient():
    weights = {"a": noise(3).requires_grad_(), "b": noise(2).requires_grad_()}
    found = slope((weights["a"] ** 2).sum(), weights)
    torch.testing.assert_close(found["a"], 2 * weights["a"].detach())
    assert torch.equal(found["b"], torch.zeros(2, dtype=torch.float64))
    assert weights["a"].grad is None


def test_leaf():
    found = leaf({"a": noise(3)})
    assert found["a"].requires_grad
    assert found["a"].is_leaf


@pytest.mark.parametrize("maximize", [True, False])
def test_pgd_in_a_cube_and_a_box(maximize: bool):
    delta, way = torch.zeros_like(X), 1 if maximize else -1
    for _ in range(4):
        delta = (delta + way * 0.03 * true_slope(delta).sign()).clamp(-0.1, 0.1)
        delta = (X + delta).clamp(0, 1) - X
    found = pgd(objective, torch.zeros_like(X), [Linf(0.1), Box(X, 0.0, 1.0)], 4, 0.03, maximize)
    torch.testing.assert_close(found, delta, atol=1e-12, rtol=0)
    assert not found.requires_grad


def test_pgd_in_a_ball():
    delta = torch.zeros_like(X)
    for _ in range(4):
        way = true_slope(delta)
        delta = delta + 0.3 * way / row_norm(way)
        delta = delta * (0.5 / row_norm(delta)).clamp(max=1)
    torch.testing.assert_close(pgd(objective, torch.zeros_like(X), [L2(0.5)], 4, 0.3, True), delta)


@pytest.mark.parametrize("within", [[], [Nonnegative()], [Box(X, 0.0, 1.0)]])
def test_gradient_needs_no_bounded_set(within: list[Nonnegative | Box]):
    delta = torch.zeros_like(X)
    for _ in range(3):
        delta = delta - 0.2 * true_slope(delta)
        for region in within:
            (delta,) = region.project([delta])
    torch.testing.assert_close(gradient(objective, torch.zeros_like(X), within, 3, 0.2, False), delta)


def test_sign_whatever_the_set():
    found = sign(objective, torch.zeros_like(X), [L2(0.1)], 0.3, True)
    way = 0.3 * true_slope(torch.zeros_like(X)).sign()
    torch.testing.assert_close(found, 0.1 * way / row_norm(way))


@pytest.mark.parametrize("solve", [pgd, gradient])
def test_a_step_for_each_granule(solve: Callable[..., Tensor]):
    """The rows of the objective are apart, so that each may be searched alone."""
    steps = torch.tensor([0.0, 0.1, 0.2, 0.3, 0.4, 0.5], dtype=torch.float64)
    first = 0.01 * noise(6, 5)
    together = solve(objective, first, [L2(0.5)], 3, steps, True)
    for row, step in enumerate(steps.tolist()):
        alone = solve(objective, first, [L2(0.5)], 3, step, True)
        torch.testing.assert_close(together[row], alone[row])


def test_a_step_that_is_a_tensor_without_axes():
    one = pgd(objective, torch.zeros_like(X), [Linf(0.1)], 3, torch.tensor(0.03, dtype=torch.float64), False)
    torch.testing.assert_close(one, pgd(objective, torch.zeros_like(X), [Linf(0.1)], 3, 0.03, False))


def test_no_steps_leave_the_start():
    first = noise(6, 5)
    assert torch.equal(pgd(objective, first, [Linf(0.1)], 0, 0.1, True), first)


def test_several_balls_steer_by_the_first():
    delta = 0.4 * true_slope(torch.zeros_like(X)).sign()
    found = pgd(objective, torch.zeros_like(X), [Linf(0.3), L2(0.5)], 1, 0.4, True)
    expected = delta.clamp(-0.3, 0.3)
    torch.testing.assert_close(found, expected * (0.5 / row_norm(expected)).clamp(max=1))


@pytest.mark.parametrize("maximize", [True, False])
def test_linearized_on_the_weights(maximize: bool):
    slopes = {"a": noise(3, 4), "b": noise(5, seed=1)}
    length = torch.cat([part.flatten() for part in slopes.values()]).norm()
    found = linearized(slopes, [L2(0.3, "all")], maximize)
    for name, part in slopes.items():
        torch.testing.assert_close(found[name], (0.3 if maximize else -0.3) * part / length)


@pytest.mark.parametrize("maximize", [True, False])
def test_linearized_on_the_simplex(maximize: bool):
    slopes = noise(6, 5)
    best = slopes.argmax(1) if maximize else slopes.argmin(1)
    found = linearized(slopes, [Simplex()], maximize)
    assert torch.equal(found, torch.nn.functional.one_hot(best, 5).double())


def test_linearized_in_two_balls_is_in_both():
    found = linearized(noise(6, 5), [Linf(0.3), L1(0.8)], True)
    assert found.abs().max() <= 0.3 + 1e-12
    assert found.abs().sum(1).max() <= 0.8 + 1e-12


def test_linearized_again_and_again():
    point = torch.zeros_like(X)
    for _ in range(3):
        point = 0.3 * true_slope(point).sign()
    found = linearized_steps(lambda d: slope(objective(d), d), torch.zeros_like(X), [Linf(0.3)], 3, True)
    torch.testing.assert_close(found, point)


@pytest.mark.parametrize("direction", ["steepest", "sign", "gradient"])
def test_one_step_from_a_slope_that_is_known(direction: Direction):
    start = 0.1 * noise(6, 5)
    way = true_slope(start)
    unit = {"steepest": way / row_norm(way), "sign": way.sign(), "gradient": way}[direction]
    moved = start - 0.2 * unit
    found = stepped(start, way, [L2(0.4)], 0.2, False, direction)
    torch.testing.assert_close(found, moved * (0.4 / row_norm(moved)).clamp(max=1))


def test_first_guesses():
    weights = {"a": noise(3, 4), "b": noise(5)}
    zero = first_guess("zero", weights, [], dice())
    assert all(torch.equal(part, torch.zeros_like(weights[name])) for name, part in zero.items())
    drawn = first_guess("uniform", X, [Linf(0.5), Box(X, 0.0, 1.0)], dice())
    assert (X + drawn).min() >= 0
    assert (X + drawn).max() <= 1
    assert 0.3 < drawn.abs().max() <= 0.5


def test_zero_is_no_distribution():
    found = first_guess("zero", X, [Simplex()], dice())
    torch.testing.assert_close(found, torch.full((6, 5), 0.2, dtype=torch.float64))


def test_a_uniform_guess_in_two_balls_is_in_both():
    found = first_guess("uniform", X, [Linf(0.5), L2(0.4)], dice())
    assert found.norm(dim=1).max() <= 0.4 + 1e-12


def test_a_start_that_is_given_comes_inside():
    start = (3 * noise(6, 5)).requires_grad_()
    found = inside(start, [L2(0.5), Box(X, 0.0, 1.0)])
    assert found.norm(dim=1).max() <= 0.5 + 1e-12
    assert not found.requires_grad


def test_guesses_and_steps_need_no_gradients_of_the_radius():
    radius = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
    assert not pgd(objective, torch.zeros_like(X), [L2(radius)], 2, 0.2, True).requires_grad
    assert not first_guess("uniform", X, [L2(radius)], dice()).requires_grad


def test_an_empty_batch_is_never_passed_on():
    def never(_: Tensor) -> Tensor:
        raise AssertionError

    first = torch.zeros(0, 5)
    assert pgd(never, first, [Linf(0.1)], 3, 0.1, True) is first
    assert sign(never, first, [Linf(0.1)], 0.1, True) is first
    assert linearized_steps(never, first, [Linf(0.1)], 3, True) is first
    assert linearized(first, [L2(0.1)], True).shape == (0, 5)
    assert stepped(first, first, [L1(0.1)], 0.1, True).shape == (0, 5)


def broken(delta: Tensor) -> Tensor:
    """Row 1 has a slope that is no number, row 4 one without bounds."""
    factor = torch.ones(6, 1, dtype=torch.float64)
    factor[1], factor[4] = torch.nan, torch.inf
    return objective(delta) + (factor * delta).sum()


@pytest.mark.parametrize("within", [Linf(0.1), L2(0.1), L1(0.1)])
@pytest.mark.parametrize("solve", [pgd, gradient])
def test_slopes_that_are_not_finite_are_skipped(solve: Callable[..., Tensor], within: Linf | L2 | L1):
    first, counted = 0.01 * noise(6, 5), list[Tensor]()
    found = solve(broken, first, [within], 3, 0.05, True, counted.append)
    assert torch.equal(found[[1, 4]], within.project([first])[0][[1, 4]])
    whole = solve(lambda d: objective(d) + d.sum(), first, [within], 3, 0.05, True)
    torch.testing.assert_close(found[[0, 2, 3, 5]], whole[[0, 2, 3, 5]])
    assert [count.tolist() for count in counted] == [6]


@pytest.mark.parametrize("within", [Linf(0.1), L2(0.1), L1(0.1)])
def test_one_bad_entry_skips_its_granule(within: Linf | L2 | L1):
    slopes, counted = noise(6, 5), list[Tensor]()
    slopes[2, 3] = torch.nan
    found = linearized(slopes, [within], True, counted.append)
    assert torch.equal(found[2], torch.zeros(5, dtype=torch.float64))
    assert (found[[0, 1, 3, 4, 5]] != 0).any(1).all()
    assert [(count.shape, count.tolist()) for count in counted] == [((), 1)]


def test_one_bad_entry_skips_all_weights():
    slopes, counted = {"a": noise(3, 4), "b": noise(5)}, list[Tensor]()
    slopes["b"][0] = -torch.inf
    found = linearized(slopes, [L2(0.1, "tensor")], True, counted.append)
    assert all(torch.equal(part, torch.zeros_like(part)) for part in found.values())
    assert [count.tolist() for count in counted] == [1]


def test_steps_of_linearisation_are_counted_together():
    counted = list[Tensor]()
    found = linearized_steps(
        lambda d: slope(broken(d), d), torch.zeros_like(X), [Linf(0.1)], 2, True, counted.append
    )
    assert found.isfinite().all()
    assert [count.tolist() for count in counted] == [4]


def test_nothing_skipped_is_counted_too():
    counted = list[Tensor]()
    stepped(X, noise(6, 5), [Linf(0.1)], 0.1, True, skipped=counted.append)
    assert [count.tolist() for count in counted] == [0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_large_slopes_are_finite(dtype: torch.dtype):
    counted = list[Tensor]()
    stepped(
        torch.zeros(2, 3, dtype=dtype),
        torch.full((2, 3), 1e18, dtype=dtype),
        [L2(0.1)],
        0.1,
        True,
        "sign",
        counted.append,
    )
    assert [count.tolist() for count in counted] == [0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_types_stay(dtype: torch.dtype):
    weight = WEIGHT.to(dtype)
    x = X.to(dtype)
    steps = torch.full((6,), 0.1)
    found = pgd(
        lambda d: ((x + d) @ weight.T).pow(2).sum(),
        torch.zeros_like(x),
        [L2(torch.full((6,), 0.2))],
        2,
        steps,
        True,
    )
    assert found.dtype == dtype
    assert (found.float().norm(dim=1) <= 0.2 * (1 + 2 * torch.finfo(dtype).eps)).all()


def test_the_weights_of_a_model_get_no_gradient():
    model = torch.nn.Linear(5, 3).double()
    pgd(lambda d: model(X + d).pow(2).sum(), torch.zeros_like(X), [Linf(0.1)], 2, 0.1, True)
    assert all(weight.grad is None for weight in model.parameters())


def test_searching_works_where_gradients_are_off():
    with torch.no_grad():
        off = pgd(objective, torch.zeros_like(X), [Linf(0.1)], 2, 0.1, True)
    assert torch.equal(off, pgd(objective, torch.zeros_like(X), [Linf(0.1)], 2, 0.1, True))
