"""What perturbations do to training samples, against numbers by hand; nothing is changed by looking."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch.nn import functional

from taxo.training.inspection import inspect, meters, relative_change
from taxo.training.run import Run, prepare
from taxo.training.settings import change, sensible
from taxo.training.views import views

FAST = {"model": "mlp", "epochs": "2", "noise": "random:10%", "batch_size": "100"}


def trained(method: str, **more: str) -> Run:
    run = prepare(method, change(sensible(), FAST | more))
    for _ in run.step.epochs(2):
        for rows in torch.arange(len(run.data.train)).split(100):
            x = views(run.data.train.x[rows], run.step.wanted_views, torch.Generator())
            run.step(x, run.data.train.y[rows], rows).backward()
            run.optimizer.step()
            run.optimizer.zero_grad()
    return run


@pytest.fixture(scope="module")
def run() -> Run:
    return trained("logpert")


def test_sizes_and_losses_of_a_table(run: Run):
    found = inspect(run)
    train = run.data.train
    table = next(value for name, value in run.step.state_dict().items() if name.endswith("value"))
    (touched,) = found.touched
    assert (touched.key, touched.target, touched.direction, touched.suspects) == (
        "v",
        "logits",
        "positive",
        True,
    )
    torch.testing.assert_close(touched.sizes, table.norm(dim=1).double())
    u = run.step.model(train.x).detach()
    plain = functional.cross_entropy(u, train.y, reduction="none")
    moved = functional.cross_entropy(u + table, train.y, reduction="none")
    torch.testing.assert_close(found.plain, plain.double(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(found.moved, moved.double(), atol=1e-5, rtol=1e-5)
    change = relative_change(found, train.y, 10)
    for label in range(10):
        own = train.y == label
        assert change[label] == pytest.approx(float(moved[own].sum() / plain[own].sum() - 1), abs=1e-4)


@pytest.mark.parametrize("method", ["logpert", "mixpert", "sam", "online_label_smoothing", "l2_noise"])
def test_looking_changes_nothing(method: str):
    run = trained(method)
    run.step.eval()
    before, random = deepcopy(run.step.state_dict()), torch.get_rng_state()
    inspect(run)
    meters(run)
    after = run.step.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert torch.equal(random, torch.get_rng_state())
    assert not run.step.training
    assert all(weight.grad is None for weight in run.step.model.parameters())


def test_meters_are_those_of_the_first_batch(run: Run):
    found = inspect(run)
    (meter,) = meters(run).values()
    sizes = found.touched[0].sizes[:100]
    assert meter["fired"] == float((sizes > 0).double().mean())
    assert meter["size"] == pytest.approx(float(sizes[sizes > 0].mean()))
    risen = (found.moved > found.plain)[:100][sizes > 0].double().mean()
    assert meter["raised"] == pytest.approx(float(risen), abs=0.02)
    assert meters(trained("plain")) == {}


def test_of_many_samples_some_are_looked_at(run: Run):
    found = inspect(run, most=50)
    assert len(found.rows) == len(found.plain) == len(found.touched[0].sizes) == 50
    assert (int(found.rows[0]), int(found.rows[-1])) == (0, len(run.data.train) - 1)


def test_a_class_that_was_not_looked_at_has_no_change(run: Run):
    found = inspect(run, most=3)
    change = relative_change(found, run.data.train.y, 10)
    seen = set(run.data.train.y[found.rows].tolist())
    assert {label for label in range(10) if change[label] == change[label]} == seen


def test_only_what_moves_samples_apart_ranks_them(run: Run):
    assert [one.key for one in inspect(run).each] == ["v"]
    # per class, all of one size, and drawn by chance
    for method in ("logit_adjustment", "label_smoothing", "l2_noise"):
        assert inspect(trained(method)).each == []


def test_a_perturbation_carried_from_a_batch_of_another_size():
    found = meters(trained("dlb"))
    assert all(meter.keys() == {"fired", "size", "raised"} for meter in found.values())
    assert found


def test_averaged_parts_of_batches_in_half_precision():
    run = trained("logpert", ema="0.9", accumulate="2", precision="bf16")
    found = inspect(run)
    assert len(found.rows) == len(found.touched[0].sizes) == len(run.data.train)
    assert meters(run)["v"]["fired"] == 1
