"""The implicit gradient, against closed forms and against differences of the whole bilevel map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from taxo.ops.implicit import implicit
from taxo.ops.inverse import conjugate, lissa, neumann
from taxo.ops.lookahead import Weights
from taxo.ops.networks import Learner

EYE = torch.eye(4, dtype=torch.float64)


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


A = numbers(4, 4, seed=1) @ numbers(4, 4, seed=1).T / 4 + 0.2 * EYE
TARGET = numbers(4, seed=2)


def quadratic(t: Tensor) -> Callable[[Weights], Tensor]:
    """w'Aw / 2 - t'w, whose minimum is at A⁻¹ t."""
    return lambda at: (at["w"] @ A @ at["w"] / 2 - t @ at["w"])[None]


def distance(at: Weights) -> Tensor:
    return ((at["w"] - TARGET) ** 2 / 2).sum()[None]


def settled(t: Tensor) -> Weights:
    return {"w": torch.linalg.solve(A, t.detach()).requires_grad_()}


@pytest.mark.parametrize("damping", [0.0, 0.3])
def test_the_closed_form_of_a_quadratic(damping: float):
    """The held-out loss is |A⁻¹ t - c|² / 2, and its slope A⁻¹ (A⁻¹ t - c)."""
    t = numbers(4, seed=4).requires_grad_()
    at = settled(t)
    found = implicit(quadratic(t), distance, at, {"t": t}, hessian=conjugate, steps=8, damping=damping)["t"]
    expected = torch.linalg.solve(A + damping * EYE, at["w"].detach() - TARGET)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("steps", [1, 5])
def test_a_series_is_as_long_as_it_is_said_to_be(steps: int):
    t = numbers(4, seed=4).requires_grad_()
    at, scale = settled(t), 6.0
    found = implicit(quadratic(t), distance, at, {"t": t}, hessian=neumann, steps=steps, scale=scale)["t"]
    powers = [torch.linalg.matrix_power(EYE - A / scale, one) for one in range(steps + 1)]
    expected = torch.stack(powers).sum(0) @ (at["w"].detach() - TARGET) / scale
    torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12)


def test_long_series_tend_to_the_solution():
    t = numbers(4, seed=4).requires_grad_()
    at = settled(t)
    exact = torch.linalg.solve(A, at["w"].detach() - TARGET)
    for series in (neumann, lissa):
        options: dict[str, Any] = {"hessian": series, "steps": 2000, "scale": 6.0}
        found = implicit(quadratic(t), distance, at, {"t": t}, **options)["t"]
        torch.testing.assert_close(found, exact, rtol=1e-8, atol=1e-8)


X, Y = numbers(6, 3, seed=5), numbers(6, seed=6)
HELD_X, HELD_Y = numbers(5, 3, seed=7), numbers(5, seed=8)


def net(at: Weights, x: Tensor) -> Tensor:
    return (x @ at["first"]).tanh() @ at["second"]


def weighted(t: Tensor) -> Callable[[Weights], Tensor]:
    """Squares of a small net weighted by sigmoid(t), and a price on the weights."""

    def loss(at: Weights) -> Tensor:
        price = sum((0.1 * (one**2).sum() for one in at.values()), torch.zeros(()).double())
        return t.sigmoid() * (net(at, X) - Y) ** 2 + price

    return loss


def held(at: Weights) -> Tensor:
    return (net(at, HELD_X) - HELD_Y) ** 2


def unflat(row: Tensor) -> Weights:
    return {"first": row[:12].view(3, 4), "second": row[12:]}


def minimum(t: Tensor, start: Tensor, steps: int = 200) -> Tensor:
    """Newton's method, on the dense Hessian."""
    for _ in range(steps):
        at = start.detach().requires_grad_()
        (slope,) = torch.autograd.grad(weighted(t)(unflat(at)).mean(), at, create_graph=True)
        rows = [torch.autograd.grad(one, at, retain_graph=True)[0] for one in slope]
        values, ways = torch.linalg.eigh(torch.stack(rows))
        slope = slope.detach()
        start = start - ways @ ((ways.T @ slope) / values.abs().clamp(min=0.01))
    return start


def test_differences_of_the_whole():
    t = numbers(6, seed=11)
    home = minimum(t, numbers(16, seed=9))
    reach = 1e-4 * torch.eye(6, dtype=torch.float64)
    sides = [[held(unflat(minimum(t + sign * one, home, 4))).mean() for sign in (1, -1)] for one in reach]
    expected = torch.stack([(up - down) / 2e-4 for up, down in sides])
    leaf, at = t.requires_grad_(), {name: one.requires_grad_() for name, one in unflat(home).items()}
    found = implicit(weighted(leaf), held, at, {"t": leaf}, hessian=conjugate, steps=40)["t"]
    assert isinstance(found, Tensor)
    assert float((found - expected).norm() / expected.norm()) < 1e-6


def test_what_the_held_out_loss_reads_itself_counts():
    t = numbers(4, seed=4).requires_grad_()
    at, options = settled(t), {"steps": 8.0}
    plain = implicit(quadratic(t), distance, at, {"t": t}, hessian=conjugate, **options)["t"]
    both = implicit(
        quadratic(t), lambda w: distance(w) + (t**2).sum(), at, {"t": t}, hessian=conjugate, **options
    )["t"]
    assert isinstance(plain, Tensor)
    torch.testing.assert_close(both, plain + 2 * t.detach())


def test_a_network_and_a_number_together():
    network = Learner(1, 3, 1, seed=0).double()
    leaf, t = network.leaf(), numbers(1, seed=12).requires_grad_()
    at = {name: one.requires_grad_() for name, one in unflat(numbers(16, seed=9)).items()}

    def loss(there: Weights) -> Tensor:
        return leaf(Y).sigmoid() * t.exp() * (net(there, X) - Y) ** 2

    found = implicit(loss, held, at, {"net": leaf, "t": t}, hessian=neumann, steps=3, scale=10.0)
    slopes, number = found["net"], found["t"]
    assert isinstance(slopes, dict)
    assert isinstance(number, Tensor)
    assert {name: one.shape for name, one in slopes.items()} == {
        name: one.shape for name, one in network.weights().items()
    }
    assert all(bool(one.abs().sum() > 0) for one in (*slopes.values(), number))


def test_what_nothing_depends_on_has_no_slope():
    t = numbers(4).requires_grad_()
    at = settled(t)
    for trained, outer in (
        (distance, distance),
        (quadratic(t), lambda _: torch.ones(1)),
        (lambda w: w["w"].sum()[None], distance),
    ):
        found = implicit(trained, outer, at, {"t": t}, hessian=neumann, steps=2)["t"]
        assert isinstance(found, Tensor)
        assert torch.equal(found, torch.zeros(4).double())


def test_slopes_that_are_not_finite_are_none():
    t, other = numbers(4).requires_grad_(), numbers(4).requires_grad_()

    def loss(w: Weights) -> Tensor:
        return quadratic(t)(w) + (other * float("inf")) @ w["w"]

    found = implicit(loss, distance, settled(t), {"t": t, "other": other}, hessian=neumann, steps=2)
    assert all(not bool(one.any()) for one in found.values() if isinstance(one, Tensor))


def test_the_weights_stay_where_they_are():
    t = numbers(6).requires_grad_()
    at = {name: one.requires_grad_() for name, one in unflat(numbers(16, seed=9)).items()}
    before = {name: one.detach().clone() for name, one in at.items()}
    implicit(weighted(t), held, at, {"t": t}, hessian=neumann, steps=2)
    assert all(torch.equal(one, before[name]) for name, one in at.items())
    assert all(one.grad is None for one in (*at.values(), t))
