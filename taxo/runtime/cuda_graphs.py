"""CUDA graphs: what a device was told to do once, told again in one word."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Generator, Iterable
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

import torch


class Recorder(Protocol):
    """Records what functions do on a device."""

    def beside(self) -> AbstractContextManager[None]:
        """Steps that are not recorded, where recorded ones will be."""
        ...

    def record(self, run: Callable[[], None], generators: Iterable[torch.Generator]) -> Callable[[], None]:
        """Record what a function does, which does nothing now; what is given does it."""
        ...


class CudaGraphs:
    """Records as CUDA graphs, which share their memory.

    What a recorded function makes lies there, and holds what it should until the next replay.
    """

    def __init__(self, device: torch.device) -> None:
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    @contextmanager
    def beside(self) -> Generator[None]:
        """Steps on the stream of the recorded ones: backward passes keep to the stream they are made on."""
        outer = torch.cuda.current_stream(self._stream.device)
        self._stream.wait_stream(outer)
        try:
            with torch.cuda.stream(self._stream):
                yield
        finally:
            outer.wait_stream(self._stream)

    def record(self, run: Callable[[], None], generators: Iterable[torch.Generator]) -> Callable[[], None]:
        """Record what a function does, which does nothing now; what is given does it."""
        graph = torch.cuda.CUDAGraph()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a later torch finds generators by itself, and says so
            for generator in generators:
                graph.register_generator_state(generator)
        # other threads may bring the next batch meanwhile
        with torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local"):
            run()
        return graph.replay
