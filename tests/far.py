"""A device that lies far away, played on the CPU: what asks it for a content is seen, and steps are recorded.

Its tensors say that they are on `meta`, so that nothing takes them for the host's; their content lies in
tensors of the CPU, so that every number is right.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from taxo.ops.draws import Draws

FAR, NEAR = torch.device("meta"), torch.device("cpu")
# what cannot go on before the content of a tensor is known
ASKING = {
    "aten::_local_scalar_dense",
    "aten::_unique2",
    "aten::bincount",
    "aten::equal",
    "aten::histc",
    "aten::is_nonzero",
    "aten::masked_select",
    "aten::nonzero",
    "aten::repeat_interleave",
    "aten::unique_consecutive",
    "aten::unique_dim",
}


class Waits(AssertionError):
    """The host would wait for the device, or the device for the host."""


class Far(Tensor):
    """A tensor of the far device."""

    near: Tensor
    __torch_function__ = torch._C._disabled_torch_function_impl  # pyright: ignore[reportAssignmentType]

    @staticmethod
    def __new__(cls, near: Tensor) -> Far:
        return Tensor._make_wrapper_subclass(
            cls,
            near.shape,
            strides=near.stride(),
            storage_offset=near.storage_offset(),
            dtype=near.dtype,
            device=FAR,
        )

    def __init__(self, near: Tensor) -> None:
        self.near = near

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        raise Waits(f"{func} runs where there is no far device")


class Device(TorchDispatchMode):
    """The far device: it computes, and notes what would have to wait for it while it is `watched`."""

    def __init__(self) -> None:
        super().__init__()
        self.watched = False
        self.tape: Tape | None = None

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        given = list(leaves((args, kwargs)))
        fars = [one for one in given if isinstance(one, Far)]
        nears = [one for one in given if isinstance(one, Tensor) and not isinstance(one, Far)]
        goes = kwargs.get("device") or (FAR if fars else NEAR)
        if not fars and goes.type != "meta":
            return func(*args, **kwargs)
        if self.watched or self.tape is not None:
            _refuse(func, args, fars, nears, goes)
        if "device" in kwargs:
            kwargs["device"] = NEAR
        near_args, near_kwargs = mapped(_near, (args, kwargs))
        if self.tape is not None:
            self.tape.keep([one.near for one in fars], near_args, near_kwargs)
        out = func(*near_args, **near_kwargs)
        if self.tape is not None:
            self.tape.note(func, near_args, near_kwargs, out)
        known = {id(one.near): one for one in fars}
        return mapped(lambda one: _wrapped(one, known, goes), out)

    @contextmanager
    def watching(self) -> Generator[None]:
        """Say where something waits, for the time of a block."""
        before, self.watched = self.watched, True
        try:
            yield
        finally:
            self.watched = before


def leaves(one: Any) -> Iterator[Any]:
    """What lies in lists, tuples and dictionaries."""
    if isinstance(one, (list, tuple, dict)):
        for part in one.values() if isinstance(one, dict) else one:
            yield from leaves(part)
    else:
        yield one


def mapped(change: Callable[[Any], Any], one: Any) -> Any:
    """The same with everything in it changed."""
    if isinstance(one, (list, tuple)):
        return type(one)(mapped(change, part) for part in one)
    if isinstance(one, dict):
        return {name: mapped(change, part) for name, part in one.items()}
    return change(one)


def _near(one: object) -> object:
    return one.near if isinstance(one, Far) else one


def _wrapped(one: object, known: dict[int, Far], goes: torch.device) -> object:
    if not isinstance(one, Tensor) or goes.type != "meta":
        return one
    found = known.get(id(one))
    return Far(one) if found is None else found


def _refuse(func: Any, args: Any, fars: list[Far], nears: list[Tensor], goes: torch.device) -> None:
    name = func.name().partition(".")[0]
    places = args[1] if name in ("aten::index", "aten::index_put", "aten::index_put_") else ()
    masks = [
        one for one in leaves(places) if isinstance(one, Tensor) and one.dtype in (torch.bool, torch.uint8)
    ]
    asks = name in ASKING or bool(masks)
    if fars and (asks or goes.type != "meta"):
        raise Waits(f"`{name}` asks the device")
    if nears and goes.type == "meta":
        raise Waits(f"`{name}` brings something to the device")


class Tape:
    """Operations as a graph has them: on fixed memory, run later, again and again."""

    def __init__(self) -> None:
        self._operations: list[tuple[Any, Any, Any, Any]] = []
        self._before: dict[int, tuple[Tensor, Tensor]] = {}
        self._made: set[int] = set()
        self._dice: dict[int, tuple[torch.Generator, Tensor]] = {
            0: (torch.default_generator, torch.get_rng_state())
        }

    def keep(self, nears: list[Tensor], args: Any, kwargs: Any) -> None:
        """Remember what an operation is about to change: nothing runs while it is recorded."""
        for dice in (one for one in leaves((args, kwargs)) if isinstance(one, torch.Generator)):
            self._dice.setdefault(id(dice), (dice, dice.get_state()))
        for one in nears:
            place = one.untyped_storage()._cdata
            if place not in self._made:  # whether it is changed: not every schema says so
                self._before.setdefault(place, (one, _memory(one).clone()))

    def note(self, func: Any, args: Any, kwargs: Any, out: Any) -> None:
        """Remember an operation."""
        given = {one.untyped_storage()._cdata for one in leaves((args, kwargs)) if isinstance(one, Tensor)}
        fresh = [one for one in leaves(out) if isinstance(one, Tensor)]
        self._made |= {one.untyped_storage()._cdata for one in fresh} - given
        self._operations.append((func, args, kwargs, out))

    def end(self) -> None:
        """Put everything back; what was made has no content yet."""
        for one, memory in self._before.values():
            _memory(one).copy_(memory)
        for dice, state in self._dice.values():
            dice.set_state(state)
        for *_, out in self._operations:
            for one in leaves(out):
                if (
                    isinstance(one, Tensor)
                    and one.untyped_storage()._cdata in self._made
                    and one.is_floating_point()
                ):
                    one.fill_(float("nan"))

    @torch.no_grad()
    def replay(self) -> None:
        """Run the operations on the memory that they were recorded with."""
        for func, args, kwargs, out in self._operations:
            again = func(*args, **kwargs)
            for new, old in zip(leaves(again), leaves(out), strict=True):
                if isinstance(new, Tensor) and new.data_ptr() != old.data_ptr():
                    old.copy_(new)


def _memory(one: Tensor) -> Tensor:
    """All bytes that a tensor or its views lie in."""
    return torch.empty(0, dtype=torch.uint8).set_(one.untyped_storage())


class Tapes:
    """What records steps in the place of CUDA graphs."""

    def __init__(self, device: Device) -> None:
        self.device = device
        self.recorded = 0

    @contextmanager
    def beside(self) -> Generator[None]:
        """Steps that are not recorded."""
        yield

    def record(self, run: Callable[[], None], generators: object) -> Callable[[], None]:
        """Record what a function does on the device, which does nothing now."""
        del generators
        tape = self.device.tape = Tape()
        try:
            run()
        finally:
            self.device.tape = None
            tape.end()
        self.recorded += 1
        return tape.replay


def sent(one: Any) -> Any:
    """A tensor, a module or a batch on the far device."""
    if isinstance(one, nn.Module):
        for module in one.modules():
            for kept in (module._parameters, module._buffers):
                kept |= {name: sent(part) for name, part in kept.items() if part is not None}
        return one
    if isinstance(one, Far):
        return one
    if isinstance(one, nn.Parameter):
        return nn.Parameter(Far(one.detach().clone()), one.requires_grad)
    if isinstance(one, Tensor):
        return Far(one.detach().clone())
    return type(one)(sent(part) for part in one) if isinstance(one, (list, tuple)) else one


def back(one: Tensor) -> Tensor:
    """The content of a tensor of the far device."""
    near = one.detach()
    return near.near.clone() if isinstance(near, Far) else near.clone()


def _brought(make: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """A function that makes tensors of the host's numbers, and brings them where they are wanted."""

    def made(data: object, **wanted: Any) -> Tensor:
        device = wanted.pop("device", None)
        return make(data, **wanted) if device is None else make(data, **wanted).to(device)

    return made


@contextmanager
def far_device(patch: pytest.MonkeyPatch) -> Generator[Device]:
    """The far device, for the time of a block."""
    generator, module_of = Draws.generator, torch.get_device_module
    own = SimpleNamespace(
        get_rng_state=lambda _: torch.get_rng_state(),
        set_rng_state=lambda state, _: torch.set_rng_state(state),
    )
    for name in ("tensor", "as_tensor"):
        patch.setattr(torch, name, _brought(getattr(torch, name)))
    patch.setattr(Draws, "generator", lambda draws, _: generator(draws, NEAR))
    patch.setattr(
        torch,
        "get_device_module",
        lambda device: own if torch.device(device).type == "meta" else module_of(device),
    )
    with Device() as device:
        yield device
