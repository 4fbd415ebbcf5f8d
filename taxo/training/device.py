"""Which device a run uses, and how torch is set up while it runs."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager, nullcontext

import torch

from taxo.language.errors import fail
from taxo.training import datasets
from taxo.training.memory import kept_memory
from taxo.training.settings import Settings
from taxo.training.words import counted


def pick(name: str) -> torch.device:
    """The device of that name; `auto` takes a GPU where there is one."""
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        fail("T505", "no device `cuda` on this machine", help="use `--device cpu`, or leave it out")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


def refuse_graphs(settings: Settings, device: torch.device) -> None:
    """T505 where CUDA graphs are asked for on what is no GPU."""
    if not settings.cuda_graph or device.type == "cuda":
        return
    if settings.device == "cpu":
        fail("T505", "`--cuda-graph` needs a GPU, not `--device cpu`", help="leave one of them out")
    fail("T505", "no device `cuda` on this machine, which `--cuda-graph` needs", help="leave it out")


@contextmanager
def tuned(settings: Settings) -> Generator[None]:
    """A run's threads and memory, and deterministic kernels if the settings ask for them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(min(threads, _threads(settings)))
    try:
        with kept_memory(), _deterministic() if settings.deterministic else nullcontext():
            yield
    finally:
        torch.set_num_threads(threads)


def _threads(settings: Settings) -> int:
    # a step of a millisecond gains a quarter from a second thread, and loses a factor where another program
    # wants that core: threads wait for each other after every layer
    return 1 if settings.model in _LIGHT and datasets.find(settings.data).light else torch.get_num_threads()


_LIGHT = ("cnn", "mlp", "linear", "centres", "rigid")


@contextmanager
def _deterministic() -> Generator[None]:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    before = torch.are_deterministic_algorithms_enabled()
    # entered only on request: the first call loads a second's worth of torch
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before)


def describe(device: torch.device) -> str:
    """The device's name as a person would say it."""
    return (
        torch.cuda.get_device_name(device)
        if device.type == "cuda"
        else f"cpu, {counted(torch.get_num_threads(), 'thread')}"
    )
