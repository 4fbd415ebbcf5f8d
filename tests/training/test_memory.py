"""What a step frees stays for the next one while a run lasts."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

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
