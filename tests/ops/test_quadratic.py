"""Quadratic forms of class differences, against the form written out."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck
from torch.utils._python_dispatch import TorchDispatchMode

from taxo.ops import quadratic as module
from taxo.ops.quadratic import quadratic, quadratic_table

CLASSES, FEATURES = 5, 3
KINDS = {
    "each": (CLASSES, FEATURES, FEATURES),
    "one": (FEATURES, FEATURES),
    "diagonals": (CLASSES, FEATURES),
    "number": (),
}
HARD = torch.tensor([3, 0, 3])
MANY = torch.tensor([3, 0, 3, 4, 1, 1, 2])
SOFT = torch.rand(4, CLASSES, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
each_kind = pytest.mark.parametrize("kind", KINDS)
each_y = pytest.mark.parametrize("y", [HARD, MANY, SOFT], ids=["rows", "table", "soft"])


def normal(*shape: int, seed: int = 0, grad: bool = False) -> Tensor:
    drawn = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return drawn.requires_grad_(grad)


def matrix(M: Tensor, kind: str, a: int, features: int) -> Tensor:
    """The matrix of a class, as a matrix."""
    if kind == "number":
        return M * torch.eye(features, dtype=M.dtype)
    return {"each": lambda: M[a], "one": lambda: M, "diagonals": lambda: torch.diag(M[a])}[kind]()


def written_out(W: Tensor, M: Tensor, kind: str) -> Tensor:
    matrices = [matrix(M, kind, a, W.shape[1]) for a in range(len(W))]
    rows = [[(V - own) @ A @ (V - own) for V in W] for own, A in zip(W, matrices, strict=True)]
    return torch.stack([torch.stack(row) for row in rows])


@each_kind
@each_y
def test_the_form_and_its_slopes(kind: str, y: Tensor):
    W, M = normal(CLASSES, FEATURES, grad=True), normal(*KINDS[kind], seed=1, grad=True)
    table = written_out(W, M, kind)
    found, expected = quadratic(W, M, y), SOFT @ table if y.is_floating_point() else table[y]
    torch.testing.assert_close(found, expected, atol=1e-10, rtol=0)
    weight = normal(*found.shape, seed=2)
    slopes, references = (torch.autograd.grad((value * weight).sum(), (W, M)) for value in (found, expected))
    torch.testing.assert_close(slopes, references, atol=1e-10, rtol=0)
    torch.testing.assert_close(quadratic_table(W, M), table, atol=1e-10, rtol=0)


@each_kind
@each_y
def test_it_is_twice_differentiable(kind: str, y: Tensor):
    leaves = normal(CLASSES, FEATURES, grad=True), normal(*KINDS[kind], seed=1, grad=True)
    assert gradcheck(lambda W, M: quadratic(W, M, y), leaves)
    assert gradgradcheck(lambda W, M: quadratic(W, M, y), leaves)


def test_three_times():
    W, M = normal(3, 2, grad=True), normal(3, 2, 2, seed=1, grad=True)

    def slope(W: Tensor, M: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad((quadratic(W, M, HARD % 3) ** 2).sum(), (W, M), create_graph=True)

    assert gradgradcheck(slope, (W, M))


@pytest.mark.parametrize("block", [1, 30, 45, 1000])
def test_blocks_of_any_size_agree(block: int, monkeypatch: pytest.MonkeyPatch):
    W, M = normal(CLASSES, FEATURES, grad=True), normal(*KINDS["each"], seed=1, grad=True)
    expected = torch.autograd.grad(written_out(W, M, "each")[MANY].sum(), (W, M))
    monkeypatch.setattr(module, "BLOCK", block)
    torch.testing.assert_close(torch.autograd.grad(quadratic(W, M, MANY).sum(), (W, M)), expected)


@pytest.mark.parametrize(("diagonal", "kind"), [(None, "one"), (False, "one"), (True, "diagonals")])
def test_as_many_classes_as_features(diagonal: bool | None, kind: str):
    W, M = normal(4, 4), normal(4, 4, seed=1)
    torch.testing.assert_close(quadratic(W, M, MANY % 4, diagonal), written_out(W, M, kind)[MANY % 4])


@each_y
def test_one_value_for_all_classes(y: Tensor):
    W, M = normal(CLASSES, FEATURES), normal(1, FEATURES, FEATURES, seed=1)
    torch.testing.assert_close(quadratic(W, M, y), quadratic(W, M[0], y))
    diagonal = normal(1, FEATURES, seed=1)
    torch.testing.assert_close(quadratic(W, diagonal, y), quadratic(W, diagonal[0].diag(), y))
    torch.testing.assert_close(quadratic(W, 0.3, y), quadratic(W, torch.tensor(0.3).double(), y))


def test_one_class():
    for y in (torch.zeros(3, dtype=torch.long), torch.ones(3, 1, dtype=torch.float64)):
        assert torch.equal(
            quadratic(normal(1, 3), normal(1, 3, 3), y), torch.zeros(3, 1, dtype=torch.float64)
        )


@each_kind
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_nothing_at_the_own_class(kind: str, dtype: torch.dtype):
    W, M = (100 + normal(CLASSES, FEATURES)).to(dtype), normal(*KINDS[kind], seed=1).to(dtype)
    table = quadratic_table(W, M)
    assert torch.equal(table.diagonal(), torch.zeros(CLASSES, dtype=table.dtype))
    torch.testing.assert_close(
        table.double(), written_out(W.double(), M.double(), kind), atol=1e-4, rtol=1e-4
    )


def test_autocast_changes_nothing():
    W, M = normal(CLASSES, FEATURES, grad=True), normal(*KINDS["each"], seed=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = quadratic(W, M, HARD)
        (slope,) = torch.autograd.grad(found.sum(), W)
    assert torch.equal(found, quadratic(W, M, HARD))
    assert torch.equal(slope, torch.autograd.grad(quadratic(W, M, HARD).sum(), W)[0])


class Sizes(TorchDispatchMode):
    """The largest tensor that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **kwargs or {})
        for made in result if isinstance(result, tuple | list) else (result,):
            if isinstance(made, Tensor):
                self.most = max(self.most, made.numel())
        return result


@each_kind
@each_y
def test_nothing_is_made_of_rows_by_classes_by_features(
    kind: str, y: Tensor, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(module, "BLOCK", 1)
    W, M = normal(CLASSES, FEATURES, grad=True), normal(*KINDS[kind], seed=1)
    with Sizes() as sizes:
        value = quadratic(W, M, y)
        (slope,) = torch.autograd.grad((value**2).sum(), W, create_graph=True)
        torch.autograd.grad((slope**2).sum(), W)
    rows = min(len(y), CLASSES)
    assert sizes.most < rows * CLASSES * FEATURES


def test_only_the_arguments_are_kept():
    W, M = normal(40, 6, grad=True), normal(40, 6, 6, seed=1)
    kept: list[Tensor] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        quadratic(W, M, torch.arange(8))
    assert max(tensor.numel() for tensor in kept) == M.numel()
    assert sum(tensor.numel() for tensor in kept) <= W.numel() + M.numel() + 8
