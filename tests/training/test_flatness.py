"""The radius at which the loss has risen, on losses whose radius is known."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from taxo.training.flatness import HALVINGS, LAST, direction, radii
from taxo.training.run import Run, prepare
from taxo.training.settings import change, sensible
from taxo.training.subject import Subject


@pytest.fixture
def run() -> Run:
    return prepare("plain", change(sensible(), {"model": "linear"}))


def test_a_filter_of_a_direction_is_as_long_as_the_models_own():
    weights = [torch.randn(4, 3, 2, 2), torch.randn(5), torch.zeros(2, 3)]
    drawn = direction(weights, torch.Generator().manual_seed(0))
    torch.testing.assert_close(drawn[0].flatten(1).norm(dim=1), weights[0].flatten(1).norm(dim=1))
    assert not drawn[1].any()
    assert not drawn[2].any()


def test_the_loss_has_risen_by_so_much_at_the_radius(run: Run):
    subject = Subject(run.step, run.data, 0)
    x, y = run.data.train.x, run.data.train.y
    before = [weight.detach().clone() for weight in run.step.model.parameters()]
    found = radii(subject, 3, 0.5)
    assert all(torch.equal(*pair) for pair in zip(before, run.step.model.parameters(), strict=True))
    dice, start = subject.dice("flatness"), nn.functional.cross_entropy(subject.logits_of(x).double(), y)
    for radius in found:
        along = direction(before, dice)
        losses = []
        for length in (radius * (1 - 2.0**-HALVINGS), radius * (1 + 2.0**-HALVINGS)):
            with torch.no_grad():
                for weight, own, step in zip(run.step.model.parameters(), before, along, strict=True):
                    weight.copy_(own + length * step)
            losses.append(float(nn.functional.cross_entropy(subject.logits_of(x).double(), y) - start))
        assert losses[0] <= 0.5 + 1e-6
        assert losses[1] >= 0.5 - 1e-6
        with torch.no_grad():
            for weight, own in zip(run.step.model.parameters(), before, strict=True):
                weight.copy_(own)


def test_what_never_rises_is_as_flat_as_is_looked(run: Run):
    with torch.no_grad():
        for weight in run.step.model.parameters():
            weight.zero_()
    assert radii(Subject(run.step, run.data, 0), 2, 0.1) == pytest.approx([LAST] * 2, rel=0.01)
