"""A step in loops of all kinds: accumulated, clipped, grouped, without gradients, in evaluation mode."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from taxo.laws.watch import backward
from taxo.runtime.step import Step
from tests.fidelity.nets import SAMPLES, batch, conv, mlp, weights
from tests.interop.steps import compiled, each_spec, hooks_of, statistics

# Their maths is per sample, and draws nothing: a batch is its parts.
PER_SAMPLE = ("plain", "label_smoothing", "logit_adjustment", "polyloss", "logpert", "pgd_at(start: zero)")
per_sample = pytest.mark.parametrize("spec", PER_SAMPLE)


def single(rows: int = 8, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    return batch(rows, seed=seed, dtype=torch.float32)


@per_sample
def test_accumulated_steps_are_those_of_the_whole_batch(spec: str):
    """Three optimizer steps with momentum, each from four micro-batches."""
    whole, parts = compiled(spec, mlp().double()), compiled(spec, mlp().double())
    optimizers = [torch.optim.SGD(one.model.parameters(), lr=0.1, momentum=0.9) for one in (whole, parts)]
    for seed in range(3 if not whole.reads_index else 1):
        x, y, index = batch(seed=seed)
        whole(x, y, index).backward()
        for rows in torch.arange(8).split(2):
            (parts(x[rows], y[rows], index[rows]) / 4).backward()
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
    for one, other in zip(weights(whole.model), weights(parts.model), strict=True):
        torch.testing.assert_close(one, other)


@each_spec
def test_accumulated_steps_go_on_together(spec: str):
    """Gradients of two micro-batches are the sum of each one's own."""
    together, apart = compiled(spec, mlp()), compiled(spec, mlp())
    sums = [torch.zeros_like(weight) for weight in weights(apart.model)]
    for seed in (1, 2):
        (together(*single(seed=seed)) / 2).backward()
        slopes = backward(apart(*single(seed=seed)) / 2, apart.model)
        sums = [one + other for one, other in zip(sums, slopes, strict=True)]
    torch.testing.assert_close([weight.grad for weight in weights(together.model)], sums)


@each_spec
def test_clipping_sees_the_gradients_of_the_loss(spec: str):
    step, twin = compiled(spec, conv()), compiled(spec, conv())
    slopes = torch.autograd.grad(twin(*single()), weights(twin.model))
    step(*single()).backward()
    norm = torch.nn.utils.clip_grad_norm_(step.model.parameters(), 0.01)
    torch.testing.assert_close(norm, torch.cat([slope.flatten() for slope in slopes]).norm())
    clipped = torch.cat([weight.grad.flatten() for weight in weights(step.model) if weight.grad is not None])
    assert float(clipped.norm()) == pytest.approx(0.01, rel=1e-3)


@each_spec
def test_groups_of_parameters_each_move_at_their_own_rate(spec: str):
    step = compiled(spec, mlp())
    head = [weight for name, weight in step.model.named_parameters() if name.startswith("3")]
    body = [weight for name, weight in step.model.named_parameters() if not name.startswith("3")]
    groups = [{"params": body, "lr": 0.01}, {"params": head, "lr": 0.5, "weight_decay": 0.1}]
    optimizer = torch.optim.SGD(groups)
    step.attach(optimizer)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    before = [weight.detach().clone() for weight in (*body, *head)]
    step(*single()).backward()
    slopes = [weight.grad for weight in (*body, *head)]
    optimizer.step()
    for number, (weight, old, slope) in enumerate(zip((*body, *head), before, slopes, strict=True)):
        assert slope is not None
        lr, decay = (0.01, 0.0) if number < len(body) else (0.5, 0.1)
        torch.testing.assert_close(weight.detach(), old - lr * (slope + decay * old))
    schedule.step()
    assert step.schedule == pytest.approx(0.5)


@each_spec
def test_an_epoch_whose_last_batch_has_one_sample(spec: str):
    step = compiled(spec, mlp())
    optimizer = torch.optim.SGD(step.model.parameters(), lr=0.1)
    x, y, _ = batch(17, dtype=torch.float32)
    for _ in step.epochs(2):
        for rows in torch.arange(17).split(8):
            loss = step(x[rows], y[rows], rows % SAMPLES)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            assert bool(loss.isfinite())
            assert len(step.losses) == len(rows)


@each_spec
@pytest.mark.parametrize("without", [torch.no_grad, torch.inference_mode])
def test_a_loss_without_gradients(spec: str, without: Any):
    """The value is the same but for what is learned before it; the next step is none the worse."""
    step, twin = compiled(spec, mlp()), compiled(spec, mlp())
    with without():
        loss = step(*(part.clone() for part in single()))
    assert not loss.requires_grad
    if "self.learns" not in step.source:
        torch.testing.assert_close(loss.clone(), twin(*single()).detach(), atol=1e-6, rtol=1e-6)
    step(*single(seed=2)).backward()
    assert all(weight.grad is not None for weight in weights(step.model))


def kept(step: Step) -> list[Tensor]:
    """Running statistics and tables."""
    tables = [value.clone() for name, value in step.named_buffers() if "table" in name]
    return [*statistics(step.model), *tables]


@each_spec
def test_a_step_in_evaluation_mode(spec: str):
    """Running statistics and tables rest, the loss has gradients all the same."""
    step = compiled(spec, conv()).eval()
    before = kept(step)
    step(*single()).backward()
    assert all(torch.equal(one, other) for one, other in zip(before, kept(step), strict=True))
    assert not step.model.training
    assert all(weight.grad is not None for weight in weights(step.model))
    assert hooks_of(step) == 0
