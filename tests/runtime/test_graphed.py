"""Steps that are replayed give what steps give, bit for bit; the device is played on the CPU."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from torch import Tensor

from taxo.catalog import load
from taxo.language.errors import TaxoError
from taxo.laws.subject import Subject, attached, toys_for
from taxo.laws.toys import MLP
from taxo.runtime.graphed import BEFORE, Graphed
from taxo.runtime.step import Step
from tests.covering import ALL
from tests.far import Device, Tapes, back, far_device, sent
from tests.turns import EVERY, REPLAYED, turns

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
SPECS = REPLAYED if ALL else SOME


def far_step(subject: Subject) -> Step:
    """A step whose model, tables and all that it was given are on the far device."""
    given = {name: sent(one) for name, one in subject.given().items()}
    return sent(attached(subject.make(subject.method, sent(subject.net()), **given)))


def run(subject: Subject, device: Device | None) -> tuple[list[Tensor], Step, int]:
    """The losses of a run and, at the end of each epoch, predictions; the step; how often it was recorded."""
    step, tapes = far_step(subject), None if device is None else Tapes(device)
    call = step if tapes is None else Graphed(step, tapes)
    found: list[Tensor] = []
    for optimizer, batch, last in turns(step, subject, sent):
        loss = call(*batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        found += [back(loss), back(step.losses)]
        if last:
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


PLAIN = Subject(load("label_smoothing"), MLP)


def warm(call: Graphed, batches: int = BEFORE) -> None:
    """Take the steps that are not recorded."""
    for number in range(batches):
        call(*sent(PLAIN.batch(number))).backward()


def slopes(step: Step) -> list[Tensor]:
    """The slopes of the weights, which have none after that."""
    found = [back(weight.grad) for weight in step.model.parameters() if weight.grad is not None]
    step.zero_grad()
    return found


def test_slopes_add_up_unless_they_are_cleared(monkeypatch: pytest.MonkeyPatch):
    with far_device(monkeypatch) as device:
        step, call = far_step(PLAIN), Graphed(far_step(PLAIN), Tapes(device))
        warm(call)
        call.step.zero_grad()
        for weights in (1, 3):
            for one in (step, call):
                for number in range(weights):
                    (one(*sent(PLAIN.batch(number))) / 4).backward()
            assert all(map(torch.equal, slopes(step), slopes(call.step)))


def test_one_backward_for_each_call(monkeypatch: pytest.MonkeyPatch):
    with far_device(monkeypatch) as device:
        call = Graphed(far_step(PLAIN), Tapes(device))
        warm(call)
        first, second = call(*sent(PLAIN.batch(0))), call(*sent(PLAIN.batch(1)))
        with pytest.raises(TaxoError, match=r"T415.*was called again"):
            first.backward()
        second.backward(retain_graph=True)
        with pytest.raises(TaxoError, match=r"T415"):
            second.backward()


def test_it_records_anew_where_something_lies_elsewhere(monkeypatch: pytest.MonkeyPatch):
    with far_device(monkeypatch) as device:
        tapes = Tapes(device)
        call = Graphed(far_step(PLAIN), tapes)
        warm(call, BEFORE + 2)
        assert tapes.recorded == 2
        layer = cast(torch.nn.Linear, call.step.model.get_submodule("fc"))
        layer.weight = torch.nn.Parameter(layer.weight.detach().clone())
        warm(call, BEFORE + 2)
        assert tapes.recorded == 4
        call.step.model.eval()
        warm(call, BEFORE + 1)
        assert tapes.recorded == 6


def test_only_training_steps_are_recorded(monkeypatch: pytest.MonkeyPatch):
    with far_device(monkeypatch) as device:
        tapes = Tapes(device)
        call = Graphed(far_step(PLAIN), tapes)
        with torch.no_grad():
            warm_losses = [call(*sent(PLAIN.batch(0))) for _ in range(BEFORE + 1)]
        call.eval()
        warm(call, BEFORE + 1)
        assert not tapes.recorded
        assert not warm_losses[0].requires_grad


def test_held_out_batches_of_other_sizes(monkeypatch: pytest.MonkeyPatch):
    method = load("meta_logpert")
    subject = Subject(method, MLP)
    given = subject.given()
    (x, y), other = given["validation"]
    with far_device(monkeypatch) as device:
        found: list[list[Tensor]] = []
        for graphed in (False, True):
            held = [sent((x, y)), sent(other), sent((x[:7], y[:7]))]
            step = sent(attached(subject.make(method, sent(subject.net()), **given | {"validation": held})))
            tapes = Tapes(device)
            call = Graphed(step, tapes) if graphed else step
            found.append([back(call(*sent(subject.batch(number)))) for number in range(8)])
        assert tapes.recorded
        assert all(map(torch.equal, *found))


def dropping(model: torch.nn.Module) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Dropout(0.5), model)


@pytest.mark.parametrize(
    ("spec", "said"), [("sam", "draws those of another again"), ("pgd_at", "random numbers on the host")]
)
def test_numbers_that_the_model_draws(spec: str, said: str, monkeypatch: pytest.MonkeyPatch):
    subject = Subject(load(spec), MLP, change=dropping)
    with far_device(monkeypatch) as device, pytest.raises(TaxoError, match=f"T415.*{said}"):
        Graphed(far_step(subject), Tapes(device))(*sent(subject.batch(0)))


@pytest.mark.parametrize("spec", EVERY)
def test_what_the_host_does_anew(spec: str):
    with pytest.raises(TaxoError, match=r"T415.*the host"):
        Graphed(Subject(load(spec)).step())


def test_the_cpu_has_no_graphs():
    with pytest.raises(TaxoError, match=r"T505.*a step on `cpu`"):
        Graphed(PLAIN.step())
