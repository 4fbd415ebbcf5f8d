"""Memory that one step frees and the next one takes: while a run lasts, the C library keeps it."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Generator
from contextlib import contextmanager

# the words of glibc's `mallopt`
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_CHOSEN = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


@contextmanager
def kept_memory() -> Generator[None]:
    """Freed memory stays with the process; by default glibc gives much of it back, to fault it in anew.

    Where the environment says what glibc does, or the library is another one, nothing changes.
    """
    if platform.libc_ver()[0] != "glibc" or any(name in os.environ for name in _CHOSEN):
        yield
        return
    library = ctypes.CDLL(None)
    library.mallopt(_MMAP_THRESHOLD, 2**30)
    library.mallopt(_TRIM_THRESHOLD, -1)
    try:
        yield
    finally:
        library.mallopt(_TRIM_THRESHOLD, 2**26)  # where glibc's own, which grows, ends
        library.malloc_trim(0)
