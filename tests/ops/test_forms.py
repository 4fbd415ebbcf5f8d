"""Rows and entries of classes, and products that autocast leaves alone."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradgradcheck

from taxo.ops.forms import pick, product, rows_of

LABELS = torch.tensor([2, 0, 2, 1])
SHARES = torch.rand(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).softmax(1)


def table(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(3,), (3, 5), (3, 2, 2), (3, 3)])
def test_rows_of_classes(shape: tuple[int, ...]):
    values = table(*shape).requires_grad_()
    assert torch.equal(rows_of(values, LABELS), torch.stack([values[c] for c in LABELS]))
    expected = torch.stack(
        [torch.stack([s * row for s, row in zip(y, values, strict=True)]).sum(0) for y in SHARES]
    )
    torch.testing.assert_close(rows_of(values, SHARES), expected)
    torch.testing.assert_close(rows_of(values, torch.eye(3, dtype=torch.float64)), values)
    assert gradgradcheck(rows_of, (values, SHARES.clone().requires_grad_()))


@pytest.mark.parametrize("y", [LABELS, SHARES])
@pytest.mark.parametrize("shape", [(), (1,), (1, 5)])
def test_one_value_for_all_classes_stays(shape: tuple[int, ...], y: Tensor):
    values = table(*shape)
    assert rows_of(values, y) is values


def test_one_class():
    values = table(1, 5)
    soft = torch.ones(4, 1, dtype=torch.float64)
    assert torch.equal(rows_of(values, soft), values.expand(4, 5))
    assert torch.equal(rows_of(values, torch.zeros(4, dtype=torch.long)).expand(4, 5), values.expand(4, 5))


def test_entries_of_classes():
    values = table(4, 3)
    assert torch.equal(pick(values, LABELS), torch.stack([values[i, c] for i, c in enumerate(LABELS)]))
    torch.testing.assert_close(pick(values, SHARES), (values * SHARES).sum(1))
    assert torch.equal(pick(values[0], LABELS), values[0][LABELS])
    torch.testing.assert_close(pick(values[0], SHARES), (values[0] * SHARES).sum(1))


def test_one_row_for_all_samples():
    values = table(1, 3)
    assert torch.equal(pick(values, LABELS), values[0][LABELS])
    torch.testing.assert_close(pick(values, SHARES), (values * SHARES).sum(1))


def test_products_keep_the_finer_type():
    first, second = table(2, 3).float(), table(3, 2)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = product(first, second)
    assert torch.equal(found, first.double() @ second)
    torch.testing.assert_close(
        rows_of(table(3, 2).bfloat16(), SHARES), SHARES @ table(3, 2).bfloat16().double()
    )
