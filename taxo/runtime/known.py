"""What a program knows besides its passes: what was given, how far the run is, what it made once."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar, Unpack, cast

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from taxo.language.errors import fail
from taxo.ops.carry import Carry
from taxo.ops.draws import Draws
from taxo.ops.forms import beside, distribution, real_type
from taxo.ops.heads import with_cosine_head
from taxo.ops.ranks import rank, world
from taxo.ops.tables import Table
from taxo.runtime.auxiliary import Auxiliary
from taxo.runtime.clock import Clock
from taxo.runtime.following import Following, Goal, Pending, Update
from taxo.runtime.given import Given
from taxo.runtime.hooks import Change, Norm
from taxo.runtime.line import Line
from taxo.runtime.places import Places
from taxo.runtime.sharded import SECOND_NORMS, check_wrapping


class Known(Clock):
    """The values that a program's text reads by `self`."""

    carried_view: ClassVar[int] = 1
    carry: Carry

    def __init__(self, model: nn.Module, **given: Unpack[Given]) -> None:
        classes, teacher = given["classes"], given.get("teacher")
        joined = isinstance(model, DistributedDataParallel)
        super().__init__(
            model,
            classes=classes,
            seed=given.get("seed", 0),
            head=given.get("head"),
            torch_compile=given.get("torch_compile"),
        )
        self.samples = given.get("samples")
        self.views: tuple[Tensor, ...] = ()
        self._joined = joined
        self.corruption = given.get("corruption")
        if teacher is not None:
            self.teaching = (teacher.eval(), Places(teacher, classes))
        self._numbers = {"class_count": given.get("class_counts"), "prior": given.get("prior")}
        self._constants: dict[tuple[str, torch.dtype, torch.device], Tensor] = {}
        self._done: dict[str, object] = {}
        self._own: Draws | None = None
        self._taken: int | None = None
        self._following: dict[str, Following] = {}
        self._moved: list[Pending] = []
        self.register_state_dict_pre_hook(_settle)

    def carried(self, x: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        """The weighted losses of the branches on the previous batch."""
        del x, index
        return torch.zeros(len(y))

    def soft(self, y: Tensor, like: Tensor) -> Tensor:
        """The labels as distributions."""
        return distribution(y, self.outputs, like)

    def full(self, value: float | Tensor, rows: int, like: Tensor) -> Tensor:
        """One value, once for each row."""
        return self.number(value, like).expand(rows)

    def weighed(self, name: str, losses: Tensor, weight: Tensor) -> Tensor:
        """The losses of a branch times its weight, which is to be finite."""
        if not self.quiet:
            self.guard.watch(name, weight, "weighing")
        return weight * losses

    def penalty(self, value: float | Tensor) -> float | Tensor:
        """What the base objective adds to the loss: it is to be finite."""
        if isinstance(value, Tensor) and not self.quiet:
            self.guard.watch("", value, "weighing")
        return value

    def layers(self, pattern: str) -> list[str]:
        """The names of the modules that match; no name stands for the input."""
        return ["", *self.places.find(pattern)]

    @property
    def anchor(self) -> Tensor:
        """A parameter of the model, whose type and device what is kept takes."""
        return next(self.model.parameters(), torch.empty(0))

    def take_outputs(self, count: int) -> None:
        """Expect another number of logits than there are classes."""
        self.outputs = self.places.classes = int(count)
        if self.outputs < self.classes:
            fail("T405", f"{self.outputs} outputs for {self.classes} classes", None, "ask for more outputs")

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

    def __getstate__(self) -> dict[str, object]:
        """What copies and pickles take: nothing that is still to move, since it knows this step's tables."""
        self.settle()
        return {**self.__dict__, "views": (), "_done": {}, "_following": {}, "telling": None}

    def forget(self) -> None:
        """Leave what was to move where it is: another state has been loaded."""
        self._following.clear()
        self._moved.clear()

    def settle(self) -> None:
        """Move the unknowns whose slope has come."""
        for following in self._moved:
            following.apply()
        self._moved.clear()

    def waits(self) -> bool:
        """Whether anything is still to move."""
        return bool(self._moved)

    def moves_later(self, pending: Pending) -> None:
        """Have something moved when the next step begins, or when this one is saved."""
        self._moved.append(pending)

    def with_carried(self, losses: Tensor, y: Tensor, index: Tensor | None) -> Tensor:
        """The losses with those of the branches on the previous batch, which is this one from now on."""
        carried, done, views = self.carry.get(), self._done, self.views
        if carried is not None and not self.quiet:
            old, y_old, index_old = carried
            self._done, self.views = {}, (old,) if isinstance(old, Tensor) else old
            x = self.views[min(self.carried_view, len(self.views) - 1)]
            losses = beside(losses, self.carried(x, y_old, index_old))
            self._done, self.views = done, views
        if self.training:
            self.carry.put(views, y, index)
        return losses

    @property
    def noise(self) -> Draws:
        """The random numbers of samples, which no two processes share; those of a batch are `draws`."""
        return self.draws if self._own is None else self._own

    def draw_apart(self) -> None:
        """Begin a step: among several processes each draws its samples' numbers from a seed of its own.

        They follow from the number of the step, so a resumed run draws them again.
        """
        if world() == 1:
            self._own = None
            return
        if self._taken is None:
            self._taken = int(self.steps)
        self._own = Draws((self.draws.seed * 1_000_003 + self._taken) * 65_537 + rank() + 1)
        self._taken += 1

    def entered(self, x: Tensor, y: Tensor, *changes: Change) -> Line:
        """A pass that has come no further than the model's input, after changes of that."""
        line = Line(self, x, y)
        with self.at(line):
            for change in changes:
                line.x = change(line.x).to(x.dtype)
        return line

    def learning(self, name: str) -> bool:
        """Whether a state takes this batch in now: once a step, in training, and in no search."""
        if not self.training or self.quiet or name in self._done:
            return False
        self._done[name] = True
        return True

    def once(self, name: str, make: Callable[[Tensor], Tensor], like: Tensor) -> Tensor:
        """A value that is made when first asked for, once for each shape, and stays for the step."""
        key = f"{name} {tuple(like.shape)}"
        if key not in self._done:
            self._done[key] = make(like)
        return cast(Tensor, self._done[key])

    def view(self, number: int) -> Tensor:
        """One of the views of the batch."""
        return self.views[number]

    def corrupted(self, x: Tensor, name: str, severity: int) -> Tensor:
        """The corrupted input."""
        assert self.corruption is not None
        return self.corruption(x, name, severity)

    def class_count(self, like: Tensor) -> Tensor:
        """How many samples each class has."""
        return self._constant("class_count", like, lambda counts: counts)

    def class_prior(self, like: Tensor) -> Tensor:
        """Each class's share of the data set."""
        return self._constant("class_count", like, lambda counts: counts / counts.sum(), "class_prior")

    def prior(self, like: Tensor) -> Tensor:
        """The numbers per class that were given from outside."""
        return self._constant("prior", like, lambda numbers: numbers)

    def _constant(
        self, source: str, like: Tensor, make: Callable[[Tensor], Tensor], name: str = ""
    ) -> Tensor:
        key = (name or source, like.dtype, like.device)
        if key not in self._constants:
            numbers = torch.as_tensor(self._numbers[source]).double()
            self._constants[key] = make(numbers).to(like.device, real_type(like))
        return self._constants[key]

    def take_cosine_head(self, scale: float) -> None:
        """Let the model's logits be scaled cosines from now on."""
        if self._joined:
            hint = "make the step of the model itself, and wrap the step: `DistributedDataParallel(step)`"
            fail("T401", "the model is wrapped already, and its head is to be exchanged", None, hint)
        check_wrapping(self.model, "its head is to be exchanged")
        self.shards.refuse_any(
            "its head is to be exchanged", "make the step first, then `fully_shard(step.model)`"
        )
        self.places.put_head(with_cosine_head(self.model, self.places.head, scale))

    def take_second_norms(self) -> None:
        """Make the second norms of a branch that has its own."""
        if any(isinstance(module, Norm) for module in self.model.modules()):
            self.shards.refuse_any(*SECOND_NORMS)
        self.auxiliary = Auxiliary(self.model)


def _settle(module: nn.Module, prefix: str, keep: bool) -> None:
    """What a saved step has still to do is done first."""
    del prefix, keep
    cast(Known, module).settle()
