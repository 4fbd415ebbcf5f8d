"""Passes that are differentiated twice: what is ours steps aside where it would not do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional

from taxo.ops.twice import Twice


class Marked(torch.Tensor):
    """A kind of tensor with operations of its own."""


def forward_mode(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """How what comes out changes as every number that enters grows alike."""
    with forward_ad.dual_level():
        moved: Any = forward_ad.unpack_dual(function(forward_ad.make_dual(x, torch.ones_like(x))))
        return moved.tangent


WAYS: dict[str, Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]] = {
    "vmap": lambda function, x: torch.vmap(function)(torch.stack([x, x + 1])),
    "grad": lambda function, x: torch.func.grad(lambda one: function(one).sin().sum())(x),
    "forward mode": forward_mode,
    "a subclass": lambda function, x: function(x.as_subclass(Marked)).as_subclass(torch.Tensor),
}
LAYERS: dict[str, Callable[[], nn.Module]] = {
    "convolution": lambda: nn.Conv2d(3, 3, 2),
    "batch": lambda: nn.BatchNorm2d(3).eval(),
    "layer": lambda: nn.LayerNorm([3, 4, 4]),
}


@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")
@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("way", WAYS)
def test_a_model_may_transform_its_own_parts(way: str, layer: str):
    torch.manual_seed(0)
    module = LAYERS[layer]().double()
    x = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    with Twice():
        found = WAYS[way](module, x)
    torch.testing.assert_close(found, WAYS[way](module, x))
    assert found.requires_grad


def test_a_stride_may_be_a_number_of_another_library():
    x, weight = torch.rand(2, 3, 6, 6), torch.rand(4, 3, 2, 2, requires_grad=True)
    options: dict[str, Any] = {"stride": np.int64(2), "padding": (np.int64(1), 1), "groups": np.int64(1)}
    with Twice():
        found = functional.conv2d(x, weight, **options)
    assert torch.equal(found, functional.conv2d(x, weight, **options))


def test_complex_numbers_are_left_to_torch():
    x, weight = (torch.rand(2, 3, 3, 3, dtype=torch.complex128, requires_grad=True) for _ in range(2))
    found = []
    for ours in (True, False):
        if ours:
            with Twice():
                out = functional.conv2d(x, weight)
        else:
            out = functional.conv2d(x, weight)
        found.append([out, *torch.autograd.grad(out.abs().sum(), [x, weight])])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other)


MISTAKES: dict[str, Callable[[], Tensor]] = {
    "images for a row of numbers": lambda: functional.conv1d(torch.rand(2, 3, 4, 4), KERNEL),
    "another number of channels": lambda: functional.conv2d(torch.rand(2, 4, 4, 4), KERNEL),
    "no row": lambda: functional.batch_norm(torch.rand(4), torch.rand(4), torch.rand(4)),
    "other sizes": lambda: functional.layer_norm(torch.rand(2, 4), (5,)),
}
KERNEL = torch.rand(4, 3, 2, 2, requires_grad=True)


@pytest.mark.parametrize("call", MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_refused_in_the_words_of_torch(call: Callable[[], Tensor]):
    with pytest.raises(RuntimeError) as told:
        call()
    with pytest.raises(RuntimeError) as found, Twice():
        call()
    assert str(found.value) == str(told.value)


@pytest.mark.parametrize("type_", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_under_autocast_derivatives_are_those_of_torch(device: str, type_: torch.dtype):
    torch.manual_seed(0)
    first = [nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Tanh(), nn.Conv2d(8, 8, 3), nn.Flatten()]
    model = nn.Sequential(*first, nn.LayerNorm(32), nn.Tanh(), nn.Linear(32, 4)).to(device)
    x, found = torch.randn(16, 3, 6, 6, device=device), list[list[Tensor]]()
    for within in (Twice, nullcontext):
        with torch.autocast(device, dtype=type_, enabled=type_ != torch.float32), within():
            out = model(x)
        back = torch.ones_like(out, requires_grad=True)
        leaves = [*model.parameters()]
        slopes = torch.autograd.grad(out, leaves, back, create_graph=True)
        bent = torch.stack([slope.square().sum() for slope in slopes]).sum()
        found.append([out, *slopes, *torch.autograd.grad(bent, [back, *leaves], materialize_grads=True)])
    for one, other in zip(*found, strict=True):
        assert one.dtype == other.dtype
        off = (one - other).float().norm() / other.float().norm().clamp(min=1e-3)
        assert off < (1e-3 if type_ == torch.float32 else 0.1)
