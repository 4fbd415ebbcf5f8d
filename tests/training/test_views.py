"""Views of a batch."""

from __future__ import annotations

import pytest
import torch

from taxo.training.views import views


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_one_view_is_the_batch_itself():
    x = torch.rand(4, 1, 8, 8)
    assert views(x, 1, dice()) is x


@pytest.mark.parametrize(("size", "far"), [((8, 8), 1), ((32, 24), 4)])
def test_images_move_by_up_to_an_eighth(size: tuple[int, int], far: int):
    down = torch.arange(size[0], dtype=torch.float32)[:, None].expand(size)
    right = torch.arange(size[1], dtype=torch.float32)[None, :].expand(size)
    x = torch.stack([down, right]).expand(64, -1, -1, -1).contiguous()
    first, second, third = views(x, 3, dice())
    assert first is x
    assert not torch.equal(second, third)
    moves = set()
    for image in second:
        row = (image[0, :, 0] - down[:, 0])[far:-far].unique()
        column = (image[1, 0] - right[0])[far:-far].unique()
        assert len(row) == len(column) == 1  # whole pixels, the same everywhere
        moves.add((int(row), int(column)))
    assert {abs(move) for pair in moves for move in pair} == set(range(far + 1))
    assert bool((second.amin((0, 2, 3)) >= 0).all())
    assert float(second[:, 0].max()) == size[0] - 1  # beyond the border the border is repeated


def test_rows_of_numbers_jitter():
    x = torch.rand(500, 4)
    _, second = views(x, 2, dice())
    assert float((second - x).std()) == pytest.approx(0.05, rel=0.05)
    assert float((second - x).mean()) == pytest.approx(0, abs=0.005)


def test_the_seed_decides():
    x = torch.rand(8, 1, 8, 8)
    assert torch.equal(views(x, 2, dice())[1], views(x, 2, dice())[1])
    assert not torch.equal(views(x, 2, dice())[1], views(x, 2, dice(1))[1])
