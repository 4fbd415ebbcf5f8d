"""The stage: the passes that a program's text calls by `self`, with perturbations in place."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from taxo.ops.draws import Draws
from taxo.ops.forms import Top, filled, keep
from taxo.ops.objectives import CrossEntropy
from taxo.ops.sites import logits_of, weights_at
from taxo.runtime.around import noting, objective_hooks
from taxo.runtime.attack import AttackMode
from taxo.runtime.auxiliary import Auxiliary
from taxo.runtime.checks import check_width
from taxo.runtime.compiled import Front, Options
from taxo.runtime.guard import Guard
from taxo.runtime.hooks import Change, Hook, Pair, Triple, entering, hooked, leaving, norms
from taxo.runtime.line import Line, Present
from taxo.runtime.masks import same_masks
from taxo.runtime.meters import Delta
from taxo.runtime.noting import Noting
from taxo.runtime.places import Places
from taxo.runtime.sharded import Shards

Weights = dict[str, Tensor]
WeightChange = Callable[[Weights], Weights]
Inner = Mapping[str, Sequence[Change]]


class Stage(Noting):
    """A model, an objective, and the passes through them."""

    sees: ClassVar[tuple[str, ...]] = ()
    quiet = sought = False  # within passes that note nothing; within those of a search
    still = repeats = False  # the model draws nothing; a pass drew again what another drew

    def __init__(
        self,
        model: nn.Module,
        *,
        classes: int,
        seed: int = 0,
        head: nn.Module | None = None,
        torch_compile: Options | None = None,
    ) -> None:
        super().__init__()
        self.front = Front(model, torch_compile)
        self.model = self.front.model
        self.objective: nn.Module = CrossEntropy()
        self.classes = self.outputs = classes
        self.draws = Draws(seed)
        self.deltas: dict[str, Delta] = {}
        self.guard = Guard()
        self.attack = AttackMode(self.model)
        self.auxiliary: Auxiliary | None = None
        self.muted: set[str] = set()
        self.priced = True
        self.places = Places(self.model, classes, head)
        self.teaching: tuple[nn.Module, Places] | None = None  # in a tuple: not a part of this module
        self._lines: list[Line] = []
        self._found: dict[str, Weights] | None = None
        self.shards = Shards(self.front)

    # Passes

    def line(
        self,
        x: Tensor,
        y: Tensor | None,
        *,
        weights: Sequence[WeightChange] = (),
        features: Sequence[Change] = (),
        inner: Inner | None = None,
        logits: Sequence[Change] = (),
        predictions: Sequence[Triple] = (),
        labels: Sequence[Pair] = (),
        loss: Sequence[Triple] = (),
    ) -> Line:
        """One pass from input to loss with perturbations in place; without labels, to the logits."""
        line = Line(self, x, y)
        hooks = [*self._hooks(line, features, inner or {}, logits)]
        with self.at(line):
            replaced = self._replaced(weights)
        self._fold(hooks, replaced)
        with self.at(line), self.front.open(bool(self.sees), bool(inner)), hooked(hooks):
            output = self.shards.through(x, replaced, self.quiet)
        u = logits_of(output)
        check_width(u, len(x), self.outputs)
        line.seen.setdefault("raw", u)
        return self.finish(line, u, predictions=predictions, labels=labels, loss=loss)

    def head(
        self,
        u: Tensor,
        y: Tensor,
        *,
        predictions: Sequence[Triple] = (),
        labels: Sequence[Pair] = (),
        loss: Sequence[Triple] = (),
    ) -> Line:
        """The rest of the present pass from other logits on."""
        here = self.here
        line = Line(self, here.x, y, here.h, {**here.inside(), "raw": here.raw}, {**here.kept})
        return self.finish(line, u, predictions=predictions, labels=labels, loss=loss)

    def finish(
        self,
        line: Line,
        u: Tensor,
        *,
        predictions: Sequence[Triple] = (),
        labels: Sequence[Pair] = (),
        loss: Sequence[Triple] = (),
    ) -> Line:
        """Complete a pass from its logits on."""
        line.seen["u"] = u
        y = line.labels
        if y is None:
            return line
        with self.at(line), hooked(objective_hooks(line, self.objective, predictions, labels, loss)):
            line.seen["y"] = y
            line.seen["loss"] = self.objective(u, y)
        line.seen.setdefault("base", line.seen["loss"])
        return line

    def together(self, x: Tensor, y: Tensor, *batches: Mapping[str, Any]) -> list[Line]:
        """Several passes in one through the model, up to their logits; its norms see them all."""
        lines = [Line(self, x, y) for _ in batches]
        for line, batch in zip(lines, batches, strict=True):
            with self.at(line):
                for change in batch.get("features", ()):
                    line.x = change(line.x).to(x.dtype)
        changed = [batch.get("inner", {}) for batch in batches]
        hooks, replaced = [*self.places.together(lines, changed, self.sees, self.at)], self._replaced(())
        self._fold(hooks, replaced)
        changes = any(batch.get("inner") for batch in batches)
        with self.front.open(bool(self.sees), changes), hooked(hooks):
            u = logits_of(self.shards.through(torch.cat([line.x for line in lines]), replaced, self.quiet))
        check_width(u, len(x) * len(lines), self.outputs)
        for line, batch, part in zip(lines, batches, u.tensor_split(len(lines)), strict=True):
            line.seen["raw"] = part
            with self.at(line):
                for change in batch.get("logits", ()):
                    part = change(part)
            line.seen["u"] = part
        return lines

    def at(self, line: Line) -> AbstractContextManager[None]:
        """Computations that belong to a pass that is over."""
        return Present(self._lines, line)

    @property
    def here(self) -> Line:
        """The pass that a hook is called in."""
        return self._lines[-1]

    def taught(self, x: Tensor, live: bool = False) -> Line:
        """The teacher's pass on an input; gradients reach one that is sought, and all where it is `live`."""
        assert self.teaching is not None
        model, places = self.teaching
        line = Line(self, x, None)
        with (
            torch.set_grad_enabled(live or (self.quiet and x.requires_grad)),
            hooked(places.records(line, ("z",) if "teacher.z" in self.sees else ())),
        ):
            line.seen["u"] = logits_of(self.front.beside(model, x))
        if "teacher.z" not in self.sees:
            check_width(line.u, len(x), self.outputs, "teacher")
        return line

    # How passes are run

    @contextmanager
    def searching(self, norm: str, masks: bool = False) -> Generator[None]:
        """Passes of a search: norms in a mode, nothing noted; `masks` lets dropout repeat itself."""
        before, self.repeats = (self.quiet, self.sought), self.repeats or masks
        self.quiet = self.sought = True
        again = same_masks(self.model, masks and not self.still)
        # a search for weights needs their own slopes, and compiled code overlooks what is folded
        attack = nullcontext() if norm != "frozen" or masks or self.front.compiled else self.attack.open()
        try:
            with torch.enable_grad(), self.normed(norm), again, attack:
                yield
        finally:
            self.quiet, self.sought = before

    @contextmanager
    def apart(self, norm: str) -> Generator[None]:
        """Passes whose values are read and that no gradient goes through."""
        before, self.quiet = self.quiet, True
        try:
            with torch.no_grad(), self.normed(norm):
                yield
        finally:
            self.quiet = before

    @contextmanager
    def normed(self, norm: str) -> Generator[None]:
        """Passes with the norms in a mode: `frozen`, `batch`, `update` or `auxiliary`."""
        if norm == "update":
            yield
        elif norm == "auxiliary":
            assert self.auxiliary is not None
            with self.auxiliary.instead():
                yield
        else:
            with norms(self.model, norm):
                yield

    def _fold(self, hooks: Sequence[Hook], replaced: Mapping[str, Tensor] | None = None) -> None:
        """Make the model ready for a pass of an attack, unless the pass brings weights of its own."""
        if replaced:
            self.attack.unfold()
        else:
            self.attack.fold([hook.module for hook in hooks])

    # Where perturbations act

    def add(
        self,
        name: str,
        value: Tensor,
        delta: Tensor | float,
        where: Tensor | Top | bool = True,
        box: tuple[float, float] | None = None,
        simplex: bool = False,
    ) -> Tensor:
        """`v <- v + delta` where a sample is selected; noted for `deltas` and `meters`.

        The perturbed value is clipped to a `box`; one that is to stay on the `simplex` is looked at.
        """
        if name in self.muted:
            return value
        full = filled(delta, value)
        if box is not None:
            full = (value + full).clamp(*box) - value
        full = keep(where, full)
        if not self.quiet:
            self.deltas[name] = full.detach()
            self.guard.watch(name, full)
            if simplex:
                self.guard.simplex(name, value + full)
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
        if not self.quiet:
            self.deltas[name] = constant
            self.guard.watch(name, constant)
        return weights | {key: weights[key] + part for key, part in constant.items()}

    def weights(self, pattern: str = "*") -> Weights:
        """The trainable parameters whose name matches; a step looks for them once."""
        if self._found is None:
            return self.shards.whole(weights_at(self.model, pattern))
        if pattern not in self._found:
            self._found[pattern] = self.shards.whole(weights_at(self.model, pattern))
        return self._found[pattern]

    @property
    def W(self) -> Tensor:  # noqa: N802  # the letter of the papers
        """The head's weight."""
        return self.places.weight

    def _replaced(self, changes: Sequence[WeightChange]) -> Weights:
        """The parameters and buffers that take the place of the model's own in a pass."""
        replaced = self.auxiliary.present() if self.auxiliary is not None else {}
        if not changes:
            return replaced
        own = self.weights()
        weights = own | {name: part for name, part in replaced.items() if name in own}
        for change in changes:
            weights = weights | change(weights)
        return replaced | weights

    def _hooks(
        self, line: Line, features: Sequence[Change], inner: Inner, logits: Sequence[Change]
    ) -> Generator[Hook]:
        """The hooks of a pass: what changes values, and what notes them."""
        if features:
            noted = (one for change in features for one in (change, noting(line, "x")))
            yield Hook(self.front.module, entering(tuple(noted)))
        for site, changes in inner.items():
            yield from self.places.changing(line, site, changes)
        yield from self.places.records(line, self.sees)
        if logits:
            yield Hook(self.front.module, None, leaving((noting(line, "raw"), *logits)))
