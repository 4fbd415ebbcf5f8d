"""Steps that are replayed give what steps give, bit for bit; the device is played on the CPU."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import taxo
from taxo.catalog import load
from taxo.laws.subject import LR, Subject, attached, toys_for
from taxo.runtime.graphed import Graphed
from taxo.runtime.step import Step
from tests.covering import ALL
from tests.far import Device, Tapes, back, far_device, sent

EVERY = ("corruption_training", "manifold_mixup")  # the host does something anew in every step
# of every target: searched, kept, learned ahead, of the time, drawn, of the previous batch
SOME = (
    "pgd_at(steps: 2)",
    "uat",
    "isda",
    "logpert",
    "deep_self_learning",
    "dlb",
    "d2l",
    "sam",
    "daap",
    "meta_logpert",
)
SPECS = [spec for spec in taxo.methods() if spec not in EVERY] if ALL else SOME
EPOCHS, BATCHES = 2, 6


def far_step(subject: Subject) -> Step:
    """A step whose model, tables and all that it was given are on the far device."""
    given = {name: sent(one) for name, one in subject.given().items()}
    return sent(attached(subject.make(subject.method, sent(subject.net()), **given)))


def run(subject: Subject, device: Device | None) -> tuple[list[Tensor], Step, int]:
    """A run of several epochs, the last batch of each smaller, and the rate of each step another."""
    step, tapes = far_step(subject), None if device is None else Tapes(device)
    call = step if tapes is None else Graphed(step, tapes)
    optimizer = torch.optim.SGD(step.parameter_groups(LR), lr=LR, momentum=0.9)
    step.attach(optimizer)
    found: list[Tensor] = []
    for epoch in step.epochs(EPOCHS):
        for number in range(BATCHES):
            optimizer.param_groups[0]["lr"] = LR / (1 + epoch + number / BATCHES)
            x, y, index = subject.batch(10 * epoch + number)
            rows = slice(None) if number < BATCHES - 1 else slice(12)
            x = x[rows] if isinstance(x, Tensor) else [view[rows] for view in x]
            loss = call(sent(x), sent(y[rows]), sent(index[rows]))
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            found += [back(loss), back(step.losses)]
        seen = subject.batch(99)[0]
        found.append(back(step.predict(sent(seen if isinstance(seen, Tensor) else seen[0]))))
    return found, step, 0 if tapes is None else tapes.recorded


@pytest.mark.parametrize("spec", SPECS)
def test_replays(spec: str, monkeypatch: pytest.MonkeyPatch):
    method = load(spec)
    subject = Subject(method, toys_for(method)[-1])
    with far_device(monkeypatch) as device:
        found, step, _ = run(subject, None)
        again, other, recorded = run(subject, device)
        assert recorded
        for one, two in zip(found, again, strict=True):
            torch.testing.assert_close(one, two, rtol=0, atol=0, equal_nan=True)
        for name, one in step.state_dict().items():
            torch.testing.assert_close(back(one), back(other.state_dict()[name]), rtol=0, atol=0, msg=name)
