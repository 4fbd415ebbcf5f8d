"""The loop: what a run computes, saves, refuses, and goes on with."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
import torch
from torch import nn

from taxo.language.errors import TaxoError
from taxo.training import models
from taxo.training.checkpoint import Checkpoint
from taxo.training.data import load
from taxo.training.interrupt import Interrupted, StopRequest
from taxo.training.loop import Recorder, fit
from taxo.training.metrics import EpochMetrics
from taxo.training.progress import Silent
from taxo.training.run import Run, prepare, restore, snapshot
from taxo.training.settings import Noise, Settings, change, sensible

from .conftest import spoil_the_gradient, spoil_the_loss

SMALL = change(
    replace(sensible("digits"), noise=Noise("pair", 0.3)),
    {"model": "mlp", "epochs": "3", "batch_size": "200", "lr": "0.1"},
)
BATCHES = 5  # 972 samples by 200
DATA = load(SMALL, torch.device("cpu"))


class Memory(Recorder):
    """Keeps everything, and asks to stop after a number of steps."""

    def __init__(self, stop: StopRequest | None = None, after: int = -1) -> None:
        self.stop = stop
        self.after = after
        self.saved: list[Checkpoint] = []
        self.recorded: list[EpochMetrics] = []
        self.bests: list[int] = []

    def record(self, metrics: EpochMetrics) -> None:
        self.recorded.append(metrics)

    def save(self, state: Checkpoint) -> None:
        tensors = {name: value.clone() for name, value in state.tensors.items()}
        self.saved.append(replace(state, tensors=tensors))

    def mark_best(self) -> None:
        if self.recorded:  # one that goes on with a run marks again what is the best already
            self.bests.append(self.recorded[-1].epoch)

    def batch(self) -> None:
        self.after -= 1
        if self.after == 0 and self.stop:
            self.stop.made = True

    def epoch(self, metrics: EpochMetrics) -> None:
        pass


METHODS = ("logpert", "mixpert(eps: 8/255, eta: 4, pro: 45%)")  # tables with momentum; random starts


def new(method: str = METHODS[0], settings: Settings = SMALL) -> Run:
    return prepare(method, settings, DATA)


def train(run: Run, memory: Memory | None = None, history: list[EpochMetrics] | None = None):
    memory = memory or Memory()
    return fit(run, memory, memory.stop or StopRequest(), memory, history or [])


def timeless(history: list[EpochMetrics]) -> list[EpochMetrics]:
    return [replace(metrics, seconds=0.0, meters={}) for metrics in history]


def same(one: Checkpoint, other: Checkpoint) -> bool:
    return one.tensors.keys() == other.tensors.keys() and all(
        torch.equal(value, other.tensors[name]) for name, value in one.tensors.items()
    )


def resume_from(memory: Memory, settings: Settings, method: str) -> tuple[Run, list[EpochMetrics]]:
    torch.rand(17)  # another process would find the generator elsewhere
    run = new(method, settings)
    restore(run, memory.saved[-1])
    return run, train(run, history=memory.recorded)


@pytest.mark.parametrize(
    ("method", "optimizer"), [(METHODS[0], "sgd"), (METHODS[1], "sgd"), (METHODS[1], "adamw")]
)
@pytest.mark.parametrize("stop_after", [*Random(5).sample(range(1, 3 * BATCHES), 6), BATCHES])
def test_stopped_anywhere_and_resumed_is_uninterrupted(stop_after: int, method: str, optimizer: str):
    settings = replace(SMALL, optimizer=optimizer, lr=0.01)
    whole = new(method, settings)
    expected = train(whole)
    stop = StopRequest()
    memory = Memory(stop, stop_after)
    with pytest.raises(Interrupted):
        train(new(method, settings), memory)
    assert memory.saved[-1].position.epoch * BATCHES + memory.saved[-1].position.batch == stop_after
    resumed, history = resume_from(memory, settings, method)
    assert same(snapshot(resumed), snapshot(whole))
    assert timeless(history) == timeless(expected)


def test_killed_at_an_epochs_end_and_resumed_is_uninterrupted():
    whole, memory = new(), Memory()
    expected = train(whole, memory)
    for kept in range(1, 4):
        part = Memory()
        part.saved, part.recorded = memory.saved[:kept], memory.recorded[:kept]
        resumed, history = resume_from(part, SMALL, METHODS[0])
        assert same(snapshot(resumed), snapshot(whole))
        assert timeless(history) == timeless(expected)


def test_a_model_that_draws_is_resumed_too(monkeypatch: pytest.MonkeyPatch):
    def dropping(shape: models.Shape) -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.Dropout(0.5), nn.Linear(32, shape.classes))

    monkeypatch.setitem(models.MODELS, "mlp", dropping)
    whole, memory = new("plain"), Memory(StopRequest(), 7)
    train(whole)
    with pytest.raises(Interrupted):
        train(new("plain"), memory)
    resumed, _ = resume_from(memory, SMALL, "plain")
    assert same(snapshot(resumed), snapshot(whole))


def test_stopped_twice():
    whole = new()
    expected = train(whole)
    first = Memory(StopRequest(), 3)
    with pytest.raises(Interrupted):
        train(new(), first)
    run = new()
    restore(run, first.saved[-1])
    second = Memory(StopRequest(), 4)
    with pytest.raises(Interrupted):
        train(run, second)
    second.recorded = first.recorded + second.recorded
    resumed, history = resume_from(second, SMALL, METHODS[0])
    assert same(snapshot(resumed), snapshot(whole))
    assert timeless(history) == timeless(expected)


def test_a_stop_in_the_last_step_is_a_finished_run():
    memory = Memory(StopRequest(), 3 * BATCHES)
    assert len(train(new(), memory)) == 3


def test_training_learns_and_is_measured_on_clean_test_labels():
    settings = replace(SMALL, noise=None, epochs=8)
    run = prepare("plain", settings)
    history = train(run)
    assert history[-1].test_accuracy > 0.9
    assert history[-1].train_loss < history[0].train_loss / 3
    hits = run.step.predict(run.data.test.x).argmax(1) == run.data.test.clean
    assert history[-1].test_accuracy == pytest.approx(float(hits.double().mean()))
    assert history[-1].lr == pytest.approx(settings.lr * 0.00154, rel=0.01)  # (1 + cos(39 pi / 40)) / 2


def test_the_loss_is_the_mean_over_samples():
    run = new("plain", replace(SMALL, epochs=1, lr=1e-30))
    history = train(run)
    logits = run.step.model(DATA.train.x)
    expected = torch.nn.functional.cross_entropy(logits, DATA.train.y)
    assert history[0].train_loss == pytest.approx(expected.item(), rel=1e-5)


def test_one_seed_gives_one_run_and_another_another():
    first, again, other = (new("plain", replace(SMALL, seed=seed, epochs=1)) for seed in (0, 0, 1))
    for run in (first, again, other):
        train(run)
    assert same(snapshot(first), snapshot(again))
    assert not same(snapshot(first), snapshot(other))


def test_the_best_epoch_is_by_validation():
    memory = Memory()
    history = train(new("plain", replace(SMALL, epochs=6)), memory)
    accuracies = [metrics.validation_accuracy or 0 for metrics in history]
    rising = [epoch for epoch in range(6) if accuracies[epoch] > max([-1, *accuracies[:epoch]])]
    assert memory.bests == rising


def test_without_validation_every_epoch_is_the_best_so_far():
    memory = Memory()
    settings = replace(SMALL, validation=0.0, epochs=2)
    run = prepare("plain", settings)
    assert [metrics.validation_accuracy for metrics in train(run, memory)] == [None, None]
    assert memory.bests == [0, 1]


def test_a_loss_that_is_not_finite_names_epoch_and_step_and_saves_nothing(trouble):
    memory = Memory()
    trouble(spoil_the_loss, BATCHES + 3, "plain")
    with pytest.raises(
        TaxoError, match=r"T601.*loss of `plain` is nan in epoch 2, step 3 of 5.*\n.*lower `--lr`"
    ):
        train(new("plain"), memory)
    assert [state.position.epoch for state in memory.saved] == [0]


def test_weights_that_are_not_finite_are_not_saved(trouble):
    memory = Memory()
    trouble(spoil_the_gradient, BATCHES, "plain")
    with pytest.raises(TaxoError, match=r"T601.*a weight is not finite after epoch 1 of `plain`"):
        train(new("plain"), memory)
    assert memory.saved == []


def test_gradients_are_clipped():
    settings = replace(SMALL, epochs=1, batch_size=2000, momentum=0.0, weight_decay=0.0, lr=1.0, clip=1e-3)
    run = new("plain", settings)
    before = torch.cat([weight.detach().flatten().clone() for weight in run.step.model.parameters()])
    train(run)
    after = torch.cat([weight.detach().flatten() for weight in run.step.model.parameters()])
    assert float((after - before).norm()) == pytest.approx(1e-3, rel=1e-3)


def test_a_checkpoint_of_another_model_is_refused():
    run = new()
    train(run)
    with pytest.raises(TaxoError, match=r"T507.*does not fit this run"):
        restore(new(settings=replace(SMALL, model="linear")), snapshot(run))


def test_the_silent_reporter_is_enough():
    assert len(fit(new("plain", replace(SMALL, epochs=1)), Silent(), StopRequest(), Recorder())) == 1
