"""The Step: what every compiled program is, as its user calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from taxo.compiler import Plan, Program
from taxo.language.errors import fail
from taxo.language.method import Method
from taxo.ops.forms import beside, real_type
from taxo.ops.heads import with_cosine_head
from taxo.ops.sites import logits_of
from taxo.ops.tables import Table
from taxo.runtime.auxiliary import Auxiliary
from taxo.runtime.checks import check_index, check_inputs, check_labels, views_of
from taxo.runtime.following import Following, Goal, Update
from taxo.runtime.meters import Delta, joined, measure
from taxo.runtime.places import Places
from taxo.runtime.stage import Stage

Inputs = Tensor | Sequence[Tensor]
Corruption = Callable[[Tensor, str, int], Tensor]


class Step(Stage):
    """A training step: a batch to its mean loss, perturbations included; programs fill in `run`."""

    parts: ClassVar[int] = 1
    replays: ClassVar[int] = 1
    wanted_views: ClassVar[int] = 1
    outputs_beyond: ClassVar[int] = 0
    reads_index: ClassVar[bool] = False
    compares: ClassVar[bool] = True
    bounds: ClassVar[tuple[float, float] | None] = None
    epoch: Tensor
    planned: Tensor
    steps: Tensor

    def __init__(
        self,
        model: nn.Module,
        *,
        classes: int,
        samples: int | None = None,
        class_counts: Sequence[int] | None = None,
        seed: int = 0,
        head: nn.Module | None = None,
        teacher: nn.Module | None = None,
        prior: Sequence[float] | Tensor | None = None,
        corruption: Corruption | None = None,
    ) -> None:
        super().__init__(model, classes=classes, seed=seed, head=head)
        self.samples = samples
        self.losses = torch.empty(0)
        self.views: tuple[Tensor, ...] = ()
        self.corruption = corruption
        if teacher is not None:
            self.teaching = (teacher.eval(), Places(teacher, classes))
        self._numbers = {"class_count": class_counts, "prior": prior}
        self._constants: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}
        self._optimizer: torch.optim.Optimizer | None = None
        self._first_lr = 1.0
        self._program: Program | None = None
        self._done: dict[str, object] = {}
        self._following: dict[str, Following] = {}
        self._moved: list[Following] = []
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))
        self.register_buffer("planned", torch.ones((), dtype=torch.int64))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.register_state_dict_pre_hook(lambda step, *_: cast(Step, step).settle())
        self.setup()

    # What a program fills in

    def setup(self) -> None:
        """Make what the program keeps."""

    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        """The loss of each sample of a batch."""
        del x, y, index
        raise TypeError(f"{type(self).__name__} is no compiled program")

    def carried(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        """The weighted losses of the branches on the previous batch."""
        del x, index
        return torch.zeros(len(y))

    def end_epoch(self) -> None:
        """Update what is kept from epoch to epoch."""

    def predicted(self, x: Tensor) -> Tensor:
        """The logits of inputs that nobody knows the labels of."""
        return logits_of(self.model(x))

    # What a user calls

    def forward(self, x: Inputs, y: Tensor, index: Tensor | None = None) -> Tensor:
        """The mean loss of a batch; `losses` and `deltas` then hold what it was made of."""
        views = views_of(x, self.wanted_views, type(self).__name__)
        y = check_labels(views[0], y, self.classes, self.compares)
        if self.reads_index:
            index = check_index(views[0], index, self.samples or 0, type(self).__name__)
        if self.bounds is not None:
            check_inputs(views[0], *self.bounds)
        self.deltas = {}
        self.settle()
        try:
            losses = self._in_parts(views, y, index)
        except Exception as error:
            self._annotate(error)
            raise
        if self.training:
            self.steps += 1
        self.losses = losses.detach()
        return losses.mean()

    def epochs(self, count: int) -> Iterator[int]:
        """The epochs still to do of `count`, telling the step how far the run is.

        After `load_state_dict` it goes on where the saved step was.
        """
        self.planned.fill_(count)
        for epoch in range(int(self.epoch), count):
            yield epoch
            self.guard.ask()
            self.epoch.fill_(epoch + 1)
            self.end_epoch()

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """Let what is learned beside the weights follow the learning-rate schedule of an optimizer."""
        self._optimizer = optimizer
        group = optimizer.param_groups[0]
        self._first_lr = float(group.get("initial_lr", group["lr"]))

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """The logits in evaluation mode; model and random numbers are given back as they were."""
        modes = [(module, module.training) for module in self.modules()]
        drawn, noted = self.draws.state(), self.deltas
        try:
            self.eval()
            return self.predicted(x)
        finally:
            for module, mode in modes:
                module.training = mode
            self.draws.restore(drawn)
            self.deltas = noted

    def meters(self) -> dict[str, dict[str, float]]:
        """For each perturbation of the last step: the share of samples it moved, and its mean size there."""
        self.guard.ask()
        return {name: measure(delta) for name, delta in self.deltas.items()}

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
        self._program = program
        return self

    def get_extra_state(self) -> Tensor:
        """The state of the step's random numbers."""
        return self.draws.state()

    def set_extra_state(self, state: Tensor) -> None:
        """Go on with the random numbers of a saved step."""
        self.draws.restore(state)

    # What a program's text calls

    def learning(self, name: str) -> bool:
        """Whether a state takes this batch in now: once a step, in training, and in no search."""
        if not self.training or self.quiet or name in self._done:
            return False
        self._done[name] = True
        return True

    def once(self, name: str, make: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
        """A value that is made when first asked for, once for each shape, and stays for the rest of the step."""
        key = f"{name} {tuple(like.shape)}"
        if key not in self._done:
            self._done[key] = make(like)
        return cast(Tensor, self._done[key])

    def traced(self, name: str, rows: Tensor, like: Tensor) -> Tensor:
        """The rows of an unknown that the training pass itself brings the slope of."""
        if self.quiet or not self.training:
            return rows
        self._following[name] = Following(self._moved)
        return self._following[name].traced(rows, like)

    def follow(
        self, name: str, table: Table, unknown: Tensor, losses: Tensor, goal: Goal, update: Update
    ) -> None:
        """Have an unknown moved by the slope of a goal that the user's own backward brings.

        That happens in the next step, or when this one is saved.
        """
        following = self._following.pop(name, None)
        if following is not None and losses.requires_grad:
            following.follow(table, unknown, losses, goal, update)

    def settle(self) -> None:
        """Move the unknowns whose slope has come."""
        for following in self._moved:
            following.apply()
        self._moved.clear()

    def with_carried(self, losses: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        """The losses with those of the branches on the previous batch, which is this one from now on."""
        carried, done, views = self.carry.get(), self._done, self.views
        if carried is not None and not self.quiet:
            old, y_old, index_old = carried
            self._done, self.views = {}, old
            losses = beside(losses, self.carried(old[0], y_old, index_old))
            self._done, self.views = done, views
        if self.training:
            self.carry.put(views, y, index)
        return losses

    def view(self, number: int) -> Tensor:
        """One of the views of the batch."""
        return self.views[number]

    def corrupted(self, x: Tensor, name: str, severity: int) -> Tensor:
        """The corrupted input."""
        assert self.corruption is not None
        return self.corruption(x, name, severity)

    def take_cosine_head(self, scale: float) -> None:
        """Let the model's logits be scaled cosines from now on."""
        self.places.put_head(with_cosine_head(self.model, self.places.head, scale))

    def take_second_norms(self) -> None:
        """Make the second norms of a branch that has its own."""
        self.auxiliary = Auxiliary(self.model)

    def class_count(self, like: Tensor) -> Tensor:
        """How many samples each class has."""
        return self._constant("class_count", like, lambda counts: counts)

    def class_prior(self, like: Tensor) -> Tensor:
        """Each class's share of the data set."""
        return self._constant("class_count", like, lambda counts: counts / counts.sum(), "class_prior")

    def prior(self, like: Tensor) -> Tensor:
        """The numbers per class that were given from outside."""
        return self._constant("prior", like, lambda numbers: numbers)

    @property
    def epochs_done(self) -> Tensor:
        """The number of finished epochs, to compute with."""
        return self.epoch.double()

    @property
    def epochs_planned(self) -> Tensor:
        """The number of epochs of the run, to compute with."""
        return self.planned.double()

    @property
    def steps_done(self) -> Tensor:
        """The number of finished steps, to compute with."""
        return self.steps.double()

    @property
    def progress(self) -> Tensor:
        """The finished share of the run."""
        return self.epochs_done / self.epochs_planned

    @property
    def lr(self) -> Tensor:
        """The learning rate of the attached optimizer, to compute with."""
        if self._optimizer is None:
            name = type(self).__name__
            fail("T401", f"`{name}` reads the learning rate", None, "call `step.attach(optimizer)` first")
        return self.number(self._optimizer.param_groups[0]["lr"], self.epochs_done)

    @property
    def lr0(self) -> Tensor:
        """The first learning rate of the attached optimizer, to compute with."""
        return self.lr if self._optimizer is None else self.number(self._first_lr, self.epochs_done)

    @property
    def schedule(self) -> float:
        """The learning rate of the attached optimizer over its first one."""
        if self._optimizer is None:
            return 1.0
        return float(self._optimizer.param_groups[0]["lr"]) / self._first_lr

    def _constant(
        self, source: str, like: Tensor, make: Callable[[Tensor], Tensor], name: str = ""
    ) -> Tensor:
        key = (name or source, like.dtype, like.device)
        if key not in self._constants:
            numbers = torch.as_tensor(self._numbers[source]).double()
            self._constants[key] = make(numbers).to(like.device, real_type(like))
        return self._constants[key]

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

    def _annotate(self, error: Exception) -> None:
        """Say which clause of which file an exception comes from."""
        if self._program is None:
            return
        place = self._program.place_of(error)
        if place is not None:
            error.add_note(f"in {self._program.method.name}, {place}:\n{place.excerpt()}")
