"""The model as attacks see it: norms with frozen statistics folded into the layers before them."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Collection, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.fx import Graph, Node, Tracer

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


@dataclass(frozen=True, slots=True)
class _Pair:
    """A layer whose output goes into a norm and nowhere else, and the layer that does the work of both."""

    layer: Layer
    norm: Norm
    places: tuple[tuple[nn.Module, str], tuple[nn.Module, str]]
    folded: Layer
    any_layout: bool

    @property
    def ready(self) -> bool:
        """Whether nobody looks in between, and the norm is one map for all batches."""
        hooks = [*self.layer._forward_hooks, *self.norm._forward_pre_hooks, *self.norm._forward_hooks]  # pyright: ignore[reportPrivateUsage]
        hooks += [*self.layer._forward_pre_hooks]  # pyright: ignore[reportPrivateUsage]
        return not hooks and not self.norm.training and self.norm.running_mean is not None

    @torch.no_grad()
    def fold(self) -> None:
        """Take the weights as they are now."""
        mean, variance = cast(Tensor, self.norm.running_mean), cast(Tensor, self.norm.running_var)
        factor = (variance + self.norm.eps).rsqrt()
        shift = -mean * factor
        if self.norm.affine:
            factor, shift = factor * self.norm.weight, shift * self.norm.weight + self.norm.bias
        if self.layer.bias is not None:
            shift = shift + self.layer.bias * factor
        weight = self.layer.weight * factor.reshape(-1, *[1] * (self.layer.weight.dim() - 1))
        own = self.layer.weight.dtype
        self.folded.weight = nn.Parameter(self._laid_out(weight.to(own)), requires_grad=False)
        self.folded.bias = nn.Parameter(shift.to(own), requires_grad=False)

    def _laid_out(self, weight: Tensor) -> Tensor:
        """The weight as its device's convolutions are fastest; what follows takes its layout from there."""
        quicker = weight.dim() == 4 and weight.device.type == "cpu" and weight.dtype != torch.float64
        if not (quicker and self.any_layout):
            return weight
        return weight.contiguous(memory_format=torch.channels_last)


class AttackMode:
    """Runs a model for attacks on its inputs: to the same values, faster.

    Only the layers whose way is the same for every input are folded: those of models that torch can trace.
    A module among `sites`, or with a hook, is left as it is.
    """

    def __init__(self, model: nn.Module, sites: Collection[nn.Module] = ()) -> None:
        self.model = cast(nn.Module, getattr(model, "_orig_mod", model))
        self.sites = sites
        self._pairs: dict[tuple[int, ...], list[_Pair]] = {}

    @contextmanager
    def __call__(self) -> Generator[None]:
        """The model in this mode, and as it was afterwards."""
        with ExitStack() as stack:
            for pair in self._found():
                if pair.ready:
                    pair.fold()
                    for (parent, name), module in zip(pair.places, (pair.folded, nn.Identity()), strict=True):
                        stack.callback(setattr, parent, name, getattr(parent, name))
                        setattr(parent, name, module)
            yield

    def _found(self) -> list[_Pair]:
        """The pairs of the model as it is made up now: norms may have been exchanged."""
        key = tuple(id(module) for module in self.model.modules())
        if key not in self._pairs:
            self._pairs[key] = [pair for pair in _pairs(self.model) if not self._touched(pair)]
        return self._pairs[key]

    def _touched(self, pair: _Pair) -> bool:
        return any(site is pair.layer or site is pair.norm for site in self.sites)


def _pairs(model: nn.Module) -> list[_Pair]:
    try:
        graph = Tracer().trace(model)
    except Exception:  # whatever a model does that cannot be traced, it can still be run
        return []
    named = cast("Iterator[tuple[str, nn.Module]]", model.named_modules(remove_duplicate=False))
    modules = dict(named)
    calls = Counter(id(modules[str(node.target)]) for node in graph.nodes if node.op == "call_module")
    any_layout = not any(node.op == "call_method" and node.target in LAYOUT for node in graph.nodes)
    found: list[_Pair] = []
    for first, second in _followers(graph):
        layer, norm = modules[first], modules[second]
        if FOLDS.get(type(layer)) is type(norm) and calls[id(layer)] == calls[id(norm)] == 1:
            places = (_place(model, first), _place(model, second))
            folded = cast(Layer, copy.deepcopy(layer).requires_grad_(False))
            found.append(_Pair(cast(Layer, layer), cast(Norm, norm), places, folded, any_layout))
    return found


def _followers(graph: Graph) -> Iterator[tuple[str, str]]:
    """The names of the modules whose result one other module reads and nothing else does."""
    for node in graph.nodes:
        users: list[Node] = list(node.users)
        if node.op == "call_module" and len(users) == 1 and users[0].op == "call_module":
            yield str(node.target), str(users[0].target)


def _place(model: nn.Module, name: str) -> tuple[nn.Module, str]:
    parent, _, last = name.rpartition(".")
    return model.get_submodule(parent), last
