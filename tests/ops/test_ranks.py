"""Two processes with halves of a batch remember what one process with all of it does."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn

from taxo.ops.covariance import Covariance
from taxo.ops.prototypes import Prototypes
from taxo.ops.ranks import averaged, gathered, summed, world
from taxo.ops.running import Deviation, Ema, Mean
from taxo.ops.states import Held, State
from taxo.ops.tables import Table

N, C = 8, 3
DOUBLE = torch.zeros(1, dtype=torch.float64)
SPLITS = ((4, 2), (3, 3), (0, 5))  # how many samples of each batch the two processes have
STATES: dict[str, Callable[[], State]] = {
    "mean": lambda: Mean("category", C),
    "mean of many": lambda: Mean("category", 40),
    "mean of an epoch": lambda: Mean("corpus", 1, every="epoch"),
    "deviation": lambda: Deviation("category", C, every="epoch"),
    "average": lambda: Ema("category", C, decay=0.75),
    "average per sample": lambda: Ema("sample", N, decay=0.75),
    "covariance": lambda: Covariance("category", C),
    "variances": lambda: Covariance("corpus", 1, diagonal=True),
    "prototypes": lambda: Prototypes("category", C, count=2, most=4),
    "held": lambda: Held("sample", N),
}


def batches() -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """Values, classes, places and which of them count."""
    generator = torch.Generator().manual_seed(0)
    found = []
    for split in SPLITS:
        values = torch.randn(sum(split), 2, dtype=torch.float64, generator=generator)
        y, where = torch.randint(0, C, (sum(split),), generator=generator), torch.ones(sum(split)) > 0
        where[:1] = False
        found.append((values, y, torch.randperm(N, generator=generator)[: sum(split)], where))
    return found


def remember(part: Callable[[Tensor, tuple[int, int]], Tensor]) -> dict[str, Tensor]:
    """What every state and table holds after the batches, each of which goes through `part`."""
    found: dict[str, Tensor] = {}
    for name, make in STATES.items():
        state = make()
        for batch, split in zip(batches(), SPLITS, strict=True):
            values, y, index, where = (part(one, split) for one in batch)
            state.update(values, y, index, where)
        state.turn()
        found[name] = state.value
    for momentum, dense in ((0.0, False), (0.9, False), (0.9, True)):
        table = Table("sample", N, (2,), DOUBLE, momentum=momentum > 0)
        for batch, split in zip(batches()[1:2] * 2, SPLITS[1:2] * 2, strict=True):
            values, _, index, _ = (part(one, split) for one in batch)
            rows = table.rows(index, values)
            loss = ((rows - values) ** 2).sum(1).mean()
            table.descend(loss, rows, index, 0.5, momentum, dense)
        found[f"table {momentum} {dense}"] = table.value
    for granule in ("category", "corpus"):
        table = Table(granule, C, (2,), DOUBLE, momentum=True)
        for batch, split in zip(batches()[1:2] * 2, SPLITS[1:2] * 2, strict=True):
            values, y, _, _ = (part(one, split) for one in batch)
            rows = table.rows(like=values)
            loss = ((rows[y if granule == "category" else 0 * y] - values) ** 2).sum(1).mean()
            table.descend(loss, rows, y, 0.5, 0.9, dense=False)
        found[granule] = table.value
    return found


def agree(rank: int) -> None:
    """What is not per sample: numbers that differ between processes become their mean."""
    state, table, kept = Held("corpus", 1), Table("corpus", 1, (), DOUBLE), Table("sample", N, (), DOUBLE)
    state.set(torch.tensor(float(rank)))
    table.keep(torch.tensor([float(rank)]))
    kept.keep(torch.full((2 - rank,), 1.0 + rank), torch.tensor([rank, 5])[: 2 - rank])
    assert float(state.value) == float(table.value) == 0.5
    assert kept.value.tolist() == [1, 2, 0, 0, 0, 1, 0, 0]
    slots = Table("slot", 0, None, DOUBLE)
    slots.keep(torch.full((1,), float(rank)))
    assert slots.value.tolist() == [rank]


def tell(rank: int) -> None:
    """The helpers themselves, on every type and on unequal sizes."""
    assert world() == 2
    assert summed(torch.tensor([1.0, rank])).tolist() == [2, 1]
    assert averaged(torch.tensor([1.0, rank], dtype=torch.bfloat16)).tolist() == [1, 0.5]
    for dtype in (torch.bool, torch.int64, torch.bfloat16, torch.float64):
        own = torch.full((2 * rank, 3), 1).to(dtype)
        places, rows = gathered(torch.full((2 * rank,), 7), own)
        assert places.tolist() == [7, 7]
        assert torch.equal(rows, torch.ones(2, 3).to(dtype))
    assert gathered(torch.full((3,), rank))[0].tolist() == [0, 0, 0, 1, 1, 1]


def process(rank: int, address: str, folder: str) -> None:
    """One of two processes."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    tell(rank)
    agree(rank)
    found = remember(lambda whole, split: whole.split(split)[rank])
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def remembered(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Tensor]]:
    folder: Path = tmp_path_factory.mktemp("ranks")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{free.getsockname()[1]}"
    spawn(process, (address, str(folder)), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_two_processes_agree_with_each_other_and_with_one(remembered: list[dict[str, Tensor]]):
    first, second = remembered
    assert {name for name in first if not torch.equal(first[name], second[name])} == set()
    alone = remember(lambda whole, split: whole)
    assert alone.keys() == first.keys()
    for name, value in alone.items():
        torch.testing.assert_close(first[name], value, rtol=1e-12, atol=1e-12, msg=name)


def test_one_process_is_told_nothing():
    value = torch.tensor([1.0, 2.0])
    assert world() == 1
    assert summed(value) is averaged(value) is value
    assert gathered(value, value) == [value, value]
