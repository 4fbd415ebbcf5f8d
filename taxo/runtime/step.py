"""The Step: what every compiled program is, as its user calls it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Unpack, cast

import torch
from torch import Tensor, nn

from taxo.compiler import Plan, Program
from taxo.language.method import Method
from taxo.ops.lazy import Lazy
from taxo.ops.sites import logits_of
from taxo.ops.states import State
from taxo.runtime.amended import Amended, Samples
from taxo.runtime.augmenting import Augment, Inputs, shown, single
from taxo.runtime.checks import (
    by_name,
    check_index,
    check_inputs,
    check_labels,
    check_real,
    check_tensors,
    views_of,
)
from taxo.runtime.failures import telling
from taxo.runtime.given import Given
from taxo.runtime.hooks import Change
from taxo.runtime.inference import ordinary, searchable
from taxo.runtime.meters import Delta, joined, measure
from taxo.runtime.rounds import Rounds
from taxo.runtime.sharded import SECOND_NORMS


class Step(Rounds):
    """A training step: a batch to its mean loss, perturbations included; programs fill in `run`."""

    parts: ClassVar[int] = 1
    replays: ClassVar[int] = 1
    wanted_views: ClassVar[int] = 1
    reads_index: ClassVar[bool] = False
    moves_inputs: ClassVar[bool] = False
    acts_on_raw: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float] | None] = None

    def __init__(self, model: nn.Module, **given: Unpack[Given]) -> None:
        super().__init__(model, **given)
        self.losses = torch.empty(0)
        self._open = False
        self._augment: tuple[Augment | None] = (None,)  # in a tuple: not a part of this module
        self._program: Program | None = None
        self.setup()
        for state in (part for part in self.children() if isinstance(part, State)):
            state.live_beside(self.anchor)
        # what is kept agrees on all processes by itself: DDP need not send it at every forward
        self._ddp_params_and_buffers_to_ignore = [
            f"{owner}.{name}"
            for owner, module in cast("Iterator[tuple[str, nn.Module]]", self.named_modules())
            if isinstance(module, Lazy)
            for name in module.state_dict()
        ]

    # What a program fills in

    def setup(self) -> None:
        """Make what the program keeps."""

    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        """The loss of each sample of a batch."""
        del x, y, index
        raise TypeError(f"{type(self).__name__} is no compiled program")

    def end_epoch(self) -> None:
        """Update what is kept from epoch to epoch."""

    def predicted(self, x: Tensor) -> Tensor:
        """The logits of inputs that nobody knows the labels of."""
        return logits_of(self.front(x))

    # What a user calls

    def forward(
        self, x: Inputs, y: Tensor, index: Tensor | None = None, augment: Augment | None = None
    ) -> Tensor:
        """The mean loss of a batch; `losses` and `deltas` then hold what it was made of.

        `augment` is a function of inputs: what the method does before the augmentation is done before it.
        """
        check_tensors(y=y, index=index, **by_name(x))
        with searchable():
            given = ordinary(x) if isinstance(x, Tensor) else [ordinary(view) for view in x]
            self._augment = (augment,)
            try:
                return self._loss(self._begun(given), ordinary(y), ordinary(index))
            finally:
                self._augment = (None,)

    def _begun(self, x: Inputs) -> tuple[Tensor, ...]:
        """What a step begins with: the batch, and where nothing is done before, augmented."""
        name, (augment,) = type(self).__name__, self._augment
        if self.acts_on_raw:
            return (single(x, name),)
        if augment is None:
            return views_of(x, self.wanted_views, name)
        return shown(single(x, name), augment, self.wanted_views, name)

    def _loss(self, views: tuple[Tensor, ...], y: Tensor, index: Tensor | None) -> Tensor:
        if self.moves_inputs:
            check_real(views[0])
        y = check_labels(views[0], y, self.classes, self.compares)
        if self.reads_index:
            index = check_index(views[0], index, self.samples or 0, type(self).__name__)
        if self.bounds is not None:
            check_inputs(views[0], *self.bounds)
        self.deltas, self._found = {}, {}
        self.shards.begin()
        if self.auxiliary is not None and self.auxiliary.names:
            self.shards.refuse_any(*SECOND_NORMS)
        self.guard.begin()
        self.settle()
        self.draw_apart()
        if self.front.compiled:
            self.noise.generator(views[0].device)  # older compilers cannot see one being made
        try:
            with telling(self._program):
                losses = self._in_parts(views, y, index)
        finally:
            self._found = None
            self.shards.begin()
        self.guard.look(losses)
        if self.training:
            self.steps.add_(1)
            self.tick()
        self.losses = losses.detach()
        return losses.mean()

    def take_replayed(self, losses: Tensor, deltas: dict[str, Delta]) -> None:
        """Take what a replayed step gave for what this one did."""
        self.losses, self.deltas = losses, deltas
        self.tick()

    def epochs(self, count: int) -> Iterator[int]:
        """The epochs still to do of `count`, telling the step how far the run is.

        After `load_state_dict` it goes on where the saved step was.
        """
        self._open = False
        for epoch in range(int(self.epoch), count):
            self.begin_epoch(epoch, count)
            yield epoch
            self.close_epoch()

    def begin_epoch(self, epoch: int, of: int) -> None:
        """Tell the step which epoch begins, counted from 0, and of how many: for loops that others own.

        What is due at the end of the last epoch is done then.
        """
        self.close_epoch()
        self.amendments = {}
        self.planned.fill_(of)
        self.epoch.fill_(epoch)
        self._now = None
        self._open = True

    def close_epoch(self) -> None:
        """End the epoch that was begun, if any: states of every epoch change, and what went wrong is said."""
        if not self._open:
            return
        self._open = False
        self.guard.ask()
        self.epoch += 1
        self._now = None
        with telling(self._program):
            self.end_epoch()

    def amend(self, data: Samples) -> Amended:
        """The data of the next round, as `Rounds.amend` says; what fails is said with its clause."""
        with telling(self._program):
            return super().amend(data)

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """Let what is learned beside the weights follow the learning-rate schedule of an optimizer."""
        self._optimizer = optimizer
        group = optimizer.param_groups[0]
        self._first_lr = float(group.get("initial_lr", group["lr"]))

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """The logits in evaluation mode; model and random numbers are given back as they were."""
        return self.evaluated(x)

    def evaluated(self, x: Tensor) -> Tensor:
        """What `predict` gives, with gradients: what an attack on the trained model follows."""
        check_tensors(x=x)
        modes = [(module, module.training) for module in self.modules()]
        drawn, noted = self.draws.state(), self.deltas
        self.views, self._done = (x,), {}
        self.shards.begin()
        try:
            self.eval()
            self.guard.begin()
            with searchable(), telling(self._program):
                logits = self.predicted(ordinary(x))
            self.guard.look(logits)
            return logits
        finally:
            self.shards.begin()
            for module, mode in modes:
                module.training = mode
            self.draws.restore(drawn)
            self.deltas = noted

    def meters(self) -> dict[str, dict[str, float]]:
        """For each perturbation of the last step: the share of samples it moved, and its mean size there.

        In the first epoch of a round, also what was made of the data before it.
        """
        self.guard.ask()
        return {**self.amendments, **{name: measure(delta) for name, delta in self.deltas.items()}}

    @property
    def kept_bytes(self) -> int:
        """The memory of tables and states, as far as their shapes are known."""
        owners = [module for module in self.modules() if isinstance(module, Lazy)]
        return sum(kept.nbytes for owner in owners for kept in owner.buffers())

    def parameter_groups(self, lr: float) -> list[dict[str, object]]:
        """What an optimizer moves: the model's parameters, and those of second norms if a branch has them."""
        own = [{"params": [one for one in self.model.parameters() if one.requires_grad], "lr": lr}]
        second = [] if self.auxiliary is None else [{"params": list(self.auxiliary.parameters()), "lr": lr}]
        return cast("list[dict[str, object]]", own + second)

    @property
    def program(self) -> Program:
        """The program that this step runs."""
        if self._program is None:
            # not an AttributeError: a module takes those for attributes it does not have
            raise TypeError("this step was made by hand from a program's text, not by `taxo.compile`")
        return self._program

    @property
    def method(self) -> Method:
        """The method with its parameters as set."""
        return self.program.method

    @property
    def source(self) -> str:
        """The text of the program that runs."""
        return self.program.text

    @property
    def plan(self) -> Plan:
        """The passes of a step, and what they cost."""
        return self.program.plan

    def bind(self, program: Program) -> Step:
        """Tell the step which program it is, for its properties and its messages."""
        self._program, self.guard.places, self.guard.weighing = program, program.acts, program.weighing
        return self

    def get_extra_state(self) -> Tensor:
        """The state of the step's random numbers."""
        return self.draws.state()

    def set_extra_state(self, state: Tensor) -> None:
        """Go on with the random numbers of a saved step."""
        self.draws.restore(state)
        self.forget()
        self._taken = self._now = None

    # What a program's text calls

    def augmented(self, x: Tensor, y: Tensor, *changes: Change) -> Tensor:
        """The batch to go on with: what acts before its augmentation has acted, then it is augmented."""
        (augment,), perturbed = self._augment, self.entered(x, y, *changes).x
        self.views = shown(perturbed, augment, self.wanted_views, type(self).__name__)
        return self.views[0]

    def _in_parts(self, views: tuple[Tensor, ...], y: Tensor, index: Tensor | None) -> Tensor:
        """The losses of the batch, part by part where the method splits it."""
        if self.parts == 1:
            return self._part(views, y, index)
        rows = torch.arange(len(y), device=y.device).tensor_split(self.parts)
        losses: list[Tensor] = []
        deltas: list[dict[str, Delta]] = []
        for part in (part for part in rows if len(part)):
            inputs = tuple(view[part] for view in views)
            losses.append(self._part(inputs, y[part], None if index is None else index[part]))
            deltas.append(self.deltas)
            self.deltas = {}
        self.deltas = joined(deltas)
        return torch.cat(losses)

    def _part(self, views: tuple[Tensor, ...], y: Tensor, index: Tensor | None) -> Tensor:
        self.views, self._done = views, {}
        return self.run(views[0], y, index)
