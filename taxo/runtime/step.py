"""The Step: what every compiled program is, and the few things its text calls by `self`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call

from taxo.compiler import Plan, Program
from taxo.language.errors import fail
from taxo.language.method import Method
from taxo.ops.forms import Top, filled, keep, real_type
from taxo.ops.objectives import CrossEntropy
from taxo.ops.sites import logits_of, weights_at
from taxo.ops.stores import Draws
from taxo.runtime.checks import check_index, check_inputs, check_labels
from taxo.runtime.hooks import Change, LabelChange, LossChange, model_hooks, objective_hooks
from taxo.runtime.meters import Delta, joined, measure

Weights = dict[str, Tensor]
WeightChange = Callable[[Weights], Weights]


@dataclass(frozen=True, slots=True)
class Line:
    """One pass through the training computation: its logits, and the loss of each sample."""

    u: Tensor
    loss: Tensor


class Step(nn.Module):
    """A training step: a batch to its mean loss, perturbations included; programs fill in `run`."""

    parts: ClassVar[int] = 1
    reads_index: ClassVar[bool] = False
    bounds: ClassVar[tuple[float, float] | None] = None
    epoch: Tensor
    planned: Tensor

    def __init__(
        self,
        model: nn.Module,
        *,
        classes: int,
        samples: int | None = None,
        class_counts: Sequence[int] | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.model = model
        self.objective = CrossEntropy()
        self.classes = classes
        self.samples = samples
        self.draws = Draws(seed)
        self.losses = torch.empty(0)
        self.deltas: dict[str, Delta] = {}
        self.muted: set[str] = set()
        self._counts = class_counts
        self._constants: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}
        self._optimizer: torch.optim.Optimizer | None = None
        self._first_lr = 1.0
        self._program: Program | None = None
        self.register_buffer("epoch", torch.zeros((), dtype=torch.int64))
        self.register_buffer("planned", torch.ones((), dtype=torch.int64))
        self.setup()

    # What a program fills in

    def setup(self) -> None:
        """Make the tables that the program keeps."""

    def run(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        """The loss of each sample of a batch."""
        del x, y, index
        raise TypeError(f"{type(self).__name__} is no compiled program")

    # What a user calls

    def forward(self, x: Tensor, y: Tensor, index: Tensor | None = None) -> Tensor:
        """The mean loss of a batch; `losses` and `deltas` then hold what it was made of."""
        check_labels(x, y, self.classes)
        if not y.is_floating_point():
            y = y.long()
        if self.reads_index:
            index = check_index(x, index, self.samples or 0, type(self).__name__)
        if self.bounds is not None:
            check_inputs(x, *self.bounds)
        self.deltas = {}
        try:
            losses = self._in_parts(x, y, index)
        except Exception as error:
            self._annotate(error)
            raise
        self.losses = losses.detach()
        return losses.mean()

    def epochs(self, count: int) -> Iterator[int]:
        """The epochs still to do of `count`, telling the step how far the run is.

        After `load_state_dict` it goes on where the saved step was.
        """
        self.planned.fill_(count)
        for epoch in range(int(self.epoch), count):
            yield epoch
            self.epoch.fill_(epoch + 1)

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """Let what is learned beside the weights follow the learning-rate schedule of an optimizer."""
        self._optimizer = optimizer
        group = optimizer.param_groups[0]
        self._first_lr = float(group.get("initial_lr", group["lr"]))

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """The logits in evaluation mode; the model is given back in the mode it was in."""
        modes = [(module, module.training) for module in self.model.modules()]
        try:
            self.model.eval()
            return logits_of(self.model(x))
        finally:
            for module, mode in modes:
                module.training = mode

    def meters(self) -> dict[str, dict[str, float]]:
        """For each perturbation of the last step: the share of samples it moved, and its mean size there."""
        return {name: measure(delta) for name, delta in self.deltas.items()}

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

    def line(
        self,
        x: Tensor,
        y: Tensor,
        *,
        weights: Sequence[WeightChange] = (),
        features: Sequence[Change] = (),
        logits: Sequence[Change] = (),
        labels: Sequence[LabelChange] = (),
        loss: Sequence[LossChange] = (),
    ) -> Line:
        """One pass from input to loss with perturbations in place."""
        with model_hooks(self.model, features, logits):
            output = functional_call(self.model, self._moved(weights), (x,)) if weights else self.model(x)
        u = logits_of(output)
        if u.dim() != 2 or u.shape[1] != self.classes:
            fail(
                "T405",
                f"the model returned {list(u.shape)}, not [{len(x)}, {self.classes}]",
                None,
                "set `classes=` to the width of the model's output",
            )
        return self.head(u, y, labels=labels, loss=loss)

    def head(
        self, u: Tensor, y: Tensor, *, labels: Sequence[LabelChange] = (), loss: Sequence[LossChange] = ()
    ) -> Line:
        """The rest of a pass from its logits on."""
        with objective_hooks(self.objective, labels, loss):
            return Line(u, self.objective(u, y))

    def weights(self, pattern: str = "*") -> Weights:
        """The trainable parameters whose name matches."""
        return weights_at(self.model, pattern)

    def add(
        self, name: str, value: Tensor, delta: Tensor | float, where: Tensor | Top | bool = True
    ) -> Tensor:
        """`v <- v + delta` where a sample is selected; noted for `deltas` and `meters`."""
        if name in self.muted:
            return value
        full = filled(delta, value)
        full = keep(where, full)
        self.deltas[name] = full.detach()
        return value + full

    def add_to_weights(
        self, name: str, weights: Weights, delta: Mapping[str, Tensor | float], where: Tensor | bool = True
    ) -> Weights:
        """`w <- w + delta` while a condition holds, the perturbation a constant for the gradient."""
        if name in self.muted:
            return weights
        constant = {
            key: keep(where, filled(part, weights[key]).detach().to(weights[key].dtype))
            for key, part in delta.items()
        }
        self.deltas[name] = constant
        return weights | {key: weights[key] + part for key, part in constant.items()}

    def class_count(self, like: Tensor) -> Tensor:
        """How many samples each class has."""
        return self._constant("class_count", like, lambda counts: counts)

    def class_prior(self, like: Tensor) -> Tensor:
        """Each class's share of the data set."""
        return self._constant("class_prior", like, lambda counts: counts / counts.sum())

    @property
    def epochs_done(self) -> Tensor:
        """The number of finished epochs, to compute with."""
        return self.epoch.double()

    @property
    def epochs_planned(self) -> Tensor:
        """The number of epochs of the run, to compute with."""
        return self.planned.double()

    @property
    def progress(self) -> Tensor:
        """The finished share of the run."""
        return self.epochs_done / self.epochs_planned

    @property
    def schedule(self) -> float:
        """The learning rate of the attached optimizer over its first one."""
        if self._optimizer is None:
            return 1.0
        return float(self._optimizer.param_groups[0]["lr"]) / self._first_lr

    def _constant(self, name: str, like: Tensor, make: Callable[[Tensor], Tensor]) -> Tensor:
        key = (name, like.dtype, like.device)
        if key not in self._constants:
            counts = torch.tensor(self._counts, dtype=torch.float64)
            self._constants[key] = make(counts).to(like.device, real_type(like))
        return self._constants[key]

    def _moved(self, changes: Sequence[WeightChange]) -> Weights:
        weights = self.weights()
        for change in changes:
            weights = weights | change(weights)
        return weights

    def _in_parts(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        """The losses of the batch, part by part where the method splits it."""
        if self.parts == 1:
            return self.run(x, y, index)
        rows = torch.arange(len(x), device=x.device).tensor_split(self.parts)
        losses: list[Tensor] = []
        deltas: list[dict[str, Delta]] = []
        for part in (part for part in rows if len(part)):
            losses.append(self.run(x[part], y[part], None if index is None else index[part]))
            deltas.append(self.deltas)
            self.deltas = {}
        self.deltas = joined(deltas)
        return torch.cat(losses)

    def _annotate(self, error: Exception) -> None:
        """Say which clause of which file an exception comes from."""
        if self._program is None:
            return
        place = self._program.place_of(error)
        if place is not None:
            error.add_note(f"in {self._program.method.name}, {place}:\n{place.excerpt()}")
