"""Looking ahead, against closed forms and against differences of the whole of it."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from taxo.ops.lookahead import Weights, lookahead
from taxo.ops.networks import Learner

LR = 0.3


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


A = numbers(4, 4, seed=1) @ numbers(4, 4, seed=1).T / 4
TARGET = numbers(4, seed=2)
START = numbers(4, seed=3)


def quadratic(t: Tensor) -> Callable[[Weights], Tensor]:
    """w'Aw / 2 - t'w, whose gradient is Aw - t."""
    return lambda at: (at["w"] @ A @ at["w"] / 2 - t @ at["w"])[None]


def distance(at: Weights) -> Tensor:
    return ((at["w"] - TARGET) ** 2 / 2).sum()[None]


@pytest.mark.parametrize("order", ["second", "first"])
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_the_closed_form_of_a_quadratic(steps: int, order: str):
    """w_k = M^k w + lr (1 + M + ...) t with M = 1 - lr A, and so the slope is lr (1 + M + ...) (w_k - c)."""
    t = numbers(4, seed=4).requires_grad_()
    (found,) = lookahead(
        quadratic(t), distance, {"w": START.clone().requires_grad_()}, {"t": t}, LR, steps, order
    ).values()
    eye, series, power = torch.eye(4, dtype=torch.float64), torch.zeros_like(A), torch.eye(4).double()
    for _ in range(steps):
        series, power = series + power, power @ (eye - LR * A)
    there = power @ START + LR * series @ t.detach()
    torch.testing.assert_close(found, LR * series.T @ (there - TARGET), rtol=1e-9, atol=1e-9)


X, Y = numbers(6, 3, seed=5), numbers(6, seed=6)
HELD_X, HELD_Y = numbers(5, 3, seed=7), numbers(5, seed=8)


def net(at: Weights, x: Tensor) -> Tensor:
    return (x @ at["first"]).tanh() @ at["second"]


def weighted(t: Tensor) -> Callable[[Weights], Tensor]:
    return lambda at: t.sigmoid() * (net(at, X) - Y) ** 2


def held(at: Weights) -> Tensor:
    return (net(at, HELD_X) - HELD_Y) ** 2


def weights() -> Weights:
    return {"first": numbers(3, 4, seed=9).requires_grad_(), "second": numbers(4, seed=10).requires_grad_()}


def outer(t: Tensor, steps: int) -> Tensor:
    """The held-out loss behind some real steps."""
    now = weights()
    for _ in range(steps):
        slopes = torch.autograd.grad(weighted(t)(now).mean(), list(now.values()))
        now = {
            name: (one - LR * slope).detach().requires_grad_()
            for (name, one), slope in zip(now.items(), slopes, strict=True)
        }
    return held(now).mean().detach()


@pytest.mark.parametrize(("order", "off"), [("second", 1e-7), ("first", 1e-4)])
@pytest.mark.parametrize("steps", [1, 2, 4])
def test_differences_of_the_whole(steps: int, order: str, off: float):
    t = numbers(6, seed=11)
    reach = 1e-5 * torch.eye(6, dtype=torch.float64)
    expected = torch.stack([outer(t + side, steps) - outer(t - side, steps) for side in reach]) / 2e-5
    leaf = t.requires_grad_()
    found = lookahead(weighted(leaf), held, weights(), {"t": leaf}, LR, steps, order)["t"]
    assert isinstance(found, Tensor)
    assert float((found - expected).norm() / expected.norm()) < off


@pytest.mark.parametrize("order", ["second", "first"])
def test_what_the_held_out_loss_reads_itself_counts(order: str):
    t = numbers(4, seed=4).requires_grad_()
    at = {"w": START.clone().requires_grad_()}
    plain = lookahead(quadratic(t), distance, at, {"t": t}, LR, 1, order)["t"]
    both = lookahead(quadratic(t), lambda w: distance(w) + (t**2).sum(), at, {"t": t}, LR, 1, order)["t"]
    assert isinstance(plain, Tensor)
    torch.testing.assert_close(both, plain + 2 * t.detach())


@pytest.mark.parametrize("order", ["second", "first"])
def test_a_network_and_a_number_together(order: str):
    network = Learner(1, 3, 1, seed=0).double()
    leaf, t = network.leaf(), numbers(1, seed=12).requires_grad_()

    def loss(at: Weights) -> Tensor:
        return leaf(Y).sigmoid() * t.exp() * (net(at, X) - Y) ** 2

    found = lookahead(loss, held, weights(), {"net": leaf, "t": t}, LR, 1, order)
    assert list(found) == ["net", "t"]
    slopes, number = found["net"], found["t"]
    assert isinstance(slopes, dict)
    assert isinstance(number, Tensor)
    assert {name: one.shape for name, one in slopes.items()} == {
        name: one.shape for name, one in network.weights().items()
    }
    assert all(bool(one.abs().sum() > 0) for one in (*slopes.values(), number))


@pytest.mark.parametrize("order", ["second", "first"])
def test_what_nothing_depends_on_has_no_slope(order: str):
    t = numbers(4).requires_grad_()
    at = {"w": START.clone().requires_grad_()}
    found = lookahead(lambda w: distance(w), distance, at, {"t": t}, LR, 1, order)["t"]
    assert torch.equal(found, torch.zeros(4).double()) if isinstance(found, Tensor) else False
    still = lookahead(quadratic(t), lambda _: torch.ones(1), at, {"t": t}, LR, 1, order)["t"]
    assert torch.equal(still, torch.zeros(4).double()) if isinstance(still, Tensor) else False


def test_slopes_that_are_not_finite_are_none():
    t, other = numbers(4).requires_grad_(), numbers(4).requires_grad_()
    at = {"w": START.clone().requires_grad_()}

    def loss(w: Weights) -> Tensor:
        return quadratic(t)(w) + (other * float("inf")) @ w["w"]

    found = lookahead(loss, distance, at, {"t": t, "other": other}, LR)
    assert all(not bool(one.any()) for one in found.values() if isinstance(one, Tensor))


def test_the_weights_stay_where_they_are():
    at, t = weights(), numbers(6).requires_grad_()
    before = {name: one.detach().clone() for name, one in at.items()}
    lookahead(weighted(t), held, at, {"t": t}, LR, 3)
    assert all(torch.equal(one, before[name]) for name, one in at.items())
    assert all(one.grad is None for one in (*at.values(), t))
