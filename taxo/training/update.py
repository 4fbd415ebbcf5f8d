"""One update of the weights: forward and backward, in parts if asked to, scaled, clipped, averaged."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from taxo.runtime.augmenting import Inputs
from taxo.training.run import Run
from taxo.training.settings import Settings
from taxo.training.showing import Showing
from taxo.training.tensors import batches

NARROW = {"bf16": torch.bfloat16, "16": torch.float16}


def update(run: Run, x: Tensor, rows: Tensor, showing: Showing) -> Tensor:
    """Update the weights by a batch; its mean loss.

    A method that acts on the batch before its augmentation has the step augment it.
    """
    shown, later = (x, showing) if run.step.acts_on_raw else (showing(x), None)
    for _ in range(run.step.replays - 1):
        _once(run, shown, rows, later)
        showing.begin()
    loss = _once(run, shown, rows, later)
    if run.average is not None:
        run.average.update()
    return loss


def _once(run: Run, x: Inputs, rows: Tensor, showing: Showing | None) -> Tensor:
    loss = _backward(run, x, rows, showing)
    run.scaling.unscale(run.optimizer)
    if run.settings.clip is not None:
        torch.nn.utils.clip_grad_norm_(run.step.model.parameters(), run.settings.clip)
    run.scaling.step(run.optimizer)
    run.optimizer.zero_grad()
    return loss


def _backward(run: Run, x: Inputs, rows: Tensor, showing: Showing | None) -> Tensor:
    count = run.settings.accumulate
    if count == 1:
        return _of_part(run, x, rows, 1, showing)
    total = run.losses.new_zeros(())
    size = -(-len(rows) // count)
    for place in batches(torch.arange(len(rows), device=rows.device), size):
        part, share = rows[place], len(place) / len(rows)
        views = x[place] if isinstance(x, Tensor) else [view[place] for view in x]
        total += share * _of_part(run, views, part, share, showing)
    return total


def _of_part(run: Run, x: Inputs, rows: Tensor, share: float, showing: Showing | None) -> Tensor:
    samples = run.rounds
    index = samples.index[rows] if run.step.reads_index else None
    with narrowed(run.settings, rows.device):
        loss: Tensor = run.call(x, samples.train.y[rows], index, showing)
    run.scaling.scaled(loss if share == 1 else loss * share).backward()
    return loss.detach()


def narrowed(settings: Settings, device: torch.device) -> AbstractContextManager[object]:
    """Passes in half precision where the settings say so."""
    if settings.precision not in NARROW:
        return nullcontext()
    return torch.autocast(device.type, NARROW[settings.precision])
