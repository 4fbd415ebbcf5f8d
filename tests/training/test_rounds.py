"""Runs whose data are amended: resumed in any round, ended by a rising loss, beside what moves inputs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from taxo.runtime.amended import Amended
from taxo.training.data import load
from taxo.training.interrupt import Interrupted, StopRequest
from taxo.training.loop import fit
from taxo.training.run import Run, prepare, restore, snapshot, steps_left
from taxo.training.settings import change, sensible

from .test_loop import Memory, same, timeless

SMALL = change(sensible("digits"), {"model": "mlp", "epochs": "5", "batch_size": "200", "lr": "0.1"})
DATA = load(SMALL, torch.device("cpu"))
SPEC = "dpl(rounds: 3, share: 10%)"  # of 5 epochs, rounds begin in the third and in the fifth
STEPS = 5 + 5 + 6 + 6 + 6  # 972 samples by 200, and from 1,065 on one more


def new(spec: str = SPEC) -> Run:
    return prepare(spec, SMALL, DATA)


def train(run: Run, memory: Memory | None = None, history: list | None = None):
    memory = memory or Memory()
    return fit(run, memory, memory.stop or StopRequest(), memory, history or [])


@pytest.mark.parametrize("stop_after", [9, 10, 11, 16, 23, STEPS - 1])
def test_stopped_in_any_round_and_resumed_is_uninterrupted(stop_after: int):
    whole = new()
    expected = train(whole)
    memory = Memory(StopRequest(), stop_after)
    with pytest.raises(Interrupted):
        train(new(), memory)
    torch.rand(17)
    resumed = new()
    restore(resumed, memory.saved[-1])
    assert (
        resumed.rounds.amended.rows.tolist()
        == memory.saved[-1].tensors.get("round.rows", torch.empty(0)).tolist()
    )
    history = train(resumed, history=memory.recorded)
    assert same(snapshot(resumed), snapshot(whole))
    assert timeless(history) == timeless(expected)


class Counting(Memory):
    """Notes how many steps are left at the first one of each epoch."""

    def __init__(self, run: Run) -> None:
        super().__init__()
        self.run, self.left = run, dict[int, int]()

    def batch(self) -> None:
        self.left.setdefault(self.run.position.epoch, steps_left(self.run))


def test_epochs_are_as_long_as_their_data():
    run = new()
    memory = Counting(run)
    history = train(run, memory)
    assert [*memory.left.values()] == [25, 20, 18, 12, 6]
    assert len(run.losses) == 6
    assert len(run.rounds.train) == len(run.rounds.amended) > 1100
    assert len(run.data.train) == 972
    assert ["d" in metrics.meters for metrics in history] == [False, False, True, False, True]
    assert all(metrics.seconds > 0 for metrics in history)


def test_copies_keep_the_label_and_the_index_of_their_sample():
    run = new()
    train(run)
    train_now, given, index = run.rounds.train, run.data.train, run.rounds.index
    assert torch.equal(train_now.x[:972], given.x)
    assert torch.equal(train_now.y, given.y[index])
    assert torch.equal(train_now.origin, given.origin[index])
    apart = (train_now.x[972:] - given.x[index[972:]]).flatten(1).norm(dim=1)
    assert bool((apart > 0).all())


def test_replacing_keeps_the_number():
    run = new("dpl_replace(share: 10%)")
    train(run)
    moved = run.rounds.amended.rows
    assert len(run.rounds.train) == 972
    changed = (run.rounds.train.x != run.data.train.x).flatten(1).any(1).nonzero().flatten()
    assert changed.tolist() == sorted(moved.tolist())


def test_rounds_end_when_the_validation_loss_has_risen(monkeypatch: pytest.MonkeyPatch):
    run = new("dpl(rounds: 5, share: 10%)")
    said = iter([3.0, 2.0, 2.5, 1.0])
    monkeypatch.setattr(type(run.rounds), "_validation_loss", lambda _: next(said))
    done: list[int] = []
    amend = run.step.amend

    def counted(data: Amended) -> Amended:
        done.append(int(run.step.epoch))
        return amend(data)

    monkeypatch.setattr(run.step, "amend", counted)
    train(run)
    assert done == [1, 2]


def test_the_validation_loss_is_the_mean_over_its_samples():
    run = new()
    validation = run.data.validation
    expected = torch.nn.functional.cross_entropy(run.step.predict(validation.x), validation.y)
    assert run.rounds._validation_loss() == pytest.approx(float(expected), rel=1e-5)
    alone = prepare(SPEC, replace(SMALL, validation=0.0))
    assert alone.rounds._validation_loss() is None


@pytest.mark.parametrize("spec", ["dpl(share: 10%)+cutmix", "dpl(share: 10%)+logpert"])
def test_other_methods_act_on_the_amended_data(spec: str):
    """What moves or mixes inputs in a step, and a table with a row for each given sample."""
    run = new(spec)
    history = train(run)
    assert len(run.rounds.train) > 972
    assert history[-1].train_loss < history[0].train_loss


def test_at_its_null_point_nothing_is_amended():
    null, plain = new("dpl(share: 0)"), new("plain")
    histories = [train(null), train(plain)]
    assert timeless(histories[0]) == timeless(histories[1])
    assert same(snapshot(null), snapshot(plain))
