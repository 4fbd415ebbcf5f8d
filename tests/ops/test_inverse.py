"""Solving by products alone, against dense solves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from taxo.ops.inverse import Solution, conjugate, lissa, neumann, residual

SIZE = 12
DAMPING = 0.3


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


ROOT = numbers(SIZE, SIZE, seed=1)
A = ROOT @ ROOT.T / SIZE
RIGHT = [numbers(2, 3, seed=2), numbers(SIZE - 6, seed=3)]


def flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.reshape(-1) for part in parts])


def products_of(matrix: Tensor) -> Callable[[list[Tensor]], list[Tensor]]:
    def products(parts: list[Tensor]) -> list[Tensor]:
        assert [part.shape for part in parts] == [part.shape for part in RIGHT]
        row = matrix @ flat(parts)
        return [row[:6].reshape(2, 3), row[6:]]

    return products


def dense(damping: float) -> Tensor:
    return torch.linalg.solve(A + damping * torch.eye(SIZE).double(), flat(RIGHT))


def left(found: Solution, damping: float) -> Tensor:
    rest = flat(RIGHT) - A @ flat(found.parts) - damping * flat(found.parts)
    return rest.norm() / flat(RIGHT).norm()


def test_conjugate_gradients_end_at_the_dense_solution():
    found = conjugate(products_of(A), RIGHT, damping=DAMPING, steps=2 * SIZE)
    torch.testing.assert_close(flat(found.parts), dense(DAMPING), rtol=1e-9, atol=1e-9)
    assert found.products == 2 * SIZE
    assert [part.shape for part in found.parts] == [part.shape for part in RIGHT]


@pytest.mark.parametrize("steps", [0, 1, 4])
def test_the_residual_is_what_is_left(steps: int):
    found = conjugate(products_of(A), RIGHT, damping=DAMPING, steps=steps)
    torch.testing.assert_close(found.residual, left(found, DAMPING))
    torch.testing.assert_close(residual(products_of(A), RIGHT, found.parts, DAMPING), found.residual)


def test_it_ends_at_the_tolerance():
    found = conjugate(products_of(A), RIGHT, damping=DAMPING, steps=1000, tolerance=1e-2)
    assert float(left(found, DAMPING)) <= 1e-2
    assert 0 < found.products < SIZE
    before = conjugate(products_of(A), RIGHT, damping=DAMPING, steps=found.products - 1)
    assert float(before.residual) > 1e-2


def test_it_stays_where_curvature_is_not_positive():
    """The first direction is bent downwards: nothing is found, and nothing is infinite."""
    for tolerance in (0.0, 1e-6):
        found = conjugate(products_of(-A), RIGHT, steps=5, tolerance=tolerance)
        assert not flat(found.parts).any()
        assert float(found.residual) == 1.0
    mixed = torch.diag(torch.linspace(-0.2, 3, SIZE, dtype=torch.float64))
    found = conjugate(products_of(mixed), RIGHT, steps=50)
    assert bool(flat(found.parts).isfinite().all())


@pytest.mark.parametrize("solver", [conjugate, neumann, lissa])
def test_nothing_to_solve_is_solved(solver: Callable[..., Solution]):
    found = solver(products_of(A), [torch.zeros_like(part) for part in RIGHT], steps=3)
    assert not flat(found.parts).any()
    assert float(found.residual) == 0.0


@pytest.mark.parametrize("steps", [0, 1, 7])
def test_the_terms_of_the_series(steps: int):
    scale, matrix = 5.0, A + DAMPING * torch.eye(SIZE).double()
    found = neumann(products_of(A), RIGHT, damping=DAMPING, steps=steps, scale=scale)
    terms = [torch.linalg.matrix_power(torch.eye(SIZE) - matrix / scale, k) for k in range(steps + 1)]
    torch.testing.assert_close(flat(found.parts), sum(terms, torch.zeros_like(A)) @ flat(RIGHT) / scale)
    torch.testing.assert_close(found.residual, (terms[-1] @ flat(RIGHT)).norm() / flat(RIGHT).norm())
    assert found.products == steps


def test_the_series_tends_to_the_dense_solution():
    found = neumann(products_of(A), RIGHT, damping=DAMPING, steps=500, scale=4.0)
    torch.testing.assert_close(flat(found.parts), dense(DAMPING), rtol=1e-6, atol=1e-6)


def test_the_recursion_tends_to_the_dense_solution():
    found = lissa(products_of(A), RIGHT, damping=0.4, steps=500, scale=4.0)
    torch.testing.assert_close(flat(found.parts), dense(0.4), rtol=1e-6, atol=1e-6)
    assert float(found.residual) < 1e-9


def test_the_recursion_takes_another_sample_at_each_step():
    turns = iter([A, 2 * A, A / 2])
    found = lissa(lambda parts: products_of(next(turns))(parts), RIGHT, damping=0.4, steps=3, scale=4.0)
    s = b = flat(RIGHT)
    for matrix in (A, 2 * A, A / 2):
        s = b + 0.9 * s - matrix @ s / 4
    torch.testing.assert_close(flat(found.parts), s / 4)


@pytest.mark.parametrize("solver", [conjugate, neumann, lissa])
def test_memory_does_not_grow_with_the_steps(solver: Callable[..., Solution]):
    """A product that gradients reach leaves no graph behind, and each is given a vector without one."""
    weight = A.clone().requires_grad_()
    alive: list[bool] = []

    def products(parts: list[Tensor]) -> list[Tensor]:
        alive.extend(part.requires_grad for part in parts)
        return products_of(weight)(parts)

    found = solver(products, RIGHT, damping=DAMPING, steps=20)
    assert alive
    assert not any(alive)
    assert not any(part.requires_grad for part in (*found.parts, found.residual))


def test_halves_are_solved_in_single_precision():
    right = [part.half() for part in RIGHT]
    kinds: set[torch.dtype] = set()

    def products(parts: list[Tensor]) -> list[Tensor]:
        kinds.update(part.dtype for part in parts)
        return [part.half() for part in products_of(A.float())([part.float() for part in parts])]

    found = conjugate(products, right, damping=DAMPING, steps=SIZE)
    assert kinds == {torch.float16} == {part.dtype for part in found.parts}
    assert found.residual.dtype == torch.float32
    torch.testing.assert_close(flat(found.parts).double(), dense(DAMPING), rtol=0.05, atol=0.05)


def test_conjugate_gradients_need_a_hundredth_of_the_products_of_the_recursion():
    """5,000 steps of it on samples of A leave more than 50 products with all of A do."""
    rows, dice = numbers(200, SIZE, seed=4), torch.Generator().manual_seed(5)

    def sampled(parts: list[Tensor]) -> list[Tensor]:
        drawn = rows[torch.randint(200, (8,), generator=dice)]
        row = drawn.T @ (drawn @ flat(parts)) / 8
        return [row[:6].reshape(2, 3), row[6:]]

    whole = products_of(rows.T @ rows / 200)
    drawn = lissa(sampled, RIGHT, damping=DAMPING, steps=5000, scale=25.0)
    solved = conjugate(whole, RIGHT, damping=DAMPING, steps=50)
    left = [float(residual(whole, RIGHT, found.parts, DAMPING)) for found in (solved, drawn)]
    assert left[0] < left[1]
