"""Ctrl-C as a request that the loop answers between two steps, when everything can be saved."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interrupted(Exception):
    """The run was stopped by the user, after what could be saved was saved."""


class StopRequest:
    """While entered, the first Ctrl-C (or a polite kill) only sets `made`; the second one acts at once."""

    def __init__(self) -> None:
        self.made = False

    def __enter__(self) -> StopRequest:
        # Python lets only the main thread set handlers; elsewhere Ctrl-C keeps its usual meaning
        self._catches = threading.current_thread() is threading.main_thread()
        if self._catches:
            self._before = [(number, signal.signal(number, self._ask)) for number in _SIGNALS]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._catches:
            for number, handler in self._before:
                signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.made:
            raise KeyboardInterrupt
        self.made = True


_SIGNALS = (signal.SIGINT, signal.SIGTERM)
