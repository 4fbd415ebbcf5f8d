"""What a law is tried on: a method, a small model, and all that the method asks for."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor, nn

from taxo.catalog import whole
from taxo.compiler import lower
from taxo.language.constants import constant
from taxo.language.method import Method
from taxo.language.scope import Scope, acts_at
from taxo.language.syntax import Name
from taxo.language.vocabulary import SITES
from taxo.laws.pools import Reason, meets_points, simple
from taxo.laws.toys import CLASSES, CONV, COUNTS, MLP, READER, SAMPLES, Batch, Toy, augmented, seeded, viewed
from taxo.runtime.bind import compile_step
from taxo.runtime.given import Outside
from taxo.runtime.step import Step

BatchNorm = nn.modules.batchnorm._BatchNorm  # pyright: ignore[reportPrivateUsage]  # all of them
ROWS = 20
LR = 0.1
Maker = Callable[..., Step]
Given = dict[str, Any]  # as the keywords of `taxo.compile`


def unchanged(model: nn.Module) -> nn.Module:
    """The model as it is."""
    return model


@dataclass(frozen=True, slots=True)
class Subject:
    """A method on a toy: `make` compiles it, `rows` make a batch, and `change` is done to every model."""

    method: Method
    toy: Toy = CONV
    make: Maker = compile_step
    rows: int = ROWS
    real: torch.dtype = torch.float32
    change: Callable[[nn.Module], nn.Module] = unchanged

    def net(self, seed: int = 0) -> nn.Module:
        """A model; equal for equal seeds."""
        return self.change(self.toy.net(outputs(self.method), seed).to(self.real))

    def step(self, model: nn.Module | None = None, method: Method | None = None, seed: int = 5) -> Step:
        """A step on a new model, or on one that is given."""
        model, method = model or self.net(), method or self.method
        return attached(self.make(method, model, **self.given(seed)))

    def given(self, seed: int = 5) -> Given:
        """What the method is given beside the model."""
        found = given_for(self.method, self.toy, seed)
        return {name: one.to(self.real) if _is_real(one) else one for name, one in found.items()}

    def batch(self, number: int) -> Batch:
        """A batch; another one for every number."""
        x, y, index = self.toy.batch(self.rows, number)
        x = x.to(self.real) if x.is_floating_point() else x
        y, count = labels(self.method, y, self.real, outputs(self.method)), views(self.method)
        if acts_on_raw(self.method):
            return x, y, index, partial(augmented, views=count)
        return viewed(x, count), y, index


def attached(step: Step) -> Step:
    """A step that knows the learning rate."""
    step.attach(torch.optim.SGD(step.model.parameters(), lr=LR))
    return step


def _is_real(one: object) -> bool:
    return isinstance(one, nn.Module) or (isinstance(one, Tensor) and one.is_floating_point())


def toys_for(method: Method) -> tuple[Toy, ...]:
    """The toys that a method can be tried on: images, but for one that perturbs what words become."""
    acts = lower(simple(method)).acts()
    words = any(isinstance(act.item.at, Name) and act.item.at.text == "embedding" for act in acts)
    return (READER,) if words else (MLP, CONV)


def outputs(method: Method, classes: int = CLASSES) -> int:
    """The width that a method asks of the model's output."""
    return asked(method, "outputs", classes, classes)


def views(method: Method) -> int:
    """How many views of a batch a method asks for."""
    return asked(method, "views", 1)


def acts_on_raw(method: Method) -> bool:
    """Whether a method perturbs batches before their augmentation."""
    return any(acts_at(item) is SITES["raw"] for item in whole(method).perturbations())


def labels(method: Method, y: Tensor, real: torch.dtype, classes: int = CLASSES) -> Tensor:
    """Classes as a method takes them: corners of a simplex where it aligns points with points."""
    return nn.functional.one_hot(y, classes).to(real) if meets_points(method) else y


def asked(method: Method, need: str, otherwise: int, classes: int = CLASSES) -> int:
    """The number that a method's `needs` gives for something."""
    method = whole(method)
    for call in method.needs:
        if call.name.text == need:
            count = constant(call.arguments[0].value, {**Scope(method).constants(), "C": classes})
            return otherwise if count is None else int(count)
    return otherwise


def given_for(method: Method, toy: Toy, seed: int = 5) -> Given:
    """What a method has to be given, as arguments of `taxo.compile`: one toy of each kind."""
    wanted: Given = {"classes": CLASSES, "samples": SAMPLES, "class_counts": COUNTS, "seed": seed}
    for call in whole(method).needs:
        make = NEEDED.get(call.name.text)
        if make is not None:
            wanted[call.name.text] = make(method, toy)
    # a version that does not take one of them says so itself, and better
    taken = {*inspect.signature(compile_step).parameters, *Outside.__annotations__}
    return {name: value for name, value in wanted.items() if name in taken}


def _teacher(method: Method, toy: Toy) -> nn.Module:
    return toy.net(outputs(method), 8)


def _validation(_: Method, toy: Toy) -> list[tuple[Tensor, Tensor]]:
    return [toy.batch(ROWS, number)[:2] for number in (31, 32)]


def _generator(_: Method, toy: Toy) -> nn.Module:
    return generator(toy.batch(1, 0)[0].shape[1:])


def generator(shape: torch.Size) -> nn.Module:
    """A module that makes images of noise; equal for equal shapes."""
    size = shape.numel()
    with seeded(9):
        return nn.Sequential(nn.Flatten(), nn.Linear(size, size), nn.Sigmoid(), nn.Unflatten(1, shape))


def _prior(_: Method, __: Toy) -> Tensor:
    counts = torch.tensor(COUNTS, dtype=torch.float32)
    return counts / counts.sum()


def _corruption(_: Method, __: Toy) -> Callable[[Tensor, str, int], Tensor]:
    return lambda x, _, severity: (x + 0.02 * severity).clamp(0, 1)


NEEDED: dict[str, Callable[[Method, Toy], object]] = {
    "teacher": _teacher,
    "validation": _validation,
    "generator": _generator,
    "prior": _prior,
    "corruption": _corruption,
}


def batch_norm(model: nn.Module) -> Reason | None:
    """Why a batch of a model is not the same as its parts, whatever the method."""
    for name, module in cast("Iterator[tuple[str, nn.Module]]", model.named_modules()):
        if isinstance(module, BatchNorm) and module.training:
            return Reason(f"the model's batch norm `{name}` normalises by the batch")
    return None
