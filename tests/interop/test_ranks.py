"""Two processes, each with half of every batch, against one process with the whole of it."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

import taxo
from taxo.runtime.step import Step
from tests.fidelity.nets import batch, close, mlp, weights
from tests.interop.steps import SPECS, compiled
from tests.interop.test_loops import PER_SAMPLE

WORLD = 2
# What looks ahead takes the virtual step of the whole batch; what it is of draws nothing.
AHEAD = ("meta_logit_adjustment", "meta_logpert", "mslc(warmup: 0)", "metadistil")
# What follows an implicit gradient inverts the curvature of the whole batch.
IMPLICIT = """method settled
needs validation
param t per {per} = 0.3
perturb logits by {form} * p {{ direction mixed granularity {per} }}
infer meta over t minimize loss on validation via implicit(hessian: {hessian}, every: 2, optimizer: sgd(1))
"""
SETTLED = {
    "autobalance": "autobalance",
    "per category": IMPLICIT.format(per="category", form="t[y]", hessian="neumann(3, scale: 4)"),
    "per sample": IMPLICIT.format(per="sample", form="t", hessian="cg(6, damping: 1)"),
}
STEPS = 4
# How the processes are joined: around the step or around its model, and what torch is told of the graph.
WAYS = ("step", "static", "model", "compiled")
Result = dict[str, list[Tensor] | str]


def data(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    return batch(8, seed=seed)


def method(spec: str) -> str | taxo.Method:
    found = SETTLED.get(spec, spec)
    return taxo.parse(found) if found.startswith("method") else found


def joined(spec: str, way: str, model: Any) -> tuple[Step, Any]:
    """A step, and what a training loop calls in its place."""
    if way == "model":
        step = compiled(method(spec), DistributedDataParallel(model))
        return step, step
    step = compiled(method(spec), model, torch_compile={"backend": "eager"} if way == "compiled" else None)
    return step, DistributedDataParallel(step, static_graph=way == "static")


def train(step: Step, call: Any, rank: int | None) -> None:
    optimizer = torch.optim.SGD(step.model.parameters(), lr=0.1, momentum=0.9)
    for seed in range(STEPS):
        parts = data(seed) if rank is None else [part.chunk(WORLD)[rank] for part in data(seed)]
        call(*parts).backward()
        optimizer.step()
        optimizer.zero_grad()


def tables(step: Step) -> list[Tensor]:
    kept = ("table", "teacher.")
    return [value for name, value in step.state_dict().items() if any(word in name for word in kept)]


def work(rank: int, folder: str) -> None:
    """One process: every method, joined in every way."""
    torch.set_num_threads(1)
    wait = timedelta(seconds=60)
    distributed.init_process_group("gloo", f"file://{folder}/ranks", wait, WORLD, rank)
    found: dict[tuple[str, str], Result] = {}
    for spec, way in product(dict.fromkeys((*SPECS, *PER_SAMPLE, *AHEAD, *SETTLED)), WAYS):
        try:
            step, call = joined(spec, way, mlp().double())
            train(step, call, rank)
        except Exception as error:
            found[spec, way] = {"error": repr(error)}
            continue
        own = [weight.detach() for weight in weights(step.model)]
        found[spec, way] = {"weights": own, "tables": tables(step)}
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[tuple[str, str], Result]]:
    folder = tmp_path_factory.mktemp("ranks")
    spawn(work, (str(folder),), WORLD)
    return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(WORLD)]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spec", SPECS)
def test_all_ranks_end_at_the_same_place(spec: str, way: str, found: Any):
    one, other = (ranks[spec, way] for ranks in found)
    if way == "model" and any(call.name.text == "cosine_head" for call in taxo.load(spec).needs):
        assert "T401" in one["error"]
        return
    assert "error" not in one, one["error"]
    close(one["weights"], other["weights"], atol=0)
    close(one["tables"], other["tables"], atol=0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spec", [*PER_SAMPLE, *AHEAD, *SETTLED])
def test_two_processes_are_one(spec: str, way: str, found: Any):
    step = compiled(method(spec), mlp().double())
    train(step, step, None)
    for one in (ranks[spec, way] for ranks in found):
        assert "error" not in one, one["error"]
        close(one["weights"], [weight.detach() for weight in weights(step.model)])
        close(one["tables"], tables(step))
