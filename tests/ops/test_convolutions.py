"""Convolutions that are differentiated twice: values of torch, and nothing computed that nobody asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import taxo
from taxo.ops import convolutions
from taxo.ops.twice import Twice
from tests.operations import Operations

CALLS: dict[str, tuple[Callable[..., Tensor], tuple[int, ...], tuple[int, ...], dict[str, Any]]] = {
    "one dimension": (functional.conv1d, (2, 4, 7), (6, 2, 3), {"stride": 2, "groups": 2}),
    "two": (
        functional.conv2d,
        (2, 3, 6, 5),
        (4, 3, 3, 2),
        {"stride": (2, 1), "padding": 1, "dilation": (1,)},
    ),
    "dilated": (functional.conv2d, (2, 3, 7, 7), (4, 3, 3, 3), {"dilation": 2, "padding": [2, 1]}),
    "three": (functional.conv3d, (2, 2, 4, 4, 4), (3, 2, 2, 2, 2), {}),
    "transposed": (functional.conv_transpose2d, (2, 4, 4, 4), (4, 3, 3, 3), {"stride": 2}),
    "padded out": (functional.conv_transpose1d, (2, 4, 4), (4, 3, 3), {"stride": 2, "output_padding": 1}),
    "transposed groups": (functional.conv_transpose1d, (2, 4, 5), (4, 3, 3), {"groups": 2, "padding": 1}),
}
each_call = pytest.mark.parametrize("name", CALLS)


def made(name: str, seed: int = 0) -> tuple[Callable[..., Tensor], list[Tensor]]:
    """A convolution as a function of what enters, the kernel and the bias, and these."""
    function, entering, kernel, options = CALLS[name]
    dice = torch.Generator().manual_seed(seed)
    groups = options.get("groups", 1)
    width = kernel[0] if "transpose" not in function.__name__ else kernel[1] * groups
    values = [
        torch.randn(*sizes, generator=dice, dtype=torch.float64, requires_grad=True)
        for sizes in (entering, kernel, (width,))
    ]

    def convolved(*given: Tensor) -> Tensor:
        with Twice():
            return function(*given, **options)

    return convolved, values


def native(name: str) -> Callable[..., Tensor]:
    """What torch itself makes of the same call."""
    function, _, _, options = CALLS[name]
    return lambda *given: function(*given, **options)


@pytest.mark.parametrize(
    "name", sorted(CALLS.keys() - {"padded out"})
)  # torch has no third derivative of that
@pytest.mark.parametrize("wanted", [(0,), (1,), (2,), (0, 1), (1, 2), (0, 1, 2)], ids=str)
def test_derivatives_of_three_orders_are_those_of_torch(name: str, wanted: tuple[int, ...]):
    ours, values = made(name)
    found = []
    for function in (ours, native(name)):
        out = function(*values).sin()
        slopes = torch.autograd.grad(out.square().sum(), [values[one] for one in wanted], create_graph=True)
        bent = torch.stack([slope.cos().sum() for slope in slopes]).sum()
        second = torch.autograd.grad(bent, values, create_graph=True, materialize_grads=True)
        bent = torch.stack([one.square().sum() for one in second]).sum()
        third = torch.autograd.grad(bent, values, materialize_grads=True)
        found.append([out, *slopes, *second, *third])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@each_call
def test_finite_differences_agree(name: str):
    ours, values = made(name, seed=1)
    assert torch.autograd.gradgradcheck(ours, values)


def test_only_what_is_asked_for_is_computed():
    ours, (x, weight, bias) = made("two")
    out = ours(x.sin(), weight, bias)
    back = torch.ones_like(out, requires_grad=True)
    slopes = torch.autograd.grad(out, (x, weight, bias), back, create_graph=True)
    total = torch.stack([slope.sum() for slope in slopes]).sum()
    counts = []
    for wanted in ([back], [back, x], [back, weight], [x, weight]):
        with Operations() as operations:
            torch.autograd.grad(total, wanted, retain_graph=True)
        counts.append(operations.of("convolution", "convolution_backward"))
    assert counts == [[2, 0], [2, 1], [2, 1], [0, 2]]


@pytest.mark.parametrize("type_", [torch.bfloat16, torch.float16])
def test_autocast_narrows_as_torch_does(type_: torch.dtype):
    model = nn.Conv2d(3, 4, 3)
    x = torch.rand(2, 3, 6, 6)
    found = []
    for ours in (False, True):
        with torch.autocast("cpu", dtype=type_):
            if ours:
                with Twice():
                    out = model(x)
            else:
                out = model(x)
        found.append([out, *torch.autograd.grad(out.float().square().sum(), [*model.parameters()])])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))
    assert found[1][0].dtype == type_


@pytest.mark.parametrize(
    ("x", "options"),
    [(torch.rand(2, 3, 6, 6), {"padding": "same"}), (torch.rand(3, 6, 6), {}), (torch.rand(2, 3, 6, 6), {})],
    ids=["a word", "one sample", "no gradients"],
)
def test_calls_that_are_left_to_torch(monkeypatch: pytest.MonkeyPatch, x: Tensor, options: dict[str, Any]):
    monkeypatch.setattr(convolutions, "convolution", None)
    weight = torch.rand(4, 3, 3, 3, requires_grad=True)
    with torch.set_grad_enabled(bool(options) or x.dim() == 3), Twice():
        out = functional.conv2d(x, weight, **options)
    assert torch.equal(out, functional.conv2d(x, weight, **options))


METHOD = """method late
needs validation
param tau per category = 1
perturb logits by tau[y] * log(class_prior) { direction mixed granularity category }
infer meta over tau minimize loss on validation via lookahead(lr: lr)
"""


def test_a_step_that_looks_ahead_computes_no_convolution_in_vain():
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 3)
    )
    x, y = torch.rand(6, 3, 8, 8), torch.arange(6) % 3
    step = taxo.compile(taxo.parse(METHOD), model, classes=3, class_counts=[2, 2, 2], validation=[(x, y)] * 2)
    step.attach(torch.optim.SGD(model.parameters(), lr=0.1))
    step.begin_epoch(0, of=1)
    with Operations() as operations:
        step(x, y, torch.arange(6)).backward()
    # two passes of two layers, and how their outputs move with the weights: one part less where images enter
    assert operations.of("convolution", "convolution_backward") == [2 * 2 + (2 * 2 - 1), 3 * 2]
