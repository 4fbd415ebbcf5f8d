"""Functions that put values together, against their sums written out and torch's own."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from taxo.ops.reductions import (
    acos,
    average,
    kl,
    larger,
    largest,
    lp,
    mean_batch,
    quantile,
    smaller,
    smallest,
    total,
    weights_l1,
    weights_l2,
    weights_linf,
    weights_lp,
)

OVER_A_SAMPLE = [(total, torch.sum), (average, torch.mean), (largest, torch.amax), (smallest, torch.amin)]
numbers = st.floats(-1e3, 1e3)


def normal(*shape: int, seed: int = 0, grad: bool = False) -> Tensor:
    drawn = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return drawn.requires_grad_(grad)


@pytest.mark.parametrize(("ours", "theirs"), OVER_A_SAMPLE)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_over_all_axes_but_the_first(ours, theirs, dtype: torch.dtype):
    e = normal(3, 2, 4).to(dtype)
    torch.testing.assert_close(ours(e), torch.stack([theirs(one, dim=(0, 1)) for one in e]))
    assert ours(e).dtype == dtype
    assert torch.equal(ours(e[:, 0, 0]), e[:, 0, 0])


@pytest.mark.parametrize(("ours", "theirs"), [(larger, max), (smaller, min)])
@given(a=numbers, b=numbers)
def test_the_larger_and_the_smaller(ours, theirs, a: float, b: float):
    one, other = (torch.tensor([value], dtype=torch.float64) for value in (a, b))
    expected = theirs(a, b)
    assert [ours(*pair).item() for pair in ((one, other), (one, b), (a, other))] == [expected] * 3


@pytest.mark.parametrize("function", [larger, smaller])
def test_a_number_takes_the_type_of_the_tensor(function):
    assert function(0.3, torch.ones(2, dtype=torch.bfloat16)).dtype == torch.bfloat16
    assert function(torch.ones(2), torch.ones((), dtype=torch.float64)).dtype == torch.float32
    assert function(torch.ones(2, 1), torch.ones(3)).shape == (2, 3)


def test_the_mean_over_the_batch_is_live():
    e = normal(4, 3, grad=True)
    (slope,) = torch.autograd.grad(mean_batch(e)[1], e)
    assert torch.equal(slope, torch.tensor([0, 0.25, 0], dtype=torch.float64).expand(4, 3))


@pytest.mark.parametrize("count", [1, 2, 5, 128])
@given(share=st.floats(0, 1))
def test_a_quantile_is_torchs(count: int, share: float):
    e = normal(count)
    torch.testing.assert_close(quantile(e, share), torch.quantile(e, share))
    given_as_tensor = quantile(e, torch.tensor(share, dtype=torch.float64))
    torch.testing.assert_close(given_as_tensor, torch.quantile(e, share))


def test_a_quantile_of_halves_is_taken_in_single_precision():
    e = torch.tensor([256, 257, 258, 300]).bfloat16()
    assert quantile(e, 0.25).item() == pytest.approx(torch.quantile(e.float(), 0.25).item())


def test_a_quantile_of_more_than_torch_takes():
    assert quantile(torch.arange(16_000_001), 0.5) == 8_000_000


def test_a_quantile_reaches_the_two_samples_beside_it():
    e = torch.tensor([3.0, 1.0, 2.0], requires_grad=True)
    (slope,) = torch.autograd.grad(quantile(e, 0.75), e)
    assert torch.equal(slope, torch.tensor([0.5, 0, 0.5]))


def test_kl_is_the_mean_log_ratio():
    p, q = normal(4, 3).softmax(1), normal(4, 3, seed=1).softmax(1)
    expected = [
        sum(a * math.log(a / b) for a, b in zip(*rows, strict=True)) for rows in zip(p, q, strict=True)
    ]
    torch.testing.assert_close(kl(p, q), torch.tensor(expected, dtype=torch.float64))
    assert torch.equal(kl(p, p), torch.zeros(4, dtype=torch.float64))
    u, v = normal(2, 3, grad=True), normal(2, 3, seed=1, grad=True)
    assert gradcheck(lambda u, v: kl(u.softmax(1), v.softmax(1)), (u, v))
    assert gradgradcheck(lambda u, v: kl(u.softmax(1), v.softmax(1)), (u, v))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_kl_of_zeros_is_finite(dtype: torch.dtype):
    p = torch.tensor([[1, 0, 0]], dtype=dtype, requires_grad=True)
    u = torch.tensor([[0, 1000, 0]], dtype=dtype, requires_grad=True)
    value = kl(p, u.softmax(1))
    assert value.item() == pytest.approx(-math.log(torch.finfo(dtype).tiny), rel=1e-2)
    assert all(slope.isfinite().all() for slope in torch.autograd.grad(value, (p, u)))


@pytest.mark.parametrize("p", [1, 1.5, 2, 3.0, math.inf])
@pytest.mark.parametrize("as_tensor", [False, True])
def test_norms_of_any_order(p: float, as_tensor: bool):
    e = normal(3, 2, 2, grad=True)
    order = torch.tensor(p, dtype=torch.float64) if as_tensor else p
    torch.testing.assert_close(lp(e, order), torch.linalg.vector_norm(e, p, dim=(1, 2)))
    if not math.isinf(p):
        assert gradcheck(lambda e: lp(e, order), e)
        assert gradgradcheck(lambda e: lp(e, order), e)


@pytest.mark.parametrize("p", [1, 1.5, 2, torch.tensor(3.0), math.inf])
def test_a_norm_of_zero_has_no_slope(p: float | Tensor):
    e = torch.zeros(2, 3, requires_grad=True)
    value = lp(e, p)
    assert torch.equal(value, torch.zeros(2))
    assert torch.equal(torch.autograd.grad(value.sum(), e)[0], torch.zeros(2, 3))


@given(p=st.floats(1, 200), scale=st.sampled_from([1e-30, 1.0, 1e30]))
def test_norms_of_high_order_keep_their_size(p: float, scale: float):
    e = torch.tensor([[0.5, -1.0]]) * scale
    assert lp(e, p).item() / scale == pytest.approx((0.5**p + 1) ** (1 / p), rel=1e-5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_an_angle_has_a_slope_everywhere(dtype: torch.dtype):
    e = torch.tensor([-1.5, -1, -0.5, 0.3, 1, 1.5], dtype=dtype, requires_grad=True)
    angle = acos(e)
    assert angle.dtype == dtype
    assert torch.autograd.grad(angle.sum(), e)[0].isfinite().all()
    expected = e.detach().double().clamp(-1, 1).acos().to(dtype)
    torch.testing.assert_close(angle.detach(), expected, atol=6e-4, rtol=1e-2)


def test_an_angle_inside_is_exact():
    e = torch.linspace(-0.99, 0.99, 9, dtype=torch.float64, requires_grad=True)
    assert torch.equal(acos(e), e.acos())
    assert gradgradcheck(acos, e)


JOINED = [
    (weights_l1, 1),
    (weights_l2, 2),
    (weights_linf, math.inf),
    *((lambda parts, p=p: weights_lp(parts, p), p) for p in (1, 2.5, math.inf)),
]


@pytest.mark.parametrize(("function", "p"), JOINED)
def test_norms_of_all_weights_are_those_of_one_vector(function: Callable[..., Tensor], p: float):
    parts = {"a": normal(2, 3, grad=True), "b": normal(4, seed=1, grad=True), "c": normal(seed=2, grad=True)}
    found = function(parts)
    expected = torch.linalg.vector_norm(torch.cat([part.flatten() for part in parts.values()]), p)
    torch.testing.assert_close(found, expected)
    slopes, references = (torch.autograd.grad(value, list(parts.values())) for value in (found, expected))
    torch.testing.assert_close(slopes, references)


@pytest.mark.parametrize(
    "function", [weights_l1, weights_l2, weights_linf, lambda parts: weights_lp(parts, 3)]
)
def test_no_slope_where_all_weights_are_zero(function: Callable[..., Tensor]):
    parts = {"a": torch.zeros(2, 3, requires_grad=True), "none": torch.zeros(0, requires_grad=True)}
    value = function(parts)
    assert value.shape == ()
    assert value == 0
    assert torch.equal(torch.autograd.grad(value, parts["a"])[0], torch.zeros(2, 3))
