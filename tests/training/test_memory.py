"""What a step frees stays for the next one while a run lasts."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys

import pytest

from taxo.training.memory import kept_memory

FAULTS = """
import resource
import torch
from contextlib import nullcontext
from taxo.training.memory import kept_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        torch.empty(10_000_000).fill_(1.0)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

with {context}:
    faults()
    print(faults())
"""


def faults(context: str, **environment: str) -> int:
    """How often a page of memory had to be given anew, in a process of its own."""
    chosen = {
        name: value for name, value in os.environ.items() if "MALLOC" not in name and "GLIBC" not in name
    }
    text = FAULTS.format(context=context)
    done = subprocess.run(
        [sys.executable, "-c", text], check=True, capture_output=True, text=True, env=chosen | environment
    )
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_freed_memory_is_taken_again():
    assert faults("kept_memory()") < 100


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_the_environment_says_stands():
    # what is larger than asked for here is given back each time
    asked = {"MALLOC_MMAP_THRESHOLD_": "1000000"}
    assert faults("kept_memory()", **asked) >= faults("nullcontext()", **asked) / 2 > 0


TRIM, MAP = -1, -3  # glibc's words for what is given back, and for what is a mapping of its own


class Library:
    """A glibc that notes what is set: an older one takes at most 32 MiB for what is a mapping."""

    def __init__(self, most: int) -> None:
        self.most, self.trims = most, 0
        self.set: dict[int, int] = {}

    def mallopt(self, word: int, value: int) -> int:
        if word == MAP and value > self.most:
            return 0
        self.set[word] = value
        return 1

    def malloc_trim(self, _: int) -> None:
        self.trims += 1


def used(monkeypatch: pytest.MonkeyPatch, most: int) -> Library:
    """That library, as the one that is there."""
    library = Library(most)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2"))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"):
        monkeypatch.delenv(name, raising=False)
    return library


@pytest.mark.parametrize(("most", "set_"), [(2**31, 2**30), (2**25, 2**25)])
def test_as_much_is_kept_as_the_library_takes(monkeypatch: pytest.MonkeyPatch, most: int, set_: int):
    library = used(monkeypatch, most)
    with kept_memory():
        assert library.set == {MAP: set_, TRIM: -1}
        with kept_memory():
            pass
        assert library.set == {MAP: set_, TRIM: -1}
        assert library.trims == 0
    assert library.set == {MAP: 2**25, TRIM: 2**26}
    assert library.trims == 1


def test_a_library_that_takes_neither_is_left_as_it_is(monkeypatch: pytest.MonkeyPatch):
    library = used(monkeypatch, 2**19)
    with kept_memory():
        pass
    assert library.set == {}
