"""The model as attacks see it: norms with frozen statistics folded into the layers before them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node, Tracer

from taxo.runtime.sharded import is_sharded

Layer = nn.Conv1d | nn.Conv2d | nn.Conv3d
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d
# what a model may ask of a tensor that depends on how it lies in memory
LAYOUT = {"as_strided", "data_ptr", "is_contiguous", "storage_offset", "stride", "view", "view_as"}
# by exact type: a subclass, or what torch makes of a layer with a parametrisation, may do more
FOLDS: dict[type[nn.Module], type[nn.Module]] = {
    nn.Conv1d: nn.BatchNorm1d,
    nn.Conv2d: nn.BatchNorm2d,
    nn.Conv3d: nn.BatchNorm3d,
}
DEEP = 4  # folded layers from which another layout is worth its change at both ends of the model
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@dataclass(frozen=True, slots=True)
class _Pair:
    """A layer whose output goes into a norm and nowhere else."""

    layer: Layer
    norm: Norm
    any_layout: bool

    def ready(self) -> bool:
        """Whether nobody looks in between or does the work, and the norm is one map for all batches."""
        free = not any(getattr(part, name) for part in (self.layer, self.norm) for name in _HOOKS)
        own = "forward" in vars(self.layer) or "forward" in vars(self.norm)
        free = free and not is_sharded(self.layer.weight)  # whole only while the layer is at work
        return free and not own and not self.norm.training and self.norm.running_mean is not None

    def fold(self, live: bool) -> None:
        """Let the layer do the work of both, with the weights of now, or `live` with those of each pass."""
        with torch.no_grad():
            fixed = None if live else self._folded()

        def forward(x: Tensor) -> Tensor:
            weight, shift = self._folded() if fixed is None else fixed
            return self.layer._conv_forward(x, weight, shift)  # pyright: ignore[reportPrivateUsage, reportArgumentType]

        # in the instances, so that the model's modules and their names stay
        vars(self.layer)["forward"], vars(self.norm)["forward"] = forward, _unchanged

    def unfold(self) -> None:
        """Let both work again."""
        del vars(self.layer)["forward"], vars(self.norm)["forward"]

    def _folded(self) -> tuple[Tensor, Tensor]:
        mean, variance = cast(Tensor, self.norm.running_mean), cast(Tensor, self.norm.running_var)
        factor = (variance + self.norm.eps).rsqrt()
        shift = -mean * factor
        if self.norm.affine:
            factor, shift = factor * self.norm.weight, shift * self.norm.weight + self.norm.bias
        if self.layer.bias is not None:
            shift = shift + self.layer.bias * factor
        weight = self.layer.weight * factor.reshape(-1, *[1] * (self.layer.weight.dim() - 1))
        own = self.layer.weight.dtype
        return self._laid_out(weight.to(own)), shift.to(own)

    def _laid_out(self, weight: Tensor) -> Tensor:
        """The weight as its device's convolutions are fastest; what follows takes its layout from there."""
        quicker = weight.dim() == 4 and weight.device.type == "cpu" and weight.dtype != torch.float64
        if not (quicker and self.any_layout):
            return weight
        return weight.contiguous(memory_format=torch.channels_last)


def _unchanged(x: Tensor) -> Tensor:
    return x


class AttackMode:
    """Runs a model for attacks on its inputs: to the same values, faster.

    In `live` passes the weights are folded anew each time, so that slopes reach them. Only layers whose way
    is the same for every input are folded: those of models that torch can trace. A module with a hook is left
    as it is.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        self._found: dict[tuple[tuple[nn.Module, bool], ...], list[_Pair]] = {}
        self._is_open = self._live = False
        self._spared: set[nn.Module] | None = None
        self._folded: list[_Pair] = []

    @contextmanager
    def open(self, live: bool = False) -> Generator[None]:
        """Passes that may be folded; the model is as it was afterwards."""
        before = self._is_open, self._live
        self._is_open, self._live = True, live
        try:
            yield
        finally:
            self._is_open, self._live = before
            if not self._is_open:
                self.unfold()

    def fold(self, spared: Collection[nn.Module] = ()) -> None:
        """Fold for the passes to come, if that is open, all but the modules that somebody will look at."""
        if not self._is_open or self._spared == set(spared):
            return
        self.unfold()
        self._spared = set(spared)
        for pair in self._pairs():
            if pair.ready() and not self._spared & {pair.layer, pair.norm}:
                pair.fold(self._live)
                self._folded.append(pair)

    def unfold(self) -> None:
        """Give the model back as it was, to be folded again when it is asked for."""
        self._spared = None
        while self._folded:
            self._folded.pop().unfold()

    def _pairs(self) -> list[_Pair]:
        """The pairs of the model as it is made up now: norms may have been exchanged."""
        key = tuple((module, module.training) for module in self.model.modules())
        if key not in self._found:
            self._found[key] = _pairs(self.model)
        return self._found[key]


def _pairs(model: nn.Module) -> list[_Pair]:
    try:
        with torch.random.fork_rng(devices=[]):
            graph = Tracer().trace(_skeleton(model))
    except Exception:  # whatever a model does that cannot be traced, it can still be run
        return []
    named = cast("Iterator[tuple[str, nn.Module]]", model.named_modules(remove_duplicate=False))
    modules = dict(named)
    calls = Counter(id(modules[str(node.target)]) for node in graph.nodes if node.op == "call_module")
    followers = [(modules[first], modules[second]) for first, second in _followers(graph)]
    folding = [
        (layer, norm)
        for layer, norm in followers
        if FOLDS.get(type(layer)) is type(norm) and calls[id(layer)] == calls[id(norm)] == 1
    ]
    asked = any(node.op == "call_method" and node.target in LAYOUT for node in graph.nodes)
    any_layout = len(folding) >= DEEP and not asked
    return [_Pair(cast(Layer, layer), cast(Norm, norm), any_layout) for layer, norm in folding]


def _skeleton(model: nn.Module) -> nn.Module:
    """A copy to be traced, without numbers and hooks: a forward may note what it sees."""
    tensors = [*model.parameters(), *model.buffers()]
    copy = deepcopy(model, {id(one): one.detach().to("meta") for one in tensors})
    for module in copy.modules():
        for name in _HOOKS:
            getattr(module, name).clear()
    return copy


def _followers(graph: Graph) -> Iterator[tuple[str, str]]:
    """The names of the modules whose result one other module reads and nothing else does."""
    for node in graph.nodes:
        users: list[Node] = list(node.users)
        if node.op == "call_module" and len(users) == 1 and users[0].op == "call_module":
            yield str(node.target), str(users[0].target)
