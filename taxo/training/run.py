"""One run: prepared from its settings, and turned into a checkpoint and back."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from math import ceil
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim import SGD, AdamW, Optimizer

import taxo
from taxo.language.errors import fail
from taxo.language.method import Method
from taxo.runtime.graphed import Graphed
from taxo.runtime.step import Step
from taxo.training import models, ranks
from taxo.training.average import Average
from taxo.training.beginning import begin, freeze
from taxo.training.checkpoint import Checkpoint, Position, random_state, set_random_state
from taxo.training.corruptions import corrupt
from taxo.training.data import Data, load
from taxo.training.device import pick, refuse_graphs
from taxo.training.goals import learns_teacher, widths_of
from taxo.training.held import held_batches
from taxo.training.order import Order
from taxo.training.rounds import Rounds
from taxo.training.scaling import HalfScaling, Scaling
from taxo.training.seeds import Dice
from taxo.training.settings import Settings
from taxo.training.teachers import teacher_of

COMPILING: dict[str, object] = {}  # the options of torch.compile


@dataclass(slots=True, eq=False)
class Run:
    """Everything that one run moves: the step, its optimizer, the order of the samples and the position.

    `call` is what a batch goes to: the step, as CUDA graphs, or tied to those of other processes.
    `dice` draws views and corruptions; it begins anew with each step, so that nothing of it must be saved.
    """

    settings: Settings
    data: Data
    step: Step
    optimizer: Optimizer
    order: Order
    losses: Tensor
    dice: Dice
    rounds: Rounds
    call: nn.Module
    scaling: Scaling
    average: Average | None
    position: Position = field(default_factory=Position)


def prepare(method: str | Method, settings: Settings, data: Data | None = None, begun: bool = False) -> Run:
    """Data, model, step and optimizer of a run; one that has begun takes its weights from a checkpoint."""
    device = pick(settings.device)
    refuse_graphs(settings, device)
    data = data or load(settings, device)
    widths = widths_of(method, settings, data.classes)
    dice = Dice(device)
    model = models.build(settings.model, data, settings.seed, widths.outputs)
    if settings.init is not None and not begun:
        begin(model, widths.outputs, Path(settings.init))
    if settings.freeze is not None:
        freeze(model, settings.freeze)
    step = taxo.compile(
        method,
        model,
        classes=widths.classes,
        samples=len(data.train),
        class_counts=data.class_counts if widths.classes == data.classes else None,
        params=dict(settings.params),
        seed=settings.seed,
        teacher=teacher_of(settings, data, learns_teacher(method, settings)),
        prior=data.prior if widths.outputs == data.classes else None,
        validation=held_batches(data.held, settings) or None,
        corruption=lambda x, name, severity: corrupt(x, name, severity, dice.now()),
        torch_compile=dict(COMPILING) if settings.compile else None,
    )
    optimizer = _optimizer(step, settings)
    step.attach(optimizer)
    order, rounds = Order(len(data.train), settings.seed), Rounds(step, data)
    losses, call = torch.empty(0, device=device), called(step, settings)
    scaling = HalfScaling(device) if settings.precision == "16" else Scaling()
    average = None if settings.ema is None else Average(step.model, settings.ema)
    run = Run(settings, data, step, optimizer, order, losses, dice, rounds, call, scaling, average)
    fit_to_samples(run)
    return run


def called(step: Step, settings: Settings) -> nn.Module:
    """What a batch goes to: the step, on a GPU as CUDA graphs, or the step tied to other processes."""
    return Graphed(step) if settings.cuda_graph else ranks.together(step)


def measured(run: Run) -> AbstractContextManager[None]:
    """The model with the weights that are measured: those trained, or their average."""
    return nullcontext() if run.average is None else run.average.in_place()


def fit_to_samples(run: Run) -> None:
    """Make room for the losses of an epoch of the present samples, and draw their order from now on."""
    samples = run.order.samples = len(run.rounds.train)
    # one loss per step of an epoch: they stay on the device until the epoch ends
    count = ranks.usable(samples, run.settings.batch_size)
    run.losses = run.losses.new_zeros(ceil(count / run.settings.batch_size))


def steps_left(run: Run) -> int:
    """How many steps are to be done yet, if no round makes the epochs longer."""
    return (run.settings.epochs - run.position.epoch) * len(run.losses) - run.position.batch


def snapshot(run: Run) -> Checkpoint:
    """The state that the rest of the run depends on."""
    tensors = {"loop.order": run.order.state, "loop.losses": run.losses}
    tensors |= {f"step.{name}": value for name, value in run.step.state_dict().items()}
    tensors |= {f"round.{name}": value for name, value in run.rounds.state().items()}
    tensors |= {f"random.{name}": value for name, value in random_state().items()}
    tensors |= {f"scaling.{name}": value for name, value in run.scaling.state().items()}
    if run.average is not None:
        tensors |= {f"average.{name}": value for name, value in run.average.state().items()}
    for number, values in _optimizer_state(run.optimizer).items():
        kept = {name: value for name, value in values.items() if value is not None}
        tensors |= {f"optimizer.{number}.{name}": value for name, value in kept.items()}
    return Checkpoint(run.position, tensors)


def restore(run: Run, state: Checkpoint) -> None:
    """Take a run back to a snapshot; T507 if the snapshot is of another model or method."""
    try:
        run.step.load_state_dict(state.part("step"))
        _restore_optimizer(run.optimizer, state.part("optimizer"))
        run.rounds.restore(state.part("round"))
        fit_to_samples(run)
        run.scaling.restore(state.part("scaling"))
        if run.average is not None:
            run.average.restore(state.part("average"))
        run.losses.copy_(state.tensors["loop.losses"])
        run.order.rewind(state.tensors["loop.order"])
        set_random_state(state.part("random"))
    except (RuntimeError, KeyError, ValueError) as error:
        lines = str(error).splitlines() or [""]
        fail("T507", f"the checkpoint does not fit this run: {lines[0]}", help="start a new run")
    run.position = state.position


def _optimizer(step: Step, settings: Settings) -> Optimizer:
    lr, decay = settings.lr, settings.weight_decay
    groups = step.parameter_groups(lr)
    if settings.optimizer == "adamw":
        return AdamW(groups, lr=lr, betas=(settings.momentum, 0.999), weight_decay=decay)
    return SGD(groups, lr=lr, momentum=settings.momentum, weight_decay=decay)


def _optimizer_state(optimizer: Optimizer) -> Mapping[int, Mapping[str, Tensor | None]]:
    return cast("Mapping[int, Mapping[str, Tensor | None]]", optimizer.state_dict()["state"])


def _restore_optimizer(optimizer: Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = value
    # the groups hold settings only, and the learning rate is set at each step
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
