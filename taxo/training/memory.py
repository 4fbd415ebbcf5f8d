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
# blocks of so many bytes are mappings of their own, which always go back: where glibc's limit ends, and ours
_USUAL, _MOST = 2**25, 2**30
_keeping: list[ctypes.CDLL] = []  # once for each block that is open


@contextmanager
def kept_memory() -> Generator[None]:
    """Freed memory stays with the process; by default glibc gives much of it back, to fault it in anew.

    Where the environment says what glibc does, or the library is another one, nothing changes. What is set
    holds for the process, until the outermost block ends.
    """
    library = _library()
    if library is None or not (_keeping or _keep(library)):
        yield
        return
    _keeping.append(library)
    try:
        yield
    finally:
        _keeping.pop()
        if not _keeping:
            library.mallopt(_MMAP_THRESHOLD, _USUAL)
            library.mallopt(_TRIM_THRESHOLD, 2 * _USUAL)
            library.malloc_trim(0)


def _library() -> ctypes.CDLL | None:
    """Glibc, where it is there and nobody has told it what to do."""
    free = platform.libc_ver()[0] == "glibc" and not any(name in os.environ for name in _CHOSEN)
    return ctypes.CDLL(None) if free else None


def _keep(library: ctypes.CDLL) -> bool:
    """Whether the library keeps large blocks now; an older glibc takes no limit above its own."""
    large = any(library.mallopt(_MMAP_THRESHOLD, size) for size in (_MOST, _USUAL))
    return large and bool(library.mallopt(_TRIM_THRESHOLD, -1))
