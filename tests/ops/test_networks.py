"""The small networks: their values, their start, their weights."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradgradcheck

from taxo.ops.networks import Mlp


def columns(count: int, rows: int = 4) -> list[Tensor]:
    return list(torch.randn(count, rows, generator=torch.Generator().manual_seed(3)))


def textbook(net: Mlp) -> nn.Sequential:
    weights = net.weights()
    hidden, inputs = weights["hidden_weight"].shape
    outputs = len(weights["output_bias"])
    layers = nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, outputs))
    names = {
        "0.weight": "hidden_weight",
        "0.bias": "hidden_bias",
        "2.weight": "output_weight",
        "2.bias": "output_bias",
    }
    layers.load_state_dict({name: weights[ours] for name, ours in names.items()})
    return layers


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_values_are_torchs(outputs: int):
    net, given = Mlp(3, 10, outputs, seed=0), columns(3)
    expected = textbook(net)(torch.stack(given, 1))
    torch.testing.assert_close(net(*given), expected[:, 0] if outputs == 1 else expected)


def test_numbers_are_for_all_samples():
    net, (first, second) = Mlp(3, 10, 1, seed=0), columns(2)
    expected = net(first, torch.full((4,), 0.5), second)
    assert torch.equal(net(first, 0.5, second), expected)
    assert torch.equal(net(first, torch.tensor(0.5, dtype=torch.float64), second), expected)
    assert net(0.1, 0.2, 0.3).shape == ()


def test_the_start_is_torchs():
    weights = Mlp(4, 5000, 2, seed=0).weights()
    like = nn.Linear(4, 5000), nn.Linear(5000, 2)
    for name, layer in zip(("hidden", "output"), like, strict=True):
        for kind, theirs in (("weight", layer.weight), ("bias", layer.bias)):
            bound = layer.in_features**-0.5
            ours = weights[f"{name}_{kind}"]
            assert ours.shape == theirs.shape
            assert ours.abs().max() <= bound
            if ours.numel() > 1000:
                assert ours.std() == pytest.approx(bound / 3**0.5, rel=0.05)


def test_a_seed_gives_one_start_and_leaves_the_others_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    first, same, other = (Mlp(2, 3, 1, seed).weights() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["hidden_weight"], other["hidden_weight"])


def test_the_weights_are_saved_and_are_no_parameters():
    net, other = Mlp(2, 3, 1, seed=1), Mlp(2, 3, 1, seed=2)
    assert list(net.parameters()) == []
    other.load_state_dict(net.state_dict())
    assert torch.equal(net(*columns(2)), other(*columns(2)))


def test_leaves_are_reached_and_moved_in():
    net, given = Mlp(2, 3, 1, seed=1), columns(2)
    leaves, before = net.leaves(), net(*given)
    value = net.with_weights(leaves, *given)
    slopes = torch.autograd.grad(value.sum(), list(leaves.values()))
    assert torch.equal(value, before)
    assert slopes[-1] == 4
    net.move({name: leaf - 0.1 * slope for (name, leaf), slope in zip(leaves.items(), slopes, strict=True)})
    assert net(*given).sum() < before.sum()
    assert torch.equal(leaves["hidden_weight"], Mlp(2, 3, 1, seed=1).weights()["hidden_weight"])
    assert not any(weight.requires_grad for weight in net.weights().values())


def test_second_order():
    net = Mlp(2, 3, 1, seed=1).double()
    leaves = net.leaves()
    given = [column.double().requires_grad_() for column in columns(2)]

    def value(*all_of: Tensor) -> Tensor:
        weights = dict(zip(leaves, all_of[2:], strict=True))
        return net.with_weights(weights, *all_of[:2]) ** 2

    assert gradgradcheck(value, (*given, *leaves.values()))


def test_the_type_is_that_of_the_network():
    net = Mlp(1, 3, 1, seed=1)
    assert net(torch.ones(2, dtype=torch.bfloat16)).dtype == torch.float32
