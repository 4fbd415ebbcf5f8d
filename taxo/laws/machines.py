"""The slow laws: a compiled model, and several processes."""

from __future__ import annotations

import gc
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.multiprocessing.spawn import spawn  # pyright: ignore[reportUnknownVariableType]

from taxo.laws.reasons import coupled
from taxo.laws.subject import Subject, batch_norm
from taxo.laws.toys import Batch, pieces
from taxo.laws.verdict import Verdict, decided, exempt
from taxo.laws.watch import Numbers, descend, difference, train, weights
from taxo.runtime.step import Step

ROUNDING = 1e-4
RANKS = 2
STEPS = 3


def compiled_model(subject: Subject) -> Verdict:
    """`torch.compile(model)` gives the numbers of the model, within rounding."""
    expected = train(subject, subject.step())
    torch.compiler.reset()
    model = cast(nn.Module, torch.compile(subject.net()))
    apart = difference(train(subject, subject.step(model)), expected)
    return decided(apart < ROUNDING, f"3 steps of the compiled model: {apart:.1e} apart")


def ranks(subject: Subject) -> Verdict:
    """Two processes, each with half of the batch, take the steps of one."""
    reason = coupled(subject.method) or batch_norm(subject.net())
    if reason is not None:
        return exempt(reason)
    exact = replace(subject, real=torch.float64)
    step = exact.step()
    train(exact, step, range(STEPS))
    expected = [weight.detach() for weight in weights(step.model)]
    apart = max(difference(found, expected) for found in _weights_of_ranks(exact))
    return decided(apart < ROUNDING, f"{RANKS} processes against one after {STEPS} steps: {apart:.1e} apart")


def _weights_of_ranks(subject: Subject) -> list[Numbers]:
    """The weights that each of the processes ends with."""
    with tempfile.TemporaryDirectory() as folder:
        spawn(_rank, (subject, folder), nprocs=RANKS)
        return [torch.load(Path(folder) / f"{rank}.pt", weights_only=True) for rank in range(RANKS)]


def _rank(rank: int, subject: Subject, folder: str) -> None:
    """What one process does."""
    torch.set_num_threads(1)
    rendezvous = f"file://{Path(folder) / 'rendezvous'}"
    torch.distributed.init_process_group("gloo", init_method=rendezvous, rank=rank, world_size=RANKS)
    try:
        torch.save(_trained(rank, subject), Path(folder) / f"{rank}.pt")
    finally:
        gc.collect()  # the wrapper, whose threads end with it, before the group that they belong to
        torch.distributed.destroy_process_group()


def _trained(rank: int, subject: Subject) -> Numbers:
    """The weights after the steps of one process."""
    step = subject.step()
    line = nn.parallel.DistributedDataParallel(step)
    for number in range(STEPS):
        _update(line, step, pieces(subject.batch(number), RANKS)[rank])
    return [weight.detach() for weight in weights(step.model)]


def _update(line: nn.Module, step: Step, part: Batch) -> None:
    line(*part).backward()
    slopes = [cast(Tensor, weight.grad) for weight in weights(step.model)]
    descend(step.model, slopes)
    step.zero_grad()
