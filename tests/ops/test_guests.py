"""A module from outside whose weights are learned: its weights, its momentum, and what is saved of it."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from taxo.ops.guests import Guest
from taxo.ops.optimizers import Adam
from tests.fidelity.nets import close, conv

X = torch.rand(4, 1, 6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


class Odd(nn.Module):
    """A module whose weights have the names of a dictionary's methods."""

    def __init__(self) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.ones(3, dtype=torch.float64))
        self.items = nn.Linear(3, 2).double()

    def forward(self, x: Tensor) -> Tensor:
        """What it gives."""
        return self.items(x * self.values)


def net() -> nn.Module:
    found = conv().double().eval()
    found.get_parameter("0.weight").requires_grad_(False)
    return found


def slopes_of(guest: Guest) -> dict[str, Tensor]:
    """The slopes of what a guest gives at leaves."""
    leaf = guest.leaf()
    with guest.at(leaf):
        value = guest(X).square().sum()
    return dict(zip(leaf.weights, torch.autograd.grad(value, [*leaf.weights.values()]), strict=True))


def test_gradients_reach_leaves_alone_and_what_is_frozen_has_none():
    module = net()
    guest, leaf = Guest(module), Guest(module).leaf()
    assert "0.weight" not in leaf.weights
    assert not guest.is_sought
    with guest.at(leaf):
        assert guest.is_sought
        found = torch.autograd.grad(guest(X).sum(), [*leaf.weights.values()])
    expected = torch.autograd.grad(module(X).sum(), [one for one in module.parameters() if one.requires_grad])
    close(found, expected)
    assert all(one.grad is None for one in module.parameters())
    assert not list(guest.parameters())


def test_its_moment_is_another_whenever_its_weights_are():
    guest, moments = Guest(net()), list[object]()
    moments.append(guest.moment)
    with guest.at(guest.leaf()):
        moments.append(guest.moment)
    moments.append(guest.moment)
    guest.move(guest.weights())
    moments.append(guest.moment)
    guest.load_state_dict(guest.state_dict())
    moments.append(guest.moment)
    assert len(set(map(id, moments))) == len(moments)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_it_moves_as_torchs_own_descent_does(momentum: float):
    module = net()
    twin, guest = deepcopy(module), Guest(module, momentum > 0)
    learned = [one for one in twin.parameters() if one.requires_grad]
    optimizer = torch.optim.SGD(learned, lr=0.01, momentum=momentum)
    for _ in range(3):
        guest.descend_by(slopes_of(guest), guest.leaf(), None, lr=0.01, momentum=momentum, dense=False)
        optimizer.zero_grad()
        twin(X).square().sum().backward()
        optimizer.step()
    close(list(module.parameters()), list(twin.parameters()))


@pytest.mark.parametrize("module", [net(), Odd()])
def test_adam_moves_it_as_torchs_own_does(module: nn.Module):
    twin, guest = deepcopy(module), Guest(module)
    adam, torchs = (
        Adam(guest),
        torch.optim.Adam([one for one in twin.parameters() if one.requires_grad], lr=0.1),
    )
    x = X if not isinstance(module, Odd) else X[:, 0, 0, :3]
    for _ in range(3):
        leaf = guest.leaf()
        with guest.at(leaf):
            found = torch.autograd.grad(guest(x).square().sum(), [*leaf.weights.values()])
        adam.descend_by(guest, dict(zip(leaf.weights, found, strict=True)), leaf, None, lr=0.1)
        torchs.zero_grad()
        twin(x).square().sum().backward()
        torchs.step()
    close(list(module.parameters()), list(twin.parameters()))


def test_its_weights_and_velocities_are_saved_and_taken_back():
    first, second = Guest(net(), True), Guest(net(), True)
    for _ in range(2):
        first.descend_by(slopes_of(first), first.leaf(), None, lr=0.01, momentum=0.9, dense=False)
    second.load_state_dict(first.state_dict())
    for guest in (first, second):
        guest.descend_by(slopes_of(guest), guest.leaf(), None, lr=0.01, momentum=0.9, dense=False)
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    assert {"0.weight", "1.running_mean", "velocity of 1/weight"} <= set(first.state_dict())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("velocity of 1/weight"), "Missing key.*velocity of 1/weight"),
        (lambda state: state.pop("7.bias"), "Missing key.*7.bias"),
        (lambda state: state.update({"8.bias": torch.ones(1)}), "Unexpected key.*8.bias"),
        (lambda state: state.update({"7.bias": torch.ones(9)}), "size mismatch"),
    ],
)
def test_a_state_of_another_module_is_refused(change, message: str):
    guest = Guest(net(), True)
    state = guest.state_dict()
    change(state)
    with pytest.raises(RuntimeError, match=message):
        Guest(net(), True).load_state_dict(state)
