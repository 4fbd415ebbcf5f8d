"""Two processes with halves of a batch move a module as one process with all of it does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import torch
from torch import Tensor, distributed, nn
from torch.multiprocessing.spawn import spawn

from taxo.ops.makers import Maker

NOISE = torch.randn(8, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def moved(noise: Tensor, maximize: bool) -> Maker:
    torch.manual_seed(0)
    maker = Maker(nn.Linear(3, 2).double())
    maker.search(lambda: maker(noise).sin().sum(1).mean(), 3, 0.5, maximize)
    return maker


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"file://{folder}/ranks", timedelta(seconds=60), 2, rank)
    found = moved(NOISE.chunk(2)[rank], True).module.state_dict()
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_slopes_are_averaged_over_processes(tmp_path: Path):
    spawn(work, (str(tmp_path),), nprocs=2)
    expected = moved(NOISE, True).module.state_dict()
    for rank in range(2):
        torch.testing.assert_close(torch.load(tmp_path / f"{rank}.pt"), expected)


def test_it_climbs_or_descends_by_the_slope():
    for maximize, sign in ((True, 1), (False, -1)):
        torch.manual_seed(0)
        plain = nn.Linear(3, 2).double()
        for _ in range(3):
            slopes = torch.autograd.grad(plain(NOISE).sin().sum(1).mean(), list(plain.parameters()))
            with torch.no_grad():
                for weight, slope in zip(plain.parameters(), slopes, strict=True):
                    weight += sign * 0.5 * slope
        torch.testing.assert_close(moved(NOISE, maximize).module.state_dict(), plain.state_dict())


def test_frozen_parameters_rest_and_what_is_made_is_a_constant():
    layer = nn.Linear(3, 2).double()
    layer.bias.requires_grad_(False)
    maker, bias = Maker(layer), layer.bias.clone()
    maker.search(lambda: maker(NOISE).sum(1).mean(), 1, 0.5)
    assert torch.equal(layer.bias, bias)
    assert not maker(NOISE).requires_grad
    assert not list(maker.parameters())
