"""What tables take, and what a device has left."""

from __future__ import annotations

import pytest
import torch

from taxo.language.errors import TaxoError
from taxo.ops.memory import check_fits, free_bytes, table_bytes

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("dtype", "momentum", "store", "expected"),
    [
        (torch.float32, False, "device", 4 * 60),
        (torch.float64, False, "host", 8 * 60),
        (torch.float32, True, "device", 8 * 60),
        (torch.float32, False, "half", 2 * 60),
        (torch.float64, True, "half", 4 * 60),
    ],
)
def test_the_size_of_a_table(dtype: torch.dtype, momentum: bool, store: str, expected: int):
    assert table_bytes(10, (2, 3), dtype, momentum, store) == expected


def test_what_fits_is_let_through():
    free = free_bytes(CPU)
    assert free is not None
    check_fits(free // 2, CPU, "rows")
    with pytest.raises(TaxoError, match=r"rows take .* more than cpu has left"):
        check_fits(4 * free, CPU, "rows")


def test_a_device_that_does_not_tell_is_believed():
    assert free_bytes(torch.device("meta")) is None
    check_fits(10**18, torch.device("meta"), "rows")


@pytest.mark.gpu
def test_the_memory_of_a_gpu():
    free = free_bytes(torch.device("cuda"))
    assert free is not None
    with pytest.raises(TaxoError, match="T410"):
        check_fits(2 * free, torch.device("cuda"), "rows")
