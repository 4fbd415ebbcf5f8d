"""Activation checkpointing: what is computed again meets the same hooks, weights and norms."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import checkpoint as checkpointing
from torch.utils.checkpoint import checkpoint

from taxo.runtime.compiled import Front
from tests.fidelity.nets import CLASSES, SIDE, batch, close, weights
from tests.interop.steps import compiled, each_spec, statistics


class Net(nn.Module):
    """A small net whose body is computed again in the backward pass, or not."""

    def __init__(self, again: bool, dropout: float, norm: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.again = again
        middle = nn.BatchNorm1d(6) if norm else nn.Identity()
        layers = [nn.Linear(SIDE**2, 6), middle, nn.Tanh(), nn.Dropout(dropout), nn.Linear(6, 6), nn.Tanh()]
        self.body = nn.Sequential(*layers)
        self.last = nn.Linear(6, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        z: Any = checkpoint(self.body, x, use_reentrant=False) if self.again else self.body(x)
        return self.last(z)


def numbers(spec: str, again: bool, dropout: float = 0.0, norm: bool = False) -> list[Tensor]:
    """Two steps: the loss and the gradients of each, by the backward that a user calls."""
    step = compiled(spec, Net(again, dropout, norm).double())
    found: list[Tensor] = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        loss = step(*batch(seed=seed))
        loss.backward()
        found += [loss.detach(), *(weight.grad for weight in weights(step.model) if weight.grad is not None)]
        step.model.zero_grad()
    assert len(found) == 2 * (1 + len(weights(step.model)))
    found += statistics(step.model)
    assert len(statistics(step.model)) == 3 * norm
    return found


@each_spec
@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_what_is_computed_again_is_what_was_computed(spec: str, dropout: float):
    close(numbers(spec, True, dropout), numbers(spec, False, dropout))


@each_spec
def test_norms_that_are_computed_again_keep_their_mode(spec: str):
    """And their running statistics, which torch alone would move twice."""
    close(numbers(spec, True, norm=True), numbers(spec, False, norm=True))


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(4), nn.GroupNorm(1, 4), nn.LayerNorm([4, 3, 3])], ids=repr)
def test_a_pass_that_is_differentiated_twice_is_computed_again_as_it_was(norm: nn.Module):
    torch.manual_seed(0)
    body = nn.Sequential(nn.Conv2d(3, 4, 2), norm, nn.ReLU()).double()

    class Again(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = body

        def forward(self, x: Tensor) -> Any:
            return checkpoint(self.body, x, use_reentrant=False)

    x, found = torch.rand(5, 3, 4, 4, dtype=torch.float64), list[list[Tensor]]()
    for model in (Again(), body):
        front: Any = Front(model)
        with front.twice():
            output = front(x)
        slopes = torch.autograd.grad(output.square().sum(), weights(model), create_graph=True)
        total = torch.stack([slope.sin().sum() for slope in slopes]).sum()
        found.append([*slopes, *torch.autograd.grad(total, weights(model))])
    close(found[0], found[1])


def test_hooks_inside_a_checkpoint_are_not_lost():
    """The hook has gone when the backward pass comes, so the pass keeps what it computed."""
    x, _, _ = batch()
    found: list[list[Tensor]] = []
    before = dict(vars(checkpointing))
    for again in (True, False):
        model = Net(again, 0.0, norm=False).double()
        front: Any = Front(model)
        with front.open(notes=False, changes=True):
            handle = model.body[4].register_forward_hook(lambda *parts: parts[2].square())
            output = front(x)
            handle.remove()
        found.append([*torch.autograd.grad(output.square().sum(), weights(model))])
    close(found[0], found[1])
    assert vars(checkpointing) == before
