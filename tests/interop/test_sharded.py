"""Models whose weights are shared out over two processes, against copies of them and one process."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

import taxo
from taxo.runtime.step import Step
from tests.fidelity.nets import batch, close, conv, mlp, weights
from tests.interop.steps import SPECS, compiled, hooks_of
from tests.interop.test_loops import PER_SAMPLE

pytestmark = pytest.mark.slow

WORLD, STEPS = 2, 3
WAYS = ("whole", "parts", "late")  # the model as one; its layers too; after the step is made
ON_WEIGHTS = ("sam", "asam", "damp", "awp", "dropconnect", "daap")
# What two processes with half of a batch each do as one does with all of it.
ALIKE = (*PER_SAMPLE, "damp", "dropconnect", "daap")
NETS = {"mlp": mlp, "conv": conv}
CASES = [(spec, "mlp") for spec in dict.fromkeys((*SPECS, *ON_WEIGHTS, *PER_SAMPLE))]
CASES += [(spec, "conv") for spec in ("sam", "awp", "pgd_at(start: zero)", "isda", "advprop")]
Found = dict[Any, Any]


def data(seed: int, rank: int | None) -> list[Tensor]:
    parts = batch(8, seed=seed)
    return [part if rank is None else part.chunk(WORLD)[rank] for part in parts]


def whole(model: nn.Module) -> list[Tensor]:
    """The weights, each put together from what the processes hold of it."""
    held: list[Any] = [weight.detach() for weight in weights(model)]
    return [weight.full_tensor() if hasattr(weight, "full_tensor") else weight.clone() for weight in held]


def sharded(model: nn.Module, mesh: Any, parts: bool) -> None:
    for module in model.modules() if parts else ():
        if module is not model and any(True for _ in module.parameters(recurse=False)):
            fully_shard(module, mesh=mesh)
    fully_shard(model, mesh=mesh)


def joined(spec: str, net: str, way: str, mesh: Any) -> tuple[Step, Any]:
    """A step, and what a training loop calls in its place."""
    model = NETS[net]().double()
    if way in ("whole", "parts"):
        sharded(model, mesh, way == "parts")
    step = compiled(spec, model)
    if way == "late":
        sharded(step.model, mesh, parts=False)
    return step, DistributedDataParallel(step) if way == "ddp" else step


def trained(step: Step, call: Any, rank: int | None) -> Found:
    """What a few steps leave, and whether anybody ever met other weights than the optimizer's."""
    optimizer, unseen = torch.optim.SGD(step.model.parameters(), lr=0.1, momentum=0.9), True
    for seed in range(STEPS):
        before = whole(step.model)
        loss = call(*data(seed, rank))
        unseen &= all(map(torch.equal, before, whole(step.model)))
        loss.backward()
        unseen &= all(map(torch.equal, before, whole(step.model)))
        optimizer.step()
        optimizer.zero_grad()
    return {
        "weights": whole(step.model),
        "unseen": unseen,
        "names": [n for n, _ in step.model.named_parameters()],
    }


def _break(*_: object) -> None:
    raise ZeroDivisionError


def broken(mesh: Any, rank: int) -> Found:
    """A pass that breaks off while the model has other weights: it has its own again."""
    step, _ = joined("damp", "mlp", "whole", mesh)
    before, hooks = whole(step.model), hooks_of(step.model)
    handle = next(step.model.children()).register_forward_hook(_break)
    with pytest.raises(ZeroDivisionError):
        step(*data(0, rank))
    handle.remove()
    held = [name for name, weight in step.model.named_parameters() if not isinstance(weight, nn.Parameter)]
    same = all(map(torch.equal, before, whole(step.model)))
    return {"same": same, "held": held, "hooks": hooks_of(step.model) - hooks}


def flat(spec: str, rank: int) -> list[Tensor]:
    """The weights after a few steps of a model in one flat piece."""
    model = FullyShardedDataParallel(mlp().double(), device_id=torch.device("cpu"))
    step = compiled(spec, model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for seed in range(STEPS):
        step(*data(seed, rank)).backward()
        optimizer.step()
        optimizer.zero_grad()
    with FullyShardedDataParallel.summon_full_params(model):
        return [weight.detach().clone() for weight in weights(model)]


def told(make: Any, *given: Any) -> Any:
    try:
        return make(*given)
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}


def one(spec: str, net: str, way: str, mesh: Any, rank: int) -> Found:
    return trained(*joined(spec, net, way, mesh), rank)


def with_compiled_code(mesh: Any, rank: int) -> Tensor:
    model = mlp().double()
    sharded(model, mesh, parts=False)
    return compiled("sam", model, torch_compile={"backend": "eager"})(*data(0, rank)).detach()


def work(rank: int, folder: str) -> None:
    """One process: every method, shared out in every way."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", f"file://{folder}/ranks", timedelta(seconds=60), WORLD, rank)
    mesh = init_device_mesh("cpu", (WORLD,))
    found: Found = {}
    for (spec, net), way in product(CASES, (*WAYS, "ddp")):
        found[spec, net, way] = told(one, spec, net, way, mesh, rank)
    found["compiled"] = told(with_compiled_code, mesh, rank)
    found["broken"] = told(broken, mesh, rank)
    for spec in ("plain", "logpert", "pgd_at(start: zero)", "sam", "isda", "cosface"):
        found["flat", spec] = told(flat, spec, rank)
    torch.save(found, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    folder = tmp_path_factory.mktemp("sharded")
    spawn(work, (str(folder),), WORLD)
    return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(WORLD)]


def refusal(spec: str, net: str, way: str) -> str:
    """Why a method cannot be had of a model that is sharded in a way; nothing where it can."""
    method = taxo.load(spec)
    if way != "late" and any(call.name.text == "cosine_head" for call in method.needs):
        return "its head is to be exchanged"
    if any(call.name.text == "validation" for call in method.needs):
        return "weights are looked ahead of"
    if spec == "advprop" and net == "conv":
        return "a branch has second norms"
    return "`W` is read" if way == "parts" and spec == "isda" else ""


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("spec", "net"), CASES)
def test_shared_out_or_copied_the_weights_end_alike(spec: str, net: str, way: str, found: list[Found]):
    """And nobody sees a perturbed one: not between the forward and the backward, not after it."""
    for rank in found:
        one, other = rank[spec, net, way], rank[spec, net, "ddp"]
        why = refusal(spec, net, way)
        if why:
            assert "T411" in one["error"]
            assert why in one["error"]
            continue
        assert "error" not in one, one["error"]
        assert one["unseen"]
        close(one["weights"], other["weights"], atol=1e-12)
        assert one["names"] == [name for name, _ in compiled(spec, NETS[net]()).model.named_parameters()]
    if not refusal(spec, net, way):
        close(found[0][spec, net, way]["weights"], found[1][spec, net, way]["weights"], atol=0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spec", ALIKE)
def test_two_processes_are_one(spec: str, way: str, found: list[Found]):
    step = compiled(spec, mlp().double())
    alone = trained(step, step, None)
    for rank in found:
        close(rank[spec, "mlp", way]["weights"], alone["weights"])


def test_a_pass_that_breaks_off_leaves_the_models_own_weights(found: list[Found]):
    for rank in found:
        assert rank["broken"] == {"same": True, "held": [], "hooks": 0}


def test_compiled_code_does_not_run_with_other_weights(found: list[Found]):
    for rank in found:
        assert "T411" in rank["compiled"]["error"]
        assert "leave the model uncompiled" in rank["compiled"]["error"]


@pytest.mark.parametrize("spec", ["plain", "logpert", "pgd_at(start: zero)"])
def test_one_flat_piece_does_where_no_weight_is_asked_for(spec: str, found: list[Found]):
    step = compiled(spec, mlp().double())
    alone = trained(step, step, None)
    for rank in found:
        assert isinstance(rank["flat", spec], list), rank["flat", spec]
        close(rank["flat", spec], alone["weights"])


@pytest.mark.parametrize("spec", ["sam", "isda", "cosface"])
def test_one_flat_piece_is_refused_where_weights_are_asked_for(spec: str, found: list[Found]):
    for rank in found:
        assert "T411" in rank["flat", spec]["error"]
        assert "fully_shard" in rank["flat", spec]["error"]
