"""One step on fixed memory, and how it is recorded."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from taxo.language.errors import TaxoError, fail
from taxo.runtime.cuda_graphs import Recorder
from taxo.runtime.meters import Delta
from taxo.runtime.step import Step

Replay = Callable[[], None]
Given = tuple[Tensor | tuple[Tensor, ...], Tensor, Tensor | None]


def tensors(given: Given) -> Iterator[Tensor]:
    """The tensors of a batch."""
    x, *rest = given
    yield from (x,) if isinstance(x, Tensor) else x
    yield from (one for one in rest if one is not None)


@dataclass(eq=False)
class Recorded:
    """A step on fixed memory: what it is given, how it is replayed, and where its results then are."""

    step: Step
    given: Given
    slope: Tensor
    generator: torch.Generator | None
    forward: Replay
    backward: Replay
    after: Replay | None
    loss: Tensor
    losses: Tensor
    deltas: dict[str, Delta]
    weights: list[Tensor]
    slopes: list[Tensor]
    due: int | None = None

    def put(self, given: Given) -> None:
        """Write a batch where the step looks for it."""
        for source, target in zip(tensors(given), tensors(self.given), strict=True):
            target.copy_(source)

    @torch.no_grad()
    def release(self) -> None:
        """Give the weights slopes of their own, where they still have those of the last replay."""
        for weight, slope in zip(self.weights, self.slopes, strict=True):
            if weight.grad is slope:
                weight.grad = slope.clone()

    @torch.no_grad()
    def bring(self, slope: Tensor, number: int) -> None:
        """Add the slopes of the weights, as a backward pass does."""
        if self.due != number:
            hint = "call `loss.backward()` once, before the next batch"
            fail("T415", "a replayed step was called again before this backward pass", None, hint)
        self.due = None
        self.slope.copy_(slope)
        self.backward()
        for weight, found in zip(self.weights, self.slopes, strict=True):
            if weight.grad is None:
                weight.grad = found
            else:
                weight.grad += found
        if self.after is not None:
            self.step.moves_later(self)

    def apply(self) -> None:
        """Move what the backward pass has brought the slope of."""
        assert self.after is not None
        self.after()


def record(step: Step, recorder: Recorder, given: Given, plain: AbstractContextManager[object]) -> Recorded:
    """Record a step on copies of a batch; nothing is computed, and nothing of the step moves."""
    fixed, generator = _copied(given), step.draws.ready()
    weights = [weight for weight in step.parameters() if weight.requires_grad]
    loss = slope = torch.ones((), device=step.anchor.device, dtype=step.anchor.dtype)

    def forward() -> None:
        nonlocal loss
        loss = step(*fixed)

    def backward() -> None:
        with plain:
            loss.backward(slope.to(loss.dtype))

    generators = [] if generator is None else [generator]
    with _untouched(step, weights), _refused(step):
        there = recorder.record(forward, generators)
        back = recorder.record(backward, generators)
        after = recorder.record(step.settle, generators) if step.waits() else None
        found = [(weight, weight.grad) for weight in weights if weight.grad is not None]
    return Recorded(
        step,
        fixed,
        slope,
        generator,
        there,
        back,
        after,
        loss.detach(),
        step.losses,
        step.deltas,
        [weight for weight, _ in found],
        [grad for _, grad in found],
    )


def _copied(given: Given) -> Given:
    x, y, index = given
    views = x.detach().clone() if isinstance(x, Tensor) else tuple(view.detach().clone() for view in x)
    return views, y.clone(), None if index is None else index.clone()


@contextmanager
def _untouched(step: Step, weights: Sequence[Tensor]) -> Generator[None]:
    """Slopes and time as they were; weights that autocast narrowed before are not those of a later batch."""
    now, before = step.now, [weight.grad for weight in weights]
    taken = now.step
    for weight in weights:
        weight.grad = None
    torch.clear_autocast_cache()
    try:
        yield
    finally:
        torch.clear_autocast_cache()
        now.step = taken
        for weight, grad in zip(weights, before, strict=True):
            weight.grad = grad


@contextmanager
def _refused(step: Step) -> Generator[None]:
    """Say of what goes wrong here that it did while a step was recorded."""
    try:
        yield
    except TaxoError:
        raise
    except Exception as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        message = f"no CUDA graph holds a step of `{step.method.name}`: {said}"
        fail("T415", message, None, "call the step itself")
