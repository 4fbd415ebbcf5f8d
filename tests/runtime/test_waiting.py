"""No step waits for its device: on one that lies far away, whatever asks it for a content is an error."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

import taxo
from taxo.catalog import load
from taxo.laws.subject import Subject, attached, toys_for
from taxo.runtime.step import Step
from tests.covering import covering
from tests.far import Waits, far_device, sent

SPECS = (*covering(taxo.methods()), "mixpert(eps: 8/255, clean_share: 40%)", "robust_lasso", "damp(parts: 2)")


def far_step(subject: Subject) -> Step:
    """A step whose model, tables and all that it was given are on the far device."""
    given = {name: sent(one) for name, one in subject.given().items()}
    return sent(attached(subject.make(subject.method, sent(subject.net()), **given)))


@pytest.mark.parametrize("spec", SPECS)
def test_steps(spec: str, monkeypatch: pytest.MonkeyPatch):
    method = load(spec)
    subject = Subject(method, toys_for(method)[-1])
    with far_device(monkeypatch) as device:
        step, first, second = far_step(subject), sent(subject.batch(0)), sent(subject.batch(1))
        step.begin_epoch(1, 4)
        step(*first).backward()  # makes room, and brings what was given: once in a run
        with device.watching():
            step(*second).backward()
        assert step.losses.device.type == "meta"


@pytest.mark.parametrize(
    "ask",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.sum() > 0),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x.cpu(),
        lambda x: torch.tensor([1.0], device=x.device),
        lambda x: x.copy_(torch.ones(4)),
    ],
)
def test_a_question_would_be_noticed(ask: Callable[[Tensor], object], monkeypatch: pytest.MonkeyPatch):
    with far_device(monkeypatch) as device, device.watching(), pytest.raises(Waits):
        ask(torch.zeros(4, device="meta"))
