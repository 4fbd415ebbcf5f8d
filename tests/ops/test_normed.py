"""Norms that are differentiated twice: values of torch, in few operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor, nn

from taxo.ops.twice import Twice
from tests.operations import Operations

MAKERS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "batch": (lambda: nn.BatchNorm2d(3), (4, 3, 5, 2)),
    "batch of vectors": (lambda: nn.BatchNorm1d(3, momentum=0.3), (6, 3)),
    "batch without weights": (
        lambda: nn.BatchNorm2d(3, affine=False, track_running_stats=False),
        (4, 3, 3, 3),
    ),
    "batch by running statistics": (lambda: nn.BatchNorm2d(3).eval(), (4, 3, 3, 2)),
    "layer": (lambda: nn.LayerNorm(5), (3, 4, 5)),
    "layer of two dimensions": (lambda: nn.LayerNorm([4, 5], eps=1e-3), (3, 4, 5)),
    "layer without weights": (lambda: nn.LayerNorm(5, elementwise_affine=False), (3, 5)),
}
each_norm = pytest.mark.parametrize("name", MAKERS)


def made(name: str) -> tuple[nn.Module, Tensor]:
    """A norm with weights and statistics of its own, and what enters."""
    torch.manual_seed(0)
    module, sizes = MAKERS[name][0]().double(), MAKERS[name][1]
    for weight in module.parameters():
        nn.init.normal_(weight)
    for key, buffer in module.named_buffers():
        if buffer.is_floating_point():
            nn.init.uniform_(buffer, 0.5, 1.5) if "var" in key else nn.init.normal_(buffer)
    return module, torch.randn(*sizes, dtype=torch.float64, requires_grad=True)


def normed(module: nn.Module, x: Tensor, ours: bool = True) -> Tensor:
    """What a norm gives, by this backward or by torch's."""
    if not ours:
        return module(x)
    with Twice():
        return module(x)


def some(values: Sequence[Tensor]) -> Tensor:
    """A number that depends on all values."""
    return torch.stack([(value.sin() * value).sum() for value in values]).sum()


@each_norm
@pytest.mark.parametrize("wanted", ["x", "weights", "all"])
def test_first_and_second_derivatives_are_those_of_torch(name: str, wanted: str):
    found = []
    for ours in (True, False):
        module, x = made(name)
        leaves = [x, *module.parameters()]
        firsts = leaves[1:] if wanted == "weights" and leaves[1:] else leaves[:1] if wanted == "x" else leaves
        out = normed(module, x, ours)
        back = torch.ones_like(out, requires_grad=True)
        slopes = torch.autograd.grad(out.sin(), firsts, back, create_graph=True)
        (before,) = torch.autograd.grad(some(slopes), back, retain_graph=True)
        second = torch.autograd.grad(some(slopes), leaves, materialize_grads=True)
        found.append([out, *slopes, before, *second, *module.buffers()])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@each_norm
def test_what_enters_may_be_no_leaf_and_weights_may_be_frozen(name: str):
    found = []
    for ours in (True, False):
        module, x = made(name)
        module.requires_grad_(False)
        out = normed(module, x.sin(), ours)
        (slope,) = torch.autograd.grad(out.square().sum(), x, create_graph=True)
        found.append([out, slope, *torch.autograd.grad(some([slope]), x)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@each_norm
@pytest.mark.parametrize("wanted", ["x", "all"])
def test_second_derivatives_can_be_differentiated_where_those_of_torch_can(name: str, wanted: str):
    """So that a model may take a gradient itself, and be differentiated twice behind it."""
    found = []
    for ours in (True, False):
        module, x = made(name)
        leaves = [x, *module.parameters()]
        firsts = leaves[: 1 if wanted == "x" else None]
        slopes = torch.autograd.grad(normed(module, x, ours).tanh().square().sum(), firsts, create_graph=True)
        back = torch.ones((), dtype=x.dtype, requires_grad=True)
        second = torch.autograd.grad(some(slopes), leaves, back, create_graph=True, materialize_grads=True)
        third = torch.autograd.grad(some(second), back, retain_graph=True)
        if not name.startswith("batch"):  # torch has no third derivative of these
            third += torch.autograd.grad(some(second), leaves, materialize_grads=True)
        found.append([*second, *third])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


@each_norm
@pytest.mark.parametrize("wanted", ["x", "all"])
def test_what_enters_may_be_narrower_than_the_weights(name: str, wanted: str):
    """As it is behind a convolution under autocast; values agree as far as eight bits of a number go."""
    found = []
    for type_ in (torch.bfloat16, torch.float32):
        module, _ = made(name)
        x = torch.randn(MAKERS[name][1], generator=torch.Generator().manual_seed(1)).bfloat16()
        x = x.to(type_).requires_grad_()
        out = normed(module.float(), x)
        assert out.dtype == type_
        back = torch.ones_like(out, requires_grad=True)
        leaves = [x, *module.parameters()]
        slopes = torch.autograd.grad(out, leaves if wanted == "all" else [x], back, create_graph=True)
        ways = [torch.linspace(-1, 1, slope.numel()).view_as(slope).to(slope.dtype) for slope in slopes]
        found.append([out, *slopes, *torch.autograd.grad(slopes, back, ways)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one.float(), other, rtol=0.05, atol=0.05)


@each_norm
def test_the_way_to_what_comes_out_takes_few_operations(name: str):
    module, x = made(name)
    out = normed(module, x)
    back = torch.ones_like(out, requires_grad=True)
    leaves = [x, *module.parameters()]
    slopes = torch.autograd.grad(out, leaves, back, create_graph=True)
    ways = [torch.ones_like(slope) for slope in slopes]
    with Operations() as operations:
        torch.autograd.grad(slopes, back, ways)
    assert operations.seen.total() - sum(operations.of("view", "empty")) <= 4


def test_running_statistics_may_move_before_the_backward():
    module, x = made("batch by running statistics")
    slopes = []
    for moved in (False, True):
        out = normed(module, x)
        if moved:
            for statistics in (module.running_mean, module.running_var):
                assert isinstance(statistics, Tensor)
                statistics.add_(1.0)
        slopes.append(torch.autograd.grad(out.sin().sum(), x)[0])
    assert torch.equal(*slopes)


def test_a_norm_of_one_value_is_refused_in_the_words_of_torch():
    module = nn.BatchNorm1d(3)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        normed(module, torch.rand(1, 3))
