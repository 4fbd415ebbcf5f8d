"""Numbers and norms per granule."""

import pytest
import torch
from torch import Tensor

from taxo.ops import granules


def test_one_number_per_granule_multiplies_rows():
    like = torch.ones(2, 3, 4)
    assert granules.of_each(0.5, like) == 0.5
    assert torch.equal(
        like * granules.of_each(torch.tensor([1.0, 2.0]), like), like * torch.tensor([[[1.0]], [[2.0]]])
    )
    assert granules.of_each(torch.tensor(3.0), like) == torch.tensor(3.0)


@pytest.mark.parametrize("number", [-1.0, 0.0, float("nan")])
def test_what_is_no_positive_number_is_zero(number: float):
    assert granules.positive(number) == 0
    found = granules.positive(torch.tensor([number, 2.0]))
    assert isinstance(found, Tensor)
    assert found.tolist() == [0.0, 2.0]


@pytest.mark.parametrize("order", [1.0, 2.0, torch.inf])
@pytest.mark.parametrize("shape", [(3,), (3, 4), (3, 2, 5)])
def test_length_of_rows(shape: tuple[int, ...], order: float):
    part = torch.randn(shape, dtype=torch.float64)
    expected = [torch.linalg.vector_norm(row, order) for row in part]
    found = granules.length(part, order, rows=True)
    assert found.shape == (3, *[1] * (part.dim() - 1))
    torch.testing.assert_close(found.flatten(), torch.stack(expected))
    torch.testing.assert_close(
        granules.length(part, order, rows=False), torch.linalg.vector_norm(part, order)
    )


def test_lengths_of_coarse_numbers_are_fine():
    assert granules.length(torch.ones(2, 3, dtype=torch.bfloat16), 2, rows=True).dtype == torch.float32


def test_lengths_of_several():
    parts = [torch.randn(3, 4, dtype=torch.float64), torch.randn((), dtype=torch.float64)]
    for found, part in zip(granules.lengths(parts), parts, strict=True):
        torch.testing.assert_close(found, part.pow(2).sum().sqrt())
    assert granules.lengths([torch.ones(2, dtype=torch.bfloat16)])[0].dtype == torch.float32


def test_one_factor_for_all():
    factor = torch.tensor(2.0)
    found = granules.scaled([torch.ones(2, dtype=torch.bfloat16), torch.ones(3)], [factor, factor])
    assert [part.tolist() for part in found] == [[2.0, 2.0], [2.0, 2.0, 2.0]]
    assert [part.dtype for part in found] == [torch.bfloat16, torch.float32]


def test_scaled_keeps_the_type():
    (found,) = granules.scaled([torch.ones(2, 3, dtype=torch.bfloat16)], [torch.tensor([[2.0], [3.0]])])
    assert found.dtype == torch.bfloat16
    assert found[:, 0].tolist() == [2.0, 3.0]


def test_clipped_between_a_number_and_a_tensor():
    found = granules.clipped(torch.tensor([-5.0, 0.0, 5.0]), -1.0, torch.tensor([1.0, 2.0, 3.0]))
    assert found.tolist() == [-1.0, 0.0, 3.0]


def test_level():
    rows = torch.tensor([[3.0, 1.0, 2.0], [0.0, 0.0, 9.0]], dtype=torch.float64)
    found = granules.level(rows, 2.0)
    rise = (rows - found).clamp(min=0).sum(1)
    torch.testing.assert_close(rise, torch.full((2,), 2.0, dtype=torch.float64))


def test_vertex_shares_ties():
    rows = torch.tensor([[1.0, 3.0, 3.0], [0.0, 0.0, 0.0]])
    torch.testing.assert_close(granules.vertex(rows), torch.tensor([[0.0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]]))


def test_random_shares_of_one():
    found = granules.random_shares(
        torch.empty(4000, 3, dtype=torch.float64), 1, torch.Generator().manual_seed(0)
    )
    torch.testing.assert_close(found.sum(1), torch.ones(4000, dtype=torch.float64))
    torch.testing.assert_close(found.mean(0), torch.full((4,), 0.25, dtype=torch.float64), atol=0.01, rtol=0)
    # all shares alike likely: the variance of a coordinate of Dirichlet(1, 1, 1, 1) is 3 / 80
    torch.testing.assert_close(
        found.var(0), torch.full((4,), 3 / 80, dtype=torch.float64), atol=0.003, rtol=0
    )
