"""The training loop: epoch by epoch, measured, saved, and stopped between two steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite
from time import perf_counter

import torch
from torch import Tensor

from taxo.language.errors import fail
from taxo.training import ranks, schedule, seeds
from taxo.training.checkpoint import Checkpoint, Position
from taxo.training.inputs import ahead
from taxo.training.interrupt import Interrupted, StopRequest
from taxo.training.measures import measure_of
from taxo.training.metrics import EpochMetrics, best
from taxo.training.progress import Reporter
from taxo.training.run import Run, fit_to_samples, measured, snapshot
from taxo.training.scores import scores
from taxo.training.showing import Showing
from taxo.training.tensors import batches, numbers
from taxo.training.update import update


class Recorder:
    """Where a run keeps what must survive it; this one keeps nothing."""

    def watched(self, run: Run, metrics: EpochMetrics) -> EpochMetrics:
        """The metrics of an epoch with what else is worth keeping; the run is left as it was."""
        del run
        return metrics

    def record(self, metrics: EpochMetrics) -> None:
        """Keep an epoch's metrics; the state of that epoch is saved next."""

    def save(self, state: Checkpoint) -> None:
        """Keep the latest state."""

    def mark_best(self) -> None:
        """Keep the latest state as the best one, too."""


def fit(
    run: Run,
    reporter: Reporter,
    stop: StopRequest,
    recorder: Recorder,
    history: Sequence[EpochMetrics] = (),
) -> list[EpochMetrics]:
    """Train from the run's position to the end; the metrics of every epoch, those of `history` first."""
    done = list(history)
    if run.position == Position():
        torch.manual_seed(seeds.number(run.settings.seed, "torch"))
    for epoch in run.step.epochs(run.settings.epochs):
        began, entering = perf_counter(), run.position.epoch != epoch
        if entering and run.rounds.begin():
            fit_to_samples(run)
        rows = run.order.draw()
        if run.position.measured and run.position.epoch == epoch:
            if done and best(done) is done[-1]:
                recorder.mark_best()  # a run may be killed between the two
            continue  # saved when the epoch was measured: only the step's counters had still to move on
        if entering:
            run.position = Position(epoch, seconds=perf_counter() - began)
        _train(run, rows.to(run.losses.device), reporter, stop, recorder)
        done.append(recorder.watched(run, _measure(run)))
        _keep(run, done, recorder)
        reporter.epoch(done[-1])
        if ranks.agreed(run.losses[-1], stop.made)[1] and epoch + 1 < run.settings.epochs:
            raise Interrupted
    return done


def _train(run: Run, rows: Tensor, reporter: Reporter, stop: StopRequest, recorder: Recorder) -> None:
    settings, position, began = run.settings, run.position, perf_counter()
    run.step.train()
    whole = batches(rows[: ranks.usable(len(rows), settings.batch_size)], settings.batch_size)
    parts = [ranks.own(rows) for rows in whole[position.batch :]]
    inputs = ahead(run.rounds.train.inputs, parts)
    found: list[Tensor] = []
    stopped = False
    for batch, (part, x) in enumerate(zip(parts, inputs, strict=True), position.batch):
        _set_rate(run, batch)
        place = f"{position.epoch} {batch}" + (f" of {ranks.rank()}" if ranks.rank() else "")
        run.dice.begin(settings.seed, f"step {place}")
        seed = seeds.number(settings.seed, f"augment {place}")
        showing = Showing(settings.augment, run.step.wanted_views, seed, settings.data)
        loss = update(run, x, part, showing)
        reporter.batch()
        loss, stopped = ranks.agreed(loss, stop.made)
        found.append(loss)
        if stopped and batch + 1 < len(run.losses):
            break
    _note(run, found, began)
    if stopped and run.position.batch < len(run.losses):
        recorder.save(snapshot(run))
        raise Interrupted


def _note(run: Run, found: Sequence[Tensor], began: float) -> None:
    """Keep the losses of the steps that were taken, and how far the run is."""
    first = run.position.batch
    if found:
        run.losses[first : first + len(found)] = torch.stack(list(found))
    if run.losses.is_cuda:
        torch.cuda.synchronize()
    seconds = run.position.seconds + perf_counter() - began
    run.position = replace(run.position, batch=first + len(found), seconds=seconds)


def _set_rate(run: Run, batch: int) -> None:
    settings, step = run.settings, 1 / len(run.losses)
    epoch = run.position.epoch + batch * step
    scale = schedule.factor(settings.schedule, epoch, settings.epochs, settings.warmup, step)
    for group in run.optimizer.param_groups:
        group["lr"] = settings.lr * scale


def _measure(run: Run) -> EpochMetrics:
    """Check that the run is sound, then measure it; one synchronisation each."""
    data, position = run.data, run.position
    loss = _mean_loss(run)
    _check_weights(run)
    measure = measure_of(run.settings.data, run.settings.model)
    splits = (data.train, data.validation, data.test)
    with measured(run):
        train, validation, test = scores(run.step, splits, measure)
    return EpochMetrics(
        epoch=position.epoch,
        train_loss=loss,
        train_accuracy=train or 0.0,
        validation_accuracy=validation,
        test_accuracy=test or 0.0,
        lr=run.optimizer.param_groups[0]["lr"],
        seconds=position.seconds,
        meters=run.step.meters(),
        measure=measure.name,
    )


def _mean_loss(run: Run) -> float:
    losses = numbers(run.losses)
    wrong = next((number for number, loss in enumerate(losses, 1) if not isfinite(loss)), None)
    if wrong is not None:
        place = f"epoch {run.position.epoch + 1}, step {wrong} of {len(losses)}"
        _not_finite(run, f"the loss of `{run.step.method.name}` is {losses[wrong - 1]} in {place}")
    size = run.settings.batch_size
    samples = ranks.usable(len(run.rounds.train), size)
    sizes = [min(size, samples - start) for start in range(0, samples, size)]
    return sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / samples


def _check_weights(run: Run) -> None:
    # a last update can spoil the weights after a finite loss, and the checkpoint would carry that on
    sound = torch.stack([weight.isfinite().all() for weight in run.step.model.parameters()]).all()
    if not bool(sound):
        place = f"after epoch {run.position.epoch + 1} of `{run.step.method.name}`"
        _not_finite(run, f"a weight is not finite {place}")


def _not_finite(run: Run, message: str) -> None:
    kept = "; the last good checkpoint is kept" if run.position.epoch else ""
    fail("T601", message, help=f"lower `--lr` or set `--clip 1`{kept}")


def _keep(run: Run, done: Sequence[EpochMetrics], recorder: Recorder) -> None:
    run.position = replace(run.position, measured=True)
    recorder.record(done[-1])
    recorder.save(snapshot(run))
    if best(done) is done[-1]:
        recorder.mark_best()
