"""Curvature and influence, against dense derivatives and against retraining."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from taxo.ops.backward import slopes_of
from taxo.ops.influence import gauss_newton, hessian, influences
from taxo.ops.inverse import conjugate

Weights = list[Tensor]


def numbers(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


X, Y = numbers(7, 3, seed=1), torch.tensor([0, 1, 2, 2, 1, 0, 1])
FIRST, SECOND = numbers(4, 3, seed=2), numbers(3, 4, seed=3)


def weights() -> Weights:
    return [FIRST.clone().requires_grad_(), SECOND.clone().requires_grad_()]


def logits(at: Sequence[Tensor], x: Tensor) -> Tensor:
    return (x @ at[0].T).tanh() @ at[1].T


def losses(at: Sequence[Tensor], x: Tensor) -> Tensor:
    return functional.cross_entropy(logits(at, x), Y[: len(x)], reduction="none")


def flat(parts: Sequence[Tensor]) -> Tensor:
    return torch.cat([part.reshape(-1) for part in parts])


def shaped(row: Tensor) -> Weights:
    return [row[:12].reshape(4, 3), row[12:].reshape(3, 4)]


def dense(function: Callable[[Tensor], Tensor]) -> Tensor:
    found = torch.autograd.functional.hessian(function, flat([FIRST, SECOND]))
    assert isinstance(found, Tensor)
    return found


def test_products_with_the_hessian():
    at, v = weights(), numbers(24, seed=4)
    matrix = dense(lambda row: losses(shaped(row), X).mean())
    products = hessian(losses(at, X), at)
    for direction in (v, 2 * v.flip(0)):
        torch.testing.assert_close(flat(products(shaped(direction))), matrix @ direction)


def test_products_with_the_gauss_newton_matrix():
    at, v = weights(), numbers(24, seed=4)
    jacobian = torch.autograd.functional.jacobian(lambda row: logits(shaped(row), X), flat([FIRST, SECOND]))
    assert isinstance(jacobian, Tensor)
    p = logits(at, X).softmax(1).detach()
    bent = torch.diag_embed(p) - p[:, :, None] * p[:, None, :]
    matrix = torch.einsum("nci,ncd,ndj->ij", jacobian, bent, jacobian) / len(X)
    u = logits(at, X)
    products = gauss_newton(u, functional.cross_entropy(u, Y, reduction="none"), at)
    for direction in (v, v.flip(0)):
        torch.testing.assert_close(flat(products(shaped(direction))), matrix @ direction)


@pytest.mark.parametrize("curvature", ["hessian", "gauss_newton"])
def test_a_loss_of_straight_pieces_has_none_in_the_logits(curvature: str):
    at = weights()
    u = logits(at, X)
    straight = u.abs().sum(1)
    products = gauss_newton(u, straight, at) if curvature == "gauss_newton" else hessian(straight, at)
    found = flat(products(shaped(numbers(24, seed=4))))
    assert bool(found.any()) == (curvature == "hessian")  # the model is bent all the same


def test_the_influence_of_each_sample_is_that_of_its_own_gradient():
    at, along, x = weights(), shaped(numbers(24, seed=5)), X.clone().requires_grad_()
    found, change = influences(losses(at, x), at, along, x)
    own = [flat(torch.autograd.grad(one, at, retain_graph=True)) for one in losses(at, X)]
    torch.testing.assert_close(found, torch.stack(own) @ flat(along))
    reach = 1e-6
    for row, column in ((0, 0), (3, 2)):
        sides = []
        for sign in (1, -1):
            moved = X.clone()
            moved[row, column] += sign * reach
            sides.append(influences(losses(at, moved), at, along)[0][row])
        torch.testing.assert_close(
            change[row, column], (sides[0] - sides[1]) / (2 * reach), rtol=1e-6, atol=1e-8
        )


def test_what_nothing_moves_has_no_slope():
    at = weights()
    assert not any(part.any() for part in slopes_of(torch.ones(()), at))
    assert flat(slopes_of(losses(at, X).mean(), at)).any()


# Multinomial logistic regression with a ridge: what is predicted, and what retraining gives

RIDGE = 0.05
DATA, LABELS = numbers(40, 4, seed=6), torch.arange(40) % 3
DATA[torch.arange(40), LABELS] += 1
GUIDE, ANSWERS = numbers(30, 4, seed=7), torch.arange(30) % 3
GUIDE[torch.arange(30), ANSWERS] += 0.7


def risk(w: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(x @ w.T, y)


def trained(x: Tensor, y: Tensor, per: Tensor | None = None) -> Tensor:
    """The exact minimiser of the ridge-regularised weighted risk, by Newton's method."""
    per = torch.full((len(x),), 1 / len(x), dtype=torch.float64) if per is None else per
    w = torch.zeros(12, dtype=torch.float64)

    def objective(row: Tensor) -> Tensor:
        each = functional.cross_entropy(x @ row.reshape(3, 4).T, y, reduction="none")
        return (per * each).sum() + RIDGE / 2 * row @ row

    for _ in range(12):
        slope = torch.autograd.functional.jacobian(objective, w)
        bent = torch.autograd.functional.hessian(objective, w)
        w = w - torch.linalg.solve(bent, slope)
    return w.reshape(3, 4)


def inverse_product(w: Tensor, guide: Tensor, answers: Tensor) -> list[Tensor]:
    leaf = w.clone().requires_grad_()
    u = DATA @ leaf.T
    products = gauss_newton(u, functional.cross_entropy(u, LABELS, reduction="none"), [leaf])
    right = slopes_of(risk(leaf, guide, answers), [leaf])
    return conjugate(products, right, damping=RIDGE, steps=60).parts


def test_the_inverse_product_is_the_dense_solve():
    w = trained(DATA, LABELS)
    found = inverse_product(w, GUIDE, ANSWERS)
    matrix = torch.autograd.functional.hessian(
        lambda row: risk(row.reshape(3, 4), DATA, LABELS), w.reshape(-1)
    )
    right = torch.autograd.functional.jacobian(
        lambda row: risk(row.reshape(3, 4), GUIDE, ANSWERS), w.reshape(-1)
    )
    assert isinstance(matrix, Tensor)
    wanted = torch.linalg.solve(matrix + RIDGE * torch.eye(12), right)
    assert float((found[0].reshape(-1) - wanted).norm() / wanted.norm()) < 1e-6


@pytest.mark.parametrize("append", [True, False])
def test_the_predicted_change_is_that_of_retraining(append: bool):
    """Adding or replacing one moved sample at a time: correlation over 0.9, and the same size."""
    w, alpha = trained(DATA, LABELS), 0.3
    s = inverse_product(w, GUIDE, ANSWERS)
    leaf, x = w.clone().requires_grad_(), DATA.clone().requires_grad_()

    def each(at: Tensor) -> Tensor:
        return functional.cross_entropy(at @ leaf.T, LABELS, reduction="none")

    before, change = influences(each(x), [leaf], s, x)
    moved = (DATA + alpha * change).detach()
    after, _ = influences(each(moved), [leaf], s)
    predicted = (after if append else after - before) / len(DATA)
    if append:  # a copy more also makes all others count less, unless they keep their weight
        weigh = torch.full((41,), 1 / 40, dtype=torch.float64)
        again = [
            trained(torch.cat([DATA, moved[i : i + 1]]), torch.cat([LABELS, LABELS[i : i + 1]]), weigh)
            for i in range(40)
        ]
    else:
        swapped = [torch.cat([DATA[:i], moved[i : i + 1], DATA[i + 1 :]]) for i in range(40)]
        again = [trained(data, LABELS) for data in swapped]
    real = torch.stack([risk(w, GUIDE, ANSWERS) - risk(one, GUIDE, ANSWERS) for one in again])
    pair = torch.stack([predicted, real])
    assert float(torch.corrcoef(pair)[0, 1]) > 0.97
    if not append:
        assert bool((predicted > 0).all())
        assert float((real > 0).double().mean()) > 0.9


def test_where_the_guide_is_what_was_trained_on_there_is_no_direction():
    """At an exact minimiser of the risk itself its slope is zero, and so is every influence."""
    leaf = torch.zeros(3, 4, dtype=torch.float64).requires_grad_()
    x = DATA.clone()
    for _ in range(30):
        slope = torch.autograd.functional.jacobian(
            lambda row: risk(row.reshape(3, 4), x, LABELS), leaf.detach().reshape(-1)
        )
        bent = torch.autograd.functional.hessian(
            lambda row: risk(row.reshape(3, 4), x, LABELS), leaf.detach().reshape(-1)
        )
        leaf = (leaf.detach() - (torch.linalg.pinv(bent) @ slope).reshape(3, 4)).requires_grad_()
    u = x @ leaf.T
    products = gauss_newton(u, functional.cross_entropy(u, LABELS, reduction="none"), [leaf])
    s = conjugate(products, slopes_of(risk(leaf, x, LABELS), [leaf]), damping=0.01, steps=60).parts
    at = x.clone().requires_grad_()
    gains, change = influences(functional.cross_entropy(at @ leaf.T, LABELS, reduction="none"), [leaf], s, at)
    assert float(gains.abs().max()) < 1e-10
    assert float(change.abs().max()) < 1e-10
