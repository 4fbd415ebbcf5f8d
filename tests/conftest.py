"""What all tests share."""

from functools import cache

import pytest
from hypothesis import settings

# A gate gives the same answer twice: fixed examples, and no clock (the machine may be busy).
settings.register_profile("gate", deadline=None, derandomize=True, database=None)
settings.load_profile("gate")


@cache
def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not _has_gpu():
        pytest.skip("no CUDA device")
