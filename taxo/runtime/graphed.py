"""A step as CUDA graphs: recorded once, and replayed by one word of the host for all batches alike."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable

from taxo.catalog import whole
from taxo.compiler import lower, simplify
from taxo.compiler.changing import changing
from taxo.language.errors import fail
from taxo.language.source import Span
from taxo.ops.asked import narrowed
from taxo.ops.ranks import world
from taxo.runtime.augmenting import Augment, Inputs
from taxo.runtime.cuda_graphs import CudaGraphs, Recorder
from taxo.runtime.masks import CPU, states
from taxo.runtime.recorded import Given, Recorded, record, tensors
from taxo.runtime.standing import Standing
from taxo.runtime.step import Step
from taxo.runtime.told import Said, Telling

BEFORE = 3  # steps that are not recorded: libraries choose kernels then, and tables get their room
MOST = 8  # recordings that are kept: each holds memory of its own


class Kind:
    """Batches of one shape, while the host decides alike."""

    def __init__(self, device: torch.device) -> None:
        self.telling = Telling(device)
        self.left = BEFORE
        self.draws = False
        self.recorded: Recorded | None = None


class Graphed(nn.Module):
    """A step that is called like it, and that a GPU replays from CUDA graphs.

    The first batches of each shape, and of each regime of a method that changes with the time, are computed
    as ever. What is recorded then is the forward pass with all its searches, and the backward pass;
    optimizer, clipping and scaling stay the user's. `deltas` and slopes hold until the next call.
    """

    def __init__(self, step: Step, recorder: Recorder | None = None) -> None:
        super().__init__()
        _check(step, recorder is not None)
        self.step = step
        device = step.anchor.device
        self._given, self._recorder = recorder, recorder or CudaGraphs(device)
        # what the loss seems to depend on: the slopes of the weights are brought by hand
        self._anchor = torch.zeros((), device=device, requires_grad=True)
        self._kinds: dict[object, Kind] = {}
        self._standing: Standing | None = None
        self._calls = 0

    def __reduce_ex__(self, protocol: object) -> tuple[object, ...]:
        """Copies and pickles record anew, on memory of their own."""
        del protocol
        return Graphed, (self.step, self._given)

    def forward(
        self, x: Inputs, y: Tensor, index: Tensor | None = None, augment: Augment | None = None
    ) -> Tensor:
        """The mean loss of a batch, as the step gives it."""
        if not (self.step.training and torch.is_grad_enabled()):
            return self.step(x, y, index, augment)
        if augment is not None:
            _refuse(self.step, "the host augments the batch behind what acts at `raw`")
        recordings = self._recordings()
        for recorded in recordings:
            recorded.release()
        if not self._stands():
            self._kinds, self._standing = {}, None
        given: Given = (x if isinstance(x, Tensor) else tuple(x), y, index)
        kind = self._kinds.setdefault(self._key(given), Kind(self.step.anchor.device))
        if kind.recorded is None:
            if kind.left > 0 or len(recordings) >= MOST:
                return self._listened(kind, given)
            self._record(kind, given)
        return self._replayed(kind, given)

    def _recordings(self) -> list[Recorded]:
        return [kind.recorded for kind in self._kinds.values() if kind.recorded is not None]

    def _stands(self) -> bool:
        """Whether what has been recorded can be replayed: nothing it knows was put elsewhere."""
        used = self.step.draws.ready()
        same = all(recorded.generator is used for recorded in self._recordings())
        return same and (self._standing is None or self._standing.holds())

    def _key(self, given: Given) -> object:
        """What tells kinds of batches apart."""
        forms = [(one.shape, one.dtype, one.device) for one in tensors(given)]
        kind = self.step.anchor.device.type
        return self.step.regime(), isinstance(given[0], Tensor), *forms, narrowed(kind)

    def _listened(self, kind: Kind, given: Given) -> Tensor:
        """A step as ever, from which it shows what the host says and what the model draws."""
        kind.telling.listen()
        self.step.repeats, before = False, states(self.step.model)
        loss = self._told(kind, given)
        after = states(self.step.model)
        moved = {device for device, state in after.items() if not torch.equal(state, before[device])}
        if moved and self.step.repeats:
            _refuse(self.step, "its model draws random numbers, and one pass draws those of another again")
        if CPU in moved and self.step.anchor.device != CPU:
            _refuse(self.step, "its model draws random numbers on the host")
        kind.draws = bool(moved)
        kind.left -= loss.requires_grad
        return loss

    def _told(self, kind: Kind, given: Given) -> Tensor:
        try:
            self.step.settle()
            self.step.telling = kind.telling
            with self._recorder.beside():
                return self.step(*given)
        finally:
            self.step.telling = None

    def _record(self, kind: Kind, given: Given) -> None:
        step = self.step
        step.settle()
        standing = Standing([*step.modules(), *step.others()])
        step.telling, step.still = kind.telling, not kind.draws
        kind.telling.repeat()
        try:
            kind.recorded = record(step, self._recorder, given, _plain(step.anchor.device))
        finally:
            step.telling, step.still = None, False
        if not standing.holds():
            _refuse(step, "it made room for what it keeps while it was recorded")
        self._standing = standing

    def _replayed(self, kind: Kind, given: Given) -> Tensor:
        step, recorded = self.step, kind.recorded
        assert recorded is not None
        step.settle()
        said: list[Said] = kind.telling.fetch()
        if not kind.telling.fits(said):
            kind.telling.repeat(said)
            return self._told(kind, given)
        kind.telling.put(said)
        recorded.put(given)
        recorded.forward()
        step.take_replayed(recorded.losses.clone(), dict(recorded.deltas))
        self._calls += 1
        recorded.due = self._calls
        return cast(Tensor, _Replayed.apply(self._anchor, recorded, self._calls))


class _Replayed(torch.autograd.Function):
    """The loss of a replayed step, whose backward pass is replayed too."""

    @staticmethod
    def forward(ctx: FunctionCtx, anchor: Tensor, recorded: Recorded, number: int) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The loss."""
        del anchor
        ctx.replayed = recorded, number  # pyright: ignore[reportAttributeAccessIssue]
        return recorded.loss.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, slope: Tensor) -> tuple[None, None, None]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Bring the slopes of the weights."""
        recorded, number = cast("tuple[Recorded, int]", ctx.replayed)  # pyright: ignore[reportAttributeAccessIssue]
        recorded.bring(slope, number)
        return None, None, None


def _check(step: Step, elsewhere: bool) -> None:
    """Refuse what cannot be recorded, as far as it shows beforehand."""
    for what, span in changing(lower(simplify(whole(step.method)))):
        _refuse(step, what, span)
    for what in _outside(step):
        _refuse(step, what)
    step.shards.refuse_any("a step is recorded", "leave the model whole")
    device = step.anchor.device
    if device.type != "cuda" and not elsewhere:
        hint = "call the step itself, or move it first: `step.to('cuda')`"
        fail("T505", f"a step on `{device}` has no CUDA graph", None, hint)


def _outside(step: Step) -> Iterator[str]:
    if world() > 1:
        yield "several processes share its gradients"
    if step.front.compiled:
        yield "its model is compiled by `torch.compile`"
    if any(getattr(weight, "_post_accumulate_grad_hooks", None) for weight in step.parameters()):
        yield "its weights have hooks that wait for their gradients"


def _refuse(step: Step, what: str, span: Span | None = None) -> None:
    fail("T415", f"no CUDA graph holds a step of `{step.method.name}`: {what}", span, "call the step itself")


def _plain(device: torch.device) -> AbstractContextManager[object]:
    """Backward passes, which no autocast reaches."""
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)
