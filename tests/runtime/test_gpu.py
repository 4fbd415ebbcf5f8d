"""What only a GPU can show: no step waits for it, and CUDA graphs give what steps give."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import taxo
from taxo.catalog import load
from taxo.laws.subject import Subject, attached, toys_for
from taxo.laws.toys import CONV, MLP
from taxo.runtime.graphed import Graphed
from taxo.runtime.step import Step
from taxo.training.interrupt import StopRequest
from taxo.training.loop import Recorder, fit
from taxo.training.progress import Silent
from taxo.training.run import prepare
from taxo.training.settings import change, sensible
from tests.turns import REPLAYED, turns

pytestmark = pytest.mark.gpu
CUDA = torch.device("cuda", 0)


def there(one: Any) -> Any:
    """A module or a batch on the GPU."""
    if isinstance(one, (nn.Module, Tensor)):
        return one.to(CUDA)
    return type(one)(there(part) for part in one) if isinstance(one, (list, tuple)) else one


def gpu_step(subject: Subject) -> Step:
    """A step whose model, tables and all that it was given are on the GPU."""
    given = {name: there(one) for name, one in subject.given().items()}
    return attached(subject.make(subject.method, there(subject.net()), **given)).to(CUDA)


@contextmanager
def same_kernels() -> Generator[None]:
    """The same kernels each time, which add in one order."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


@contextmanager
def watched() -> Generator[None]:
    """torch's own word on what waits."""
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def run(
    call: nn.Module, step: Step, subject: Subject, update: Callable[[torch.optim.SGD, Tensor], None]
) -> list[Tensor]:
    """The losses of a run."""
    found: list[Tensor] = []
    for optimizer, batch, _ in turns(step, subject, there):
        loss = call(*batch)
        update(optimizer, loss)
        found += [loss.detach(), step.losses]
    return found


def plainly(optimizer: torch.optim.SGD, loss: Tensor) -> None:
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()


@pytest.mark.parametrize("spec", taxo.methods())
def test_no_step_waits(spec: str):
    subject = Subject(load(spec), toys_for(load(spec))[-1])
    step, first, second = gpu_step(subject), there(subject.batch(0)), there(subject.batch(1))
    step.begin_epoch(1, 4)
    step(*first).backward()
    with watched():
        step(*second).backward()


@pytest.mark.parametrize("spec", REPLAYED)
@pytest.mark.filterwarnings("ignore:.*deterministic:UserWarning")
def test_graphs(spec: str):
    subject = Subject(load(spec), toys_for(load(spec))[-1])
    with same_kernels():
        step, other = gpu_step(subject), gpu_step(subject)
        call = Graphed(other)
        found = run(step, step, subject, plainly)
        again = run(call, other, subject, plainly)
    torch.testing.assert_close(again, found, rtol=1e-4, atol=1e-5)
    after = other.state_dict()
    for name, one in step.state_dict().items():
        if one.is_floating_point():
            torch.testing.assert_close(after[name], one, rtol=1e-3, atol=1e-4, msg=name)


def test_draws_of_replays_are_those_of_steps():
    subject = Subject(load("daap"), MLP)
    step, other = gpu_step(subject), gpu_step(subject)
    run(step, step, subject, plainly)
    run(Graphed(other), other, subject, plainly)
    assert torch.equal(step.draws.state(), other.draws.state())


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_half_precision(kind: torch.dtype):
    subject = Subject(load("pgd_at(steps: 2)"), CONV)

    def trained(graphed: bool) -> list[Tensor]:
        step, scaler = gpu_step(subject), torch.amp.GradScaler("cuda", enabled=kind == torch.float16)
        call: nn.Module = Graphed(step) if graphed else step

        def narrow(x: Tensor, y: Tensor, index: Tensor) -> Tensor:
            with torch.autocast("cuda", kind):
                return call(x, y, index)

        def update(optimizer: torch.optim.SGD, loss: Tensor) -> None:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()

        narrowed = nn.Module()
        narrowed.forward = narrow
        return run(narrowed, step, subject, update)

    torch.testing.assert_close(trained(True), trained(False), rtol=5e-2, atol=5e-2)


def test_dropout_is_drawn_anew_by_every_replay():
    subject = Subject(load("plain"), MLP, change=lambda model: nn.Sequential(nn.Dropout(0.5), model))
    call, batch = Graphed(gpu_step(subject)), there(subject.batch(0))
    losses = [float(call(*batch)) for _ in range(8)]
    assert len(set(losses)) == len(losses)


def test_weights_averaged_meanwhile_are_a_copy():
    subject = Subject(load("sam"), CONV)
    step = gpu_step(subject)
    call = Graphed(step)
    average = deepcopy(step.model)
    before = deepcopy(average.state_dict())
    run(call, step, subject, plainly)
    assert all(torch.equal(one, before[name]) for name, one in average.state_dict().items())


@pytest.mark.parametrize(
    "changes", [{}, {"accumulate": "2", "clip": "1"}, {"precision": "16"}, {"ema": "0.9"}]
)
def test_the_trainer(changes: dict[str, str]):
    small = change(replace(sensible(), epochs=2, batch_size=100), changes)
    found = [
        fit(
            prepare("pgd_at(steps: 2)", replace(small, cuda_graph=graphs)),
            Silent(),
            StopRequest(),
            Recorder(),
        )
        for graphs in (False, True)
    ]
    assert found[1][-1].train_loss == pytest.approx(found[0][-1].train_loss, rel=0.1)
