"""Looking ahead: passes at weights that the model does not have, and held-out batches."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import ClassVar, TypedDict, Unpack, cast

import torch
from torch import Tensor, nn

from taxo.ops.lookahead import Losses
from taxo.ops.objectives import smoothed
from taxo.runtime.checks import check_labels
from taxo.runtime.given import Given
from taxo.runtime.held import HeldOut
from taxo.runtime.hooks import Change, Pair, Triple
from taxo.runtime.line import Line
from taxo.runtime.masks import States, drawing_again, states
from taxo.runtime.stage import Inner, WeightChange, Weights
from taxo.runtime.teaching import Teaching

SECOND = "second norm "  # no name of a parameter has a space


class Hooks(TypedDict, total=False):
    """The hooks of a pass."""

    weights: Sequence[WeightChange]
    features: Sequence[Change]
    inner: Inner | None
    logits: Sequence[Change]
    predictions: Sequence[Triple]
    labels: Sequence[Pair]
    loss: Sequence[Triple]


class Ahead(Teaching):
    """What a program needs that takes virtual steps of the weights."""

    compares: ClassVar[bool] = True
    held: HeldOut

    def __init__(self, model: nn.Module, **given: Unpack[Given]) -> None:
        super().__init__(model, **given)
        self._validation = given.get("validation")
        self._standing: Weights | None = None

    def take_validation(self) -> None:
        """Expect held-out batches."""
        assert self._validation is not None
        self.held = HeldOut(self._validation)

    def learns(self) -> bool:
        """Whether this pass is one that something may be learned from: in training, and with gradients.

        T411 where it would be, of weights that are shared out.
        """
        found = self.training and not self.quiet and torch.is_grad_enabled()
        if found:
            hint = "leave the model whole, and wrap the step by DDP"
            self.shards.refuse_any("weights are looked ahead of", hint)
        return found

    def held_out(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The next held-out batch, beside the one that is trained on."""
        inputs, y = cast("tuple[Tensor, Tensor]", self.told(lambda: self.held.take(x)))
        return inputs, check_labels(inputs, y, self.classes, self.compares)

    @contextmanager
    def looking_ahead(self, second: bool = True) -> Generator[None]:
        """Passes that change nothing: norms with the statistics of their batch, nothing noted.

        How the weights depend on something is a second derivative, so that the objective bends smoothly.
        """
        before, self.quiet = self.quiet, True
        objective, self.objective = self.objective, smoothed(self.objective)
        try:
            with self.normed("batch"), self.front.twice() if second else nullcontext():
                yield
        finally:
            self.quiet, self.objective = before, objective

    def through(self, x: Tensor, second: bool = True, **hooks: Unpack[Hooks]) -> Line | None:
        """A training pass up to the logits, which virtual steps share; none where nothing is learned."""
        if not self.learns():
            return None
        if not self.still:
            self._done.setdefault("masks", states(self.model))  # once for all lines of a step
        with self.front.twice() if second else nullcontext():
            return super().line(x, None, **hooks)

    def line(self, x: Tensor, y: Tensor | None, *, of: Line | None = None, **hooks: Unpack[Hooks]) -> Line:
        """One pass from input to loss; from the logits of another on, where the weights are the model's."""
        if of is None or not self._at_home():
            return super().line(x, y, **hooks)
        line, u = Line(self, of.x, y, of.h, {**of.inside(), "raw": of.u}, {**of.kept}), of.u
        with self.at(line):
            for change in hooks.get("logits", ()):
                u = change(u)
        labels, loss = hooks.get("labels", ()), hooks.get("loss", ())
        return self.finish(line, u, predictions=hooks.get("predictions", ()), labels=labels, loss=loss)

    def _at_home(self) -> bool:
        """Whether the weights that stand are the model's own."""
        own, there = super().weights(), self._standing or {}
        second = self.auxiliary is None or self.auxiliary.is_at_home()
        return second and all(weight is own[name] for name, weight in there.items())

    def standing_at(self, run: Callable[[], Tensor]) -> Losses:
        """Some losses as a function of the weights; dropout masks are those of the training pass."""

        def losses(weights: Weights) -> Tensor:
            second = {name.removeprefix(SECOND): one for name, one in weights.items() if SECOND in name}
            norms = nullcontext() if self.auxiliary is None else self.auxiliary.at(second)
            first = {name: one for name, one in weights.items() if SECOND not in name}
            before, self._standing = self._standing, first
            try:
                with norms, self._masks():
                    return run()
            finally:
                self._standing = before

        return losses

    def _masks(self) -> AbstractContextManager[None]:
        """Passes with the dropout masks of the training pass."""
        if self.still:
            return nullcontext()
        self.repeats = True
        return drawing_again(self.model, cast("States | None", self._done.get("masks")))

    def weights_and_norms(self) -> Weights:
        """The trainable parameters, those of second norms among them."""
        second = {} if self.auxiliary is None else self.auxiliary.weights()
        return self.weights() | {f"{SECOND}{name}": weight for name, weight in second.items()}

    def weights_of_head(self) -> Weights:
        """The trainable parameters of the head."""
        own = {id(weight) for weight in self.places.head.parameters()}
        return {name: weight for name, weight in self.weights().items() if id(weight) in own}

    def weights(self, pattern: str = "*") -> Weights:
        """The trainable parameters whose name matches; where a virtual step stands, as they are there."""
        own = super().weights(pattern)
        there = self._standing
        return own if there is None else {name: there.get(name, weight) for name, weight in own.items()}

    def _replaced(self, changes: Sequence[WeightChange]) -> Weights:
        replaced = super()._replaced(changes)
        return replaced if self._standing is None else self._standing | replaced
