"""Adam of tables and networks, against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from taxo.ops.networks import Learner
from taxo.ops.optimizers import Adam, fleeting
from taxo.ops.sets import Between, Linf
from taxo.ops.tables import Table

LR = 0.01


def slopes(step: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(step), dtype=torch.float64)


def table(granule: str, rows: int, shape: tuple[int, ...] | None, start: float = 0.5) -> Table:
    return Table(granule, rows, shape, torch.empty(0, dtype=torch.float64), start=start)


@pytest.mark.parametrize(("granule", "rows", "shape"), [("category", 3, ()), ("corpus", 1, (4,))])
def test_a_table_moves_as_torchs_adam_moves_it(granule: str, rows: int, shape: tuple[int, ...]):
    kept = table(granule, rows, shape)
    adam, twin = Adam(kept), nn.Parameter(torch.full((rows, *shape), 0.5, dtype=torch.float64))
    theirs = torch.optim.Adam([twin], lr=LR)
    for step in range(4):
        twin.grad = slopes(step, rows, *shape)
        theirs.step()
        adam.descend_by(kept, slopes(step, rows, *shape), kept.rows(), None, LR)
        torch.testing.assert_close(kept.read(), twin.detach())


@pytest.mark.parametrize("shape", [(2,), None])
def test_rows_of_samples_have_moments_of_their_own(shape: tuple[int, ...] | None):
    kept, adam = table("sample", 5, shape), None
    twins = [nn.Parameter(torch.full((2,), 0.5, dtype=torch.float64)) for _ in range(5)]
    theirs = [torch.optim.Adam([twin], lr=LR) for twin in twins]
    adam = Adam(kept)
    like = torch.empty(3, 2, dtype=torch.float64)
    for step, index in enumerate(([0, 3, 1], [3, 4, 0], [0, 1, 2])):
        found = slopes(step, 3, 2)
        for row, slope in zip(index, found, strict=True):
            twins[row].grad = slope
            theirs[row].step()
        place = torch.tensor(index)
        adam.descend_by(kept, found, kept.rows(place, like), place, LR)
        torch.testing.assert_close(kept.value, torch.stack([twin.detach() for twin in twins]))


def test_a_sample_twice_in_a_batch_takes_one_step_by_both_its_slopes():
    kept, twin = table("sample", 4, ()), table("sample", 4, ())
    index, found = torch.tensor([2, 0, 2]), slopes(1, 3)
    Adam(kept).descend_by(kept, found, kept.rows(index), index, LR)
    both, once = torch.tensor([2, 0]), torch.stack([found[0] + found[2], found[1]])
    Adam(twin).descend_by(twin, once, twin.rows(both), both, LR)
    torch.testing.assert_close(kept.value, twin.value)


def test_a_network_moves_as_torchs_adam_moves_it():
    network = Learner(2, 3, 1, seed=0).double()
    twins = {name: nn.Parameter(one.clone()) for name, one in network.weights().items()}
    adam, theirs = Adam(network), torch.optim.Adam(twins.values(), lr=LR)
    for step in range(3):
        found = {name: slopes(step, *one.shape) for name, one in twins.items()}
        for name, twin in twins.items():
            twin.grad = found[name]
        theirs.step()
        adam.descend_by(network, found, network.leaf(), None, LR)
        torch.testing.assert_close(network.weights(), {name: one.detach() for name, one in twins.items()})


def test_it_stays_in_its_set_and_climbs_with_a_negative_rate():
    kept = table("category", 3, (), start=0.5)
    adam = Adam(kept)
    for _ in range(3):
        adam.descend_by(kept, torch.ones(3).double(), kept.rows(), None, -0.3, [Between(0, 1)])
    torch.testing.assert_close(kept.read(), torch.ones(3).double())


def test_moments_are_saved():
    first, second = table("category", 3, ()), table("category", 3, ())
    one, other = Adam(first), Adam(second)
    one.descend_by(first, slopes(0, 3), first.rows(), None, LR)
    second.load_state_dict(first.state_dict())
    other.load_state_dict(one.state_dict())
    for adam, kept in ((one, first), (other, second)):
        adam.descend_by(kept, slopes(1, 3), kept.rows(), None, LR)
    assert torch.equal(first.value, second.value)
    assert not list(one.parameters())


def test_what_is_not_kept_takes_the_first_step():
    now, slope = slopes(0, 4).requires_grad_(), slopes(1, 4)
    torch.testing.assert_close(fleeting(now, slope, LR, shared=False), now.detach() - LR * slope)
    twin = nn.Parameter(now.detach().clone())
    twin.grad = slope
    torch.optim.Adam([twin], lr=LR).step()
    torch.testing.assert_close(fleeting(now, slope, LR, False, "adam"), twin.detach(), atol=1e-7, rtol=1e-7)
    far = fleeting(now, slope, 100.0, shared=True, within=[Linf(0.1)])
    assert float(far.abs().max()) == pytest.approx(0.1)
    assert not far.requires_grad
