"""What all tests share."""

import os
from functools import cache

import pytest
from hypothesis import settings

# A gate gives the same answer twice: fixed examples, and no clock (the machine may be busy). At night, new
# ones are tried each time, and one that fails is printed so that it can be tried again.
settings.register_profile("gate", deadline=None, derandomize=True, database=None)
settings.register_profile("night", deadline=None, database=None, print_blob=True)
settings.load_profile("night" if "TAXO_CASES" in os.environ else "gate")


@cache
def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not _has_gpu():
        pytest.skip("no CUDA device")
